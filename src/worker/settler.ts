/**
 * Carries what finished to the storage, in groups: whatever finishes while one is under way goes into the next.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Commit, Settlement } from "../storage/contract.ts";
import type { Run } from "./run.ts";

const log = getLogger(["docket", "worker"]);

/** What finished and is not settled yet. */
export class Settler {
  readonly #onReady: () => void;
  #outbox: Commit[] = [];

  /** `onReady` is called whenever there is something to take. */
  constructor(onReady: () => void) {
    this.#onReady = onReady;
  }

  /** Whether there is nothing to take. */
  get empty(): boolean {
    return this.#outbox.length === 0;
  }

  /** Hands over a run's end. It counts only while the run's claim does (invariant 19). */
  settle({ claim: { key, token } }: Run, settlement: Settlement): void {
    this.#outbox.push({ key, token, settlement });
    this.#onReady();
  }

  /** At most so many, the oldest first. */
  take(most: number): readonly Commit[] {
    if (this.#outbox.length > most) return this.#outbox.splice(0, most);
    const commits = this.#outbox;
    this.#outbox = [];
    return commits;
  }

  /** Tells about those that did not count: another worker has the task now. */
  confirm(commits: readonly Commit[], committed?: readonly boolean[]): void {
    if (!committed) return;
    for (let i = 0; i < commits.length; i++) {
      if (committed[i]) continue;
      const { key, settlement } = commits[i];
      log.warn("Fenced: {key} ended {kind} here after its lease was lost; nothing was written", {
        key,
        kind: settlement.kind,
      });
    }
  }
}
