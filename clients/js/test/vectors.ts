// The vectors of `conformance/`, and the ways to cut their bytes.
// Knows the value forms that `conformance/README.md` describes; what a vector means is its test's business.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../../../conformance/", import.meta.url));

export type Form = string | { hex: string } | { repeat: Form; times: number } | Form[];

/** Return every vector of a folder of `conformance/`, or of one file (a stem) there; each has a `name`. */
export function vectors<Fields>(folder: string, file?: string): (Fields & { name: string })[] {
  const found = readdirSync(`${FOLDER}${folder}`)
    .filter((name) => (file ? name === `${file}.json` : name.endsWith(".json")))
    .sort()
    .flatMap((name) =>
      (JSON.parse(readFileSync(`${FOLDER}${folder}/${name}`, "utf-8")) as (Fields & { name: string })[]).map(
        (vector) => ({ ...vector, name: `${name.slice(0, -5)}/${vector.name}` }),
      ),
    );
  if (found.length === 0) throw new Error(`no vectors in conformance/${folder}`);
  return found;
}

/** Return the bytes that a form stands for. */
export function toBytes(form: Form): Uint8Array<ArrayBuffer> {
  if (typeof form === "string") return new TextEncoder().encode(form);
  if (Array.isArray(form)) return new Uint8Array(Buffer.concat(form.map(toBytes)));
  if ("hex" in form) return new Uint8Array(Buffer.from(form.hex, "hex"));
  return new Uint8Array(Buffer.concat(new Array<Uint8Array>(form.times).fill(toBytes(form.repeat))));
}

/** Return the text that a form stands for. */
export function toText(form: Form): string {
  return Buffer.from(toBytes(form)).toString("utf-8");
}

/** Beyond this size a sample of cuts has to do: every cut is two feeds of the whole. */
const EVERY_CUT_BYTES = 1024;

/** Yield ways in which the bytes may arrive: whole, byte by byte, and cut in two at every position. */
export function* splits(bytes: Uint8Array): Generator<Uint8Array[]> {
  yield [bytes];
  const { length } = bytes;
  let positions = Array.from({ length: length + 1 }, (_, at) => at);
  if (length <= EVERY_CUT_BYTES) yield pieces(bytes, 1);
  else {
    for (const size of [97, 4096, 65_536]) yield pieces(bytes, size);
    const middle = length >> 1;
    positions = positions.filter((at) => at < 12 || at > length - 12 || (at >= middle && at < middle + 4));
  }
  for (const at of positions) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

/** Return the bytes in pieces of `size`; the last one may be shorter. */
export function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}
