/**
 * The thread of a {@linkcode LeaseKeeper}: renews the leases it was handed while the thread of the handlers is silent. It runs
 * when it is loaded as a thread, and does nothing else.
 *
 * @module
 */

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { type Millis, sleep, systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Lease, Storage } from "../storage/contract.ts";
import { openStorage, type Reopening } from "../storage/open.ts";

/** So often per lease it looks whether a renewal is due. */
const LOOKS_PER_LEASE = 20;

/** The other thread is silent when nothing was heard of it for this part of the lease. It tells of itself 20 times in one. */
const SILENT_PER_LEASE = 8;

/** As often as the other thread renews (invariant 30). */
const RENEWALS_PER_LEASE = 4;

/** What the thread is started with. */
export interface Assignment {
  readonly reopening: Reopening;
  readonly consumer: string;
  readonly lease: Millis;
  /** After a silence of so long nothing is renewed any more: what keeps the other thread may never end. */
  readonly patience: Millis;
  /** One whole number of 64 bits: up to when leases were renewed, on the clock of the other thread. */
  readonly renewedAt: SharedArrayBuffer;
}

/** What the thread is told. `at` is when, on the clock of who tells. */
export type ToThread =
  /** These run, and no others. */
  | { readonly kind: "all"; readonly leases: readonly Lease[]; readonly at: Millis }
  /** These are about to run as well. */
  | { readonly kind: "more"; readonly leases: readonly Lease[]; readonly at: Millis }
  /** Nothing runs any more. */
  | { readonly kind: "end" };

/** What the thread tells. */
export type FromThread =
  /** It hears. */
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly reason: string }
  /** It has closed its connection. */
  | { readonly kind: "ended" };

/** Renews in the place of a thread that cannot. */
class Deputy {
  readonly #assignment: Assignment;
  readonly #storage: Storage;
  readonly #renewedAt: BigInt64Array;
  readonly #end = new AbortController();
  /** By token and key: a key may run again before it is known that its last run was settled. */
  #held = new Map<string, Lease>();
  #heardAt: Millis = performance.now();
  /** By how much the clock of the other thread is ahead, or less: a message takes its time. So no lease seems younger than it is. */
  #ahead = -Infinity;
  /** When the last renewal was sent. */
  #sentAt: Millis = -Infinity;

  constructor(assignment: Assignment, storage: Storage) {
    this.#assignment = assignment;
    this.#storage = storage;
    this.#renewedAt = new BigInt64Array(assignment.renewedAt);
  }

  hear(news: ToThread): void {
    if (news.kind === "end") return this.#end.abort();
    this.#heardAt = performance.now();
    this.#ahead = Math.max(this.#ahead, news.at - this.#heardAt);
    if (news.kind === "all") this.#held = new Map();
    for (const lease of news.leases) this.#held.set(lease.token + lease.key, lease);
  }

  /** Renews until it is told that nothing runs any more. */
  async run(): Promise<void> {
    const { signal } = this.#end;
    const { lease } = this.#assignment;
    // When the first renewal is due, the connection is there.
    void this.#storage.now({ signal }).catch(() => {}); // else it is tried again then
    while (!signal.aborted) {
      await sleep(systemClock, lease / LOOKS_PER_LEASE, signal);
      if (!signal.aborted && this.#isDue()) await this.#renew(signal);
    }
    await this.#storage[Symbol.asyncDispose]();
  }

  #isDue(): boolean {
    const { lease, patience } = this.#assignment;
    const now = performance.now();
    const silence = now - this.#heardAt;
    return this.#held.size > 0 && silence >= lease / SILENT_PER_LEASE && silence < patience &&
      now - this.#sentAt >= lease / RENEWALS_PER_LEASE;
  }

  /** Only what it was handed, and only while that counts: nothing is stolen back (invariants 19, 31). */
  async #renew(signal: AbortSignal): Promise<void> {
    const leases = [...this.#held.values()];
    this.#sentAt = performance.now();
    const sentAt = this.#sentAt + this.#ahead;
    try {
      const renewals = await this.#storage.renew(this.#assignment.consumer, leases, { signal });
      leases.forEach((lease, i) => {
        if (renewals[i] === "lost") this.#held.delete(lease.token + lease.key);
      });
      Atomics.store(this.#renewedAt, 0, BigInt(Math.floor(sentAt)));
    } catch {
      // At the next look, again. Whoever it is done for says what is wrong, when it can.
    }
  }
}

async function serve(port: MessagePort, assignment: Assignment): Promise<void> {
  const { reopening: { url, ...options } } = assignment;
  const storage = await openStorage(url, { ...options, clock: systemClock, lazy: true });
  const deputy = new Deputy(assignment, storage);
  port.on("message", (news: ToThread) => deputy.hear(news));
  port.on("close", () => deputy.hear({ kind: "end" })); // there is nobody left to renew for
  tell(port, { kind: "ready" });
  await deputy.run();
  tell(port, { kind: "ended" });
}

function tell(port: MessagePort, news: FromThread): void {
  port.postMessage(news);
}

if (parentPort) {
  const port = parentPort;
  await serve(port, workerData).catch((error) => {
    tell(port, { kind: "failed", reason: messageOf(error) });
  });
}
