/**
 * A storage that tells the journal what goes in and what comes out.
 *
 * @module
 */

import { altered } from "../tests/_altered.ts";
import type { Claim, Settlement, Storage } from "../src/storage/contract.ts";
import type { Journal } from "./journal.ts";

/** The same storage; every call of a promise is noted before it is sent, and its answer before anybody hears it. */
export function observed(storage: Storage, journal: Journal): Storage {
  const claimed = (claims: readonly Claim[]): void => {
    for (const { key, generation, token, attempt, deliveries } of claims) {
      journal.note("claimed", { key, generation, token, attempt, deliveries });
    }
  };

  const changes: Partial<Storage> = {
    async schedule(calls, options) {
      for (const { key, generation, mode } of calls) {
        journal.note("asked", { key, generation, mode });
      }
      try {
        const verdicts = await storage.schedule(calls, options);
        calls.forEach(({ key, generation, mode }, i) =>
          journal.note("answered", { key, generation, mode, verdict: verdicts[i].kind })
        );
        return verdicts;
      } catch (error) {
        for (const { key, generation, mode } of calls) {
          journal.note("answered", { key, generation, mode, verdict: "unknown" });
        }
        throw error;
      }
    },
    async seed(seeds, options) {
      for (const { key, generation } of seeds) journal.note("asked", { key, generation });
      return await storage.seed(seeds, options);
    },
    async cancel(targets, options) {
      const answers = await storage.cancel(targets, options);
      targets.forEach(({ key, generation }, i) =>
        journal.note("cancelled", { key, generation, outcome: answers[i] })
      );
      return answers;
    },
    async step(step, options) {
      for (const { key, token, settlement } of step.commits) {
        const next = settlement.kind === "succeeded" ? settlement.generation : undefined;
        journal.note("settling", { key, token, kind: settlement.kind, next });
      }
      const reply = await storage.step(step, options);
      step.commits.forEach(({ key, token, settlement }, i) => {
        const committed = reply.committed?.[i] ?? true;
        const outcome = stateOf(settlement);
        journal.note("settled", { key, token, kind: settlement.kind, outcome, committed });
      });
      claimed(reply.claims);
      return reply;
    },
    async reclaim(request, options) {
      const reply = await storage.reclaim(request, options);
      claimed(reply.claims);
      return reply;
    },
  };
  return altered(storage, changes);
}

/** How a task has ended when this counts; nothing when it goes on, or may. */
function stateOf(settlement: Settlement): string | undefined {
  switch (settlement.kind) {
    case "completed":
    case "failed":
    case "cancelled":
    case "dead":
      return settlement.kind;
    case "succeeded":
      return settlement.state;
    case "retried":
    case "released":
      return undefined; // a cancel or a replacement may have ended it instead
  }
}
