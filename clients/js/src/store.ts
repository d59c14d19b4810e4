/**
 * One value that changes, and who wants to know: what `useSyncExternalStore` takes.
 *
 * Knows nothing of runs; a `Reader` is one. Whoever sets a value has made it a new object.
 */

export class Store<Value> {
  #value: Value;
  readonly #listeners = new Set<() => void>();

  constructor(value: Value) {
    this.#value = value;
  }

  readonly getSnapshot = (): Value => this.#value;

  /** Call `listener` after each change, until the function returned is called. */
  readonly subscribe = (listener: () => void): (() => void) => {
    // Wrapped, so that one listener that subscribes twice is two.
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  };

  /** Take a new value; tell the listeners, unless it is the very same. */
  set(value: Value): void {
    if (value === this.#value) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        // A listener's bug is no reason to stop reading; it rises on its own.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
