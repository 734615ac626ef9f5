/**
 * What user code lets escape from its tasks while `docket worker` runs: a promise that nobody awaits, an error in a callback.
 *
 * @module
 */

import process from "node:process";
import { getLogger } from "@logtape/logtape";
import { messageOf } from "../base/errors.ts";
import type { Worker } from "../worker/worker.ts";

/** After an error that nobody caught, running tasks have so long to finish: nobody knows what state they are in. */
const GRACE = { gracePeriod: 1_000 };

const log = getLogger(["docket", "worker"]);

/**
 * A rejection that nobody handles is told of, and changes nothing: the task it comes from may be over, and its result counts.
 * An error that nobody caught ends the worker, which gives back what does not finish at once.
 */
export class Accidents implements Disposable {
  readonly #worker: () => Worker | undefined;
  #fatal = false;
  readonly #onRejection = (error: unknown) => {
    const reason = messageOf(error);
    log.error("A promise was rejected, and nobody handled it: {reason}", { reason, error });
  };
  readonly #onException = (error: unknown) => {
    const reason = messageOf(error);
    log.fatal("An error was thrown, and nobody caught it: {reason}; the worker stops", {
      reason,
      error,
    });
    if (this.#fatal) return;
    this.#fatal = true;
    void this.#worker()?.close(GRACE);
  };

  /** Listens from now on. */
  constructor(worker: () => Worker | undefined) {
    this.#worker = worker;
    process.on("unhandledRejection", this.#onRejection);
    process.on("uncaughtException", this.#onException);
  }

  /** Whether the worker was ended. */
  get fatal(): boolean {
    return this.#fatal;
  }

  /** Listens no longer: what escapes now does what it does by default. */
  [Symbol.dispose](): void {
    process.off("unhandledRejection", this.#onRejection);
    process.off("uncaughtException", this.#onException);
  }
}
