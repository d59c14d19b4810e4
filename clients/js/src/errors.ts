/**
 * The errors of this package.
 *
 * What is not one of them is a bug, and rises as it is.
 */
import type { ReaderErrorCode, ReaderFailure } from "./types.ts";

/** Reading was given up before the run's end. `message` can be shown to a reader. */
export class ReaderError extends Error implements ReaderFailure {
  override readonly name = "ReaderError";
  readonly code: ReaderErrorCode;
  readonly detail: string;

  constructor(code: ReaderErrorCode, message: string, detail = "") {
    super(message);
    this.code = code;
    this.detail = detail;
  }
}

/** Return the error that a stream is when it is no native wire. */
export function protocolError(detail: string): ReaderError {
  return new ReaderError("protocol_error", "The server sent something that can't be read.", detail);
}

/** Return the error of a reader whose server no longer has what was read. */
export function recordsLost(detail: string): ReaderError {
  return new ReaderError("records_lost", "The server has lost a part of this answer.", detail);
}

/** Not reached, or broken off: a reason to try again. `message` is in plain words. */
export class Interruption extends Error {
  readonly askedMs: number;

  constructor(message: string, askedMs = 0) {
    super(message);
    this.askedMs = askedMs;
  }
}
