/**
 * Failpoints: a storage that kills or stops its own process at a chosen moment between the worker and Redis.
 *
 * Nothing of this is in the library: the worker is given a storage, and this is one.
 *
 * @module
 */

import { altered } from "../_altered.ts";
import type { Commit, Storage } from "../../src/storage/contract.ts";
import type { Journal } from "./_journal.ts";

/** Where a process fails, once. */
export type Place =
  /** The blocking read returned, nothing is claimed yet. */
  | "after the read"
  /** Tasks are claimed, their handlers were not called. */
  | "after the claim"
  /** Handlers returned or threw, Redis was not told. */
  | "before settling"
  /** Redis has settled, the answer was not read. */
  | "after settling"
  /** A renewal is due. Afterwards the look for abandoned tasks goes first, as on a slow connection. */
  | "before renewing";

/** How a process fails. */
export interface Failpoint {
  readonly at: Place;
  readonly signal: "SIGKILL" | "SIGSTOP" | "SIGTERM";
  /** So many times it passes unharmed before. */
  readonly skip?: number;
}

/** The storage, which fails where it is told to, and tells the journal what was settled, seeded and looked at. */
export function failing(
  storage: Storage,
  probe: Storage,
  journal: Journal,
  failpoint?: Failpoint,
): Storage {
  let armed = failpoint;
  let skip = failpoint?.skip ?? 0;
  const pass = async (place: Place): Promise<void> => {
    if (armed?.at !== place || skip-- > 0) return;
    const { signal } = armed;
    armed = undefined;
    await journal.note("failing");
    signalThis(signal);
    if (signal === "SIGTERM") await journal.again("draining", 1);
    else if (place === "before renewing") await journal.again("looked", 2);
  };

  const changes: Partial<Storage> = {
    async wait(...call) {
      await journal.note("waiting");
      const from = await storage.wait(...call);
      if (from !== undefined) await pass("after the read");
      return from;
    },
    async step(request, options) {
      const { commits } = request;
      if (commits.length > 0) await pass("before settling");
      const answer = storage.step(request, options);
      if (commits.length > 0 && armed?.at === "after settling") {
        answer.catch(() => {}); // nobody will hear it
        await effectOf(commits, probe);
        await pass("after settling");
      }
      const reply = await answer;
      await Promise.all(commits.map(({ key, settlement: { kind } }, i) => {
        const committed = reply.committed?.[i] ?? true;
        return journal.note("settled", { key, kind, committed });
      }));
      if (reply.claims.length > 0) await pass("after the claim");
      return reply;
    },
    async seed(...call) {
      const seedings = await storage.seed(...call);
      await journal.note("seeded", { seedings });
      return seedings;
    },
    async renew(...call) {
      await pass("before renewing");
      return await storage.renew(...call);
    },
    async reclaim(...call) {
      const reply = await storage.reclaim(...call);
      if (reply.cursor === "") await journal.note("looked");
      if (reply.claims.length > 0) await pass("after the claim");
      return reply;
    },
  };
  return altered(storage, changes);
}

/** Sends this process a signal, and does nothing more until it has arrived. */
export function signalThis(signal: Deno.Signal): void {
  Deno.kill(Deno.pid, signal);
  // It goes to the process, whose other threads may take it a moment before this one halts.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
}

/** Resolves when Redis has carried out these commits, whatever became of the answer. */
async function effectOf(commits: readonly Commit[], probe: Storage): Promise<void> {
  const keys = commits.map(({ key }) => key);
  for (;;) {
    const found = await probe.load(keys);
    if (commits.every(({ token }, i) => found[i].live?.token !== token)) return;
  }
}
