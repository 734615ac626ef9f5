/**
 * Notices when nothing is left to run: `worker.runUntilFinished()`, `worker.runAtMost()`.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { onAbort } from "../base/abort.ts";
import { type Clock, sleep } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Storage, Target } from "../storage/contract.ts";
import type { Registry } from "../docket/registry.ts";
import type { Bounds } from "./bounds.ts";
import type { Running } from "./run.ts";

const log = getLogger(["docket", "worker"]);

/** What a {@linkcode Finisher} needs. */
export interface FinisherOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly bounds: Bounds;
  readonly registry: Registry;
  readonly running: Running;
  /** Whether nothing is to be claimed or settled. */
  readonly fetcher: { readonly quiet: boolean };
  /** Resolves when what is automatic is there. */
  readonly seeder?: { readonly started: Promise<void> };
}

/** Looks whether the docket, and not just this worker, has anything left to run. */
export class Finisher {
  readonly #options: FinisherOptions;

  constructor(options: FinisherOptions) {
    this.#options = options;
  }

  /** Resolves when nothing is left, here or elsewhere, or when the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, running, fetcher, seeder } = this.#options;
    await orAborted(seeder?.started, signal); // what is automatic is there from the start
    let pause = 1;
    while (!signal.aborted) {
      await orAborted(running.empty(), signal);
      if (fetcher.quiet && running.size === 0) {
        try {
          if (await this.#isDone(signal)) return;
        } catch (error) {
          if (signal.aborted) return;
          log.warn("Cannot tell whether all is done: {reason}", { reason: messageOf(error) });
        }
        pause = Math.min(pause * 2, 500); // others may run the rest, or it is due later (invariant 77)
      } else {
        pause = 1;
      }
      await sleep(clock, pause, signal);
    }
  }

  async #isDone(signal: AbortSignal): Promise<boolean> {
    const { storage, bounds: { open, reached } } = this.#options;
    if (reached.length > 0) await this.#cancelRest(reached, signal);
    if (await storage.remaining({ signal }) > await this.#leftToOthers(signal)) return false;
    if (open.length === 0) return true;
    const found = await storage.load(open, { signal });
    return found.every(({ live }) => live === undefined); // the next run of these is waited for
  }

  /** Of automatic chains that have run here as often as they may, those that somebody scheduled for later. */
  async #leftToOthers(signal: AbortSignal): Promise<number> {
    const { storage, registry, bounds: { reached } } = this.#options;
    const keys = reached.filter((key) => registry.get(key)?.seed());
    if (keys.length === 0) return 0;
    const found = await storage.load(keys, { signal });
    return found.filter(({ live }) => live?.state === "scheduled" && !live.background).length;
  }

  /**
   * What was scheduled under keys that have run as often as they may would be waited for, and not run. Not so an automatic
   * chain: cancelling it would stop it for everybody, and another worker may go on with it.
   */
  async #cancelRest(reached: readonly string[], signal: AbortSignal): Promise<void> {
    const { storage, registry } = this.#options;
    const keys = reached.filter((key) => !registry.get(key)?.seed());
    const targets: Target[] = [];
    for (const { live } of await storage.load(keys, { signal })) {
      if (!live || live.state === "running" || live.background) continue;
      targets.push({ key: live.key, generation: live.generation });
    }
    if (targets.length > 0) await storage.cancel(targets, { signal });
  }
}

/** Leaves nothing on the signal: it may live much longer than the promise. */
async function orAborted(promise: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  let deafen = () => {};
  const aborted = new Promise<void>((resolve) => deafen = onAbort(signal, resolve));
  await Promise.race([promise, aborted]);
  deafen();
}
