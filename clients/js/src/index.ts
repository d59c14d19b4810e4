/** The entry `tickertape`: runs and how to follow them, without a screen. */
export { IDLE, NEXT, nextConnection, type ConnectionSignal } from "./connection.ts";
export { ReaderError } from "./errors.ts";
export { codePointLength, NEW_RUN, reduce } from "./reduce.ts";
export { cancelRun, startRun, tailRun } from "./run.ts";
export { DisplayBuffer, FRAME_S } from "./smooth.ts";
export { Store } from "./store.ts";
export * from "./types.ts";
export { decodePayload } from "./wire.ts";
