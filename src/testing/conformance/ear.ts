/**
 * Listens, and waits for what it wants to hear.
 *
 * @module
 */

/** Collects what a listener hears. */
export class Ear<T> {
  /** Everything heard so far. */
  readonly heard: T[] = [];
  readonly #woken = new Set<() => void>();

  /** Give this one to the storage. */
  readonly listener = (told: T): void => {
    this.heard.push(told);
    for (const wake of this.#woken) wake();
  };

  /** Waits until something is heard; what was heard already counts. */
  async until(wanted: (told: T) => boolean): Promise<T> {
    for (;;) {
      const found = this.heard.find(wanted);
      if (found !== undefined) return found;
      await new Promise<void>((resolve, reject) => {
        const tooLong = () => reject(new Error(`heard only ${JSON.stringify(this.heard)}`));
        const timer = setTimeout(tooLong, 3_000);
        const wake = () => {
          clearTimeout(timer);
          this.#woken.delete(wake);
          resolve();
        };
        this.#woken.add(wake);
      });
    }
  }
}
