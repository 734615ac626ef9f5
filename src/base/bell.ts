/**
 * Wakes whoever waits for something to happen.
 *
 * @module
 */

import { onAbort } from "./abort.ts";

/** Rung whenever it happens; nobody is left waiting who has given up. */
export class Bell {
  readonly #waiting = new Set<() => void>();

  /** It has happened: whoever waits now is woken. */
  ring(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves when it happens next, or the signal aborts. */
  heard(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        deafen();
        this.#waiting.delete(wake);
        resolve();
      };
      const deafen = onAbort(signal, wake);
      this.#waiting.add(wake);
    });
  }
}
