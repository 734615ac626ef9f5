/**
 * How a process that runs a worker is told to stop. Nothing else in the library listens to signals (invariant 75).
 *
 * @module
 */

import process from "node:process";

/** What a shell calls a process that Ctrl-C ended. */
const INTERRUPTED = 130;

/** Told to stop by the first SIGTERM or SIGINT; the second one ends the process, whatever it does. */
export class Shutdown implements Disposable {
  readonly #stop = new AbortController();
  readonly #onSignal = () => {
    if (this.#stop.signal.aborted) process.exit(INTERRUPTED);
    this.#stop.abort();
  };

  /** Listens from now on. */
  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** Aborts at the first signal. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Listens no longer: the next signal does what it does by default. */
  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }
}

// Windows has no SIGTERM to send.
const SIGNALS: readonly ("SIGINT" | "SIGTERM")[] = process.platform === "win32"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM"];
