/**
 * The verbs of those who look after a docket: what is on it, who works on it, what is struck.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type {
  Discard,
  EndedTask,
  Presence,
  Requeue,
  Requeued,
  Seed,
  Seeding,
  Survey,
  Sweep,
  Swept,
} from "../contract.ts";
import type { Places } from "./places.ts";
import type { Site } from "./site.ts";
import { survey } from "./survey.ts";
import { view } from "./task.ts";

/** Tells what there is, and puts it in order. */
export class Upkeep {
  readonly #site: Site;
  readonly #tasks: Places;
  /** The last request to clear, in case its reply gets lost. */
  #cleared = { request: "", count: 0 };

  constructor(site: Site) {
    this.#site = site;
    this.#tasks = site.tasks;
  }

  now(): Millis {
    return this.#site.clock.now();
  }

  count(): number {
    return this.#tasks.size;
  }

  remaining(): number {
    return this.#tasks.size - this.#tasks.background;
  }

  survey(limit: number): Survey {
    return survey(this.#tasks, this.#site.records.graves, limit, this.now());
  }

  parked(
    which: "failed" | "dead",
    limit: number,
  ): readonly (EndedTask & { readonly key: string })[] {
    const { records } = this.#site;
    return which === "failed" ? records.failed(limit, this.now()) : records.dead(limit);
  }

  seed(seeds: readonly Seed[]): readonly Seeding[] {
    const { records, chains, hints } = this.#site;
    const now = this.now();
    const seedings = seeds.map(({ key, generation, due, body }): Seeding => {
      const task = this.#tasks.get(key);
      const sent = task?.generation === generation || records.has(key, generation, now);
      if (sent) return "seeded";
      if (task) {
        chains.find(task);
        return "live";
      }
      if (records.grave(key)) return "parked";
      if (chains.isStopped(key)) return "stopped";
      chains.start(key);
      this.#tasks.admit(key, generation, due, body, now, true);
      return "seeded";
    });
    hints.tell(now);
    return seedings;
  }

  requeue(requests: readonly Requeue[]): readonly Requeued[] {
    const { records, hints } = this.#site;
    const now = this.now();
    const answers = requests.map(({ key, generation, as }): Requeued => {
      const task = this.#tasks.get(key);
      if (task?.generation === as || records.has(key, as, now)) return { kind: "scheduled" };
      if (task) return { kind: "exists", live: view(task) };
      const body = records.bodyOf(key, generation, now);
      if (body === undefined) return { kind: "gone" };
      records.unearth(key, generation);
      this.#tasks.admit(key, as, undefined, body, now);
      return { kind: "scheduled" };
    });
    hints.tell(now);
    return answers;
  }

  discard(discards: readonly Discard[]): readonly boolean[] {
    const now = this.now();
    return discards.map(({ key, generation }) => this.#site.records.discard(key, generation, now));
  }

  clear(request: string, ttl: Millis): { readonly cleared: number; readonly cursor: string } {
    if (this.#cleared.request === request) return { cleared: this.#cleared.count, cursor: "" };
    const now = this.now();
    let count = 0;
    for (const task of [...this.#tasks]) {
      if (task.run) {
        if (task.deferred) count++;
        this.#site.drop(task, "cleared", now, ttl);
        continue;
      }
      this.#site.cancel(task, "cleared", now, ttl);
      count++;
    }
    this.#cleared = { request, count };
    this.#site.hints.tell(now);
    return { cleared: count, cursor: "" };
  }

  strike(rule: string, struck: boolean, request: string): boolean {
    return this.#site.rules.strike(rule, struck, request);
  }

  strikes(): { readonly version: string; readonly rules: readonly string[] } {
    return this.#site.rules.all();
  }

  advertise(consumer: string, span: Millis, text: string | undefined): boolean {
    return this.#site.presences.advertise(consumer, span, text, this.now());
  }

  withdraw(consumer: string): void {
    this.#site.presences.withdraw(consumer);
  }

  workers(): readonly Presence[] {
    return this.#site.presences.list(this.now());
  }

  /** Nothing can get lost here; what remains to be done is to forget the consumers of the dead. */
  sweep(sweep: Sweep): Swept {
    const { clock, consumers, presences } = this.#site;
    const now = this.now();
    const isAdvertised = (name: string) => presences.has(name, now);
    return consumers.sweep(sweep, clock.monotonic(), isAdvertised);
  }
}
