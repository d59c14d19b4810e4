/**
 * Bytes → blocks: the server-sent events of one connection, in order.
 *
 * The format is `eventsource-parser`'s business; UTF-8 that is cut anywhere, the id that holds
 * until the next, and a bound are ours. A block that is cut off at the end is never returned.
 * A stream's own `retry` is ignored: a reader has its own waits.
 */
import { createParser } from "eventsource-parser";

import { protocolError } from "./errors.ts";

export interface Block {
  readonly id: string;
  readonly data: string;
}

/** More than the largest event that a server writes. */
const MAX_BLOCK_LENGTH = 16 * 1024 * 1024;

export class BlockDecoder {
  /** The id that a client would go on after. */
  lastId = "";
  /** How many comments the last bytes had: heartbeats. */
  comments = 0;
  #blocks: Block[] = [];
  // The parser takes the byte order mark away; that both do would take two.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #parser = createParser({
    maxBufferSize: MAX_BLOCK_LENGTH,
    onId: (id) => {
      this.lastId = id;
    },
    onEvent: ({ data }) => {
      this.#blocks.push({ id: this.lastId, data });
    },
    onComment: () => {
      this.comments += 1;
    },
    onError: ({ type, message }) => {
      // Its other errors are lines that nobody knows, which are no error.
      if (type === "max-buffer-size-exceeded") throw protocolError(message);
    },
  });

  /** Return the blocks that the bytes complete, possibly none. Any split gives the same ones. */
  feed(bytes: Uint8Array): Block[] {
    this.#blocks = [];
    this.comments = 0;
    this.#parser.feed(this.#decoder.decode(bytes, { stream: true }));
    return this.#blocks;
  }
}
