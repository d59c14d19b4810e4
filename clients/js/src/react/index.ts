/** The entry `tickertape/react`: what follows a run on a screen. */
export {};
