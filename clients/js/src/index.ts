/** The entry `tickertape`: runs and how to follow them, without a screen. */
export * from "./types.ts";
export { ReaderError } from "./errors.ts";
