/**
 * Which errors of `fetch` and of reading its body mean that the network failed.
 *
 * Browsers throw a `TypeError` for a broken connection and for a mistake in the call alike, and
 * only its words tell them apart. What is not listed here is a bug, and rises.
 */

const WORDS =
  // Chrome; Chrome while reading, and Firefox; Firefox while reading; Safari; Node; Node while reading.
  /^(failed to fetch|network ?error|error in input stream|load failed|the network|the internet|fetch failed|terminated)/i;

/** Tell whether the error is a network's, in the words of any browser or of Node. */
export function isNetworkError(error: unknown): boolean {
  // By its name: the error may come from another realm, where `instanceof` is false.
  const { name, message } = (error ?? {}) as Partial<Error>;
  return name === "NetworkError" || (name === "TypeError" && WORDS.test(message ?? ""));
}
