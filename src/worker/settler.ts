/**
 * Carries what finished to the storage, in groups: whatever finishes while one is under way goes into the next.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Commit, Lease, Settlement } from "../storage/contract.ts";
import type { Observer } from "./observer.ts";
import type { Run } from "./run.ts";

const log = getLogger(["docket", "worker"]);

/** What finished and is not settled yet. */
export class Settler {
  readonly #onReady: () => void;
  readonly #observer: Observer;
  readonly #underWay = new Set<readonly Commit[]>();
  /** What was settled since somebody asked, with all who asked at the same time, what this worker holds. */
  #confirmed: (readonly Commit[])[] = [];
  #asking = 0;
  #outbox: Commit[] = [];

  /** `onReady` is called whenever there is something to take. */
  constructor(onReady: () => void, observer: Observer) {
    this.#onReady = onReady;
    this.#observer = observer;
  }

  /** Whether there is nothing to take. */
  get empty(): boolean {
    return this.#outbox.length === 0;
  }

  /** The claims of all that is not settled: nearly always none, as what finishes is settled at once. */
  get leases(): readonly Lease[] {
    return [...this.#underWay].flat().concat(this.#outbox);
  }

  /** Hands over a run's end. It counts only while the run's claim does (invariant 19). */
  settle({ claim: { key, token }, leaves }: Run, settlement: Settlement): void {
    this.#outbox.push(leaves ? { key, token, settlement, leaves } : { key, token, settlement });
    this.#onReady();
  }

  /** A run is nobody's any more, and there is nothing to settle: there is room for another. */
  forget(): void {
    this.#onReady();
  }

  /**
   * Somebody asks what this worker holds, until the returned function is called: the answer may be older than what is
   * settled meanwhile, and come later.
   */
  ask(): () => void {
    this.#asking++;
    return () => {
      if (--this.#asking === 0) this.#confirmed = [];
    };
  }

  /** Whether this very claim has finished here, as far as those can know who ask (invariant 34). */
  has(key: string, token: string): boolean {
    for (const commits of [this.#outbox, ...this.#underWay, ...this.#confirmed]) {
      if (commits.some((commit) => commit.token === token && commit.key === key)) return true;
    }
    return false;
  }

  /** At most so many, the oldest first. Give them to {@linkcode confirm} when the storage has answered. */
  take(most: number): readonly Commit[] {
    let commits = this.#outbox;
    if (commits.length > most) commits = commits.splice(0, most);
    else this.#outbox = [];
    if (commits.length > 0) this.#underWay.add(commits);
    return commits;
  }

  /** They are settled; tells about those that did not count: another worker has the task now. */
  confirm(commits: readonly Commit[], committed?: readonly boolean[]): void {
    this.#underWay.delete(commits);
    if (this.#asking > 0) this.#confirmed.push(commits);
    if (!committed) return;
    for (let i = 0; i < commits.length; i++) {
      if (committed[i]) continue;
      const { key, settlement } = commits[i];
      this.#observer.count("docket_fenced");
      log.warn("Fenced: {key} ended {kind} here after its lease was lost; nothing was written", {
        key,
        kind: settlement.kind,
      });
    }
  }
}
