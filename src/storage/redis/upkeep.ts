/**
 * The verbs of those who look after a docket: what is on it, who works on it, what is struck. Nobody is in a hurry for
 * them, so each goes alone, in calls of bounded size.
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
  Storage,
  Survey,
  Sweep,
  Swept,
  Waiting,
} from "../contract.ts";
import { readRequeued } from "./answer.ts";
import { MOST_CLEARED, MOST_REQUESTS, MOST_TASKS } from "./limits.ts";
import { encodeDue, expectId, whole } from "./outcome.ts";
import { list } from "./parked.ts";
import type { Requests } from "./requests.ts";
import { readEnded, readGrave } from "./row.ts";
import { advertise } from "./scripts/advertise.ts";
import { clear, type Cleared } from "./scripts/clear.ts";
import { discard } from "./scripts/discard.ts";
import { dead } from "./scripts/dead.ts";
import { failed } from "./scripts/failed.ts";
import { remaining } from "./scripts/remaining.ts";
import { requeue } from "./scripts/requeue.ts";
import { seed } from "./scripts/seed.ts";
import { strike } from "./scripts/strike.ts";
import { strikes, type Struck } from "./scripts/strikes.ts";
import { survey } from "./scripts/survey.ts";
import { sweep } from "./scripts/sweep.ts";
import { withdraw } from "./scripts/withdraw.ts";
import { workers } from "./scripts/workers.ts";
import type { Site } from "./site.ts";
import { readSurvey } from "./survey.ts";

/** No list is longer. */
const LONGEST = 10_000;

type Verbs =
  | "now"
  | "count"
  | "remaining"
  | "survey"
  | "parked"
  | "seed"
  | "requeue"
  | "discard"
  | "clear"
  | "strike"
  | "strikes"
  | "advertise"
  | "withdraw"
  | "workers"
  | "sweep";

/** After so many renewals of an advertisement it is made sure that the worker is listed: a stranger may have taken it out. */
const RENEWALS = 15;

/** Tells what there is, and puts it in order. */
export class Upkeep implements Pick<Storage, Verbs> {
  readonly #site: Site;
  readonly #requests: Requests;
  /** How many times each consumer's advertisement is only renewed before it is listed again. */
  readonly #renewals = new Map<string, number>();

  constructor(site: Site, requests: Requests) {
    this.#site = site;
    this.#requests = requests;
  }

  async now({ signal }: Waiting = {}): Promise<Millis> {
    const patience = { what: "ask for the time", signal };
    const [seconds, micros] = await this.#site.client.inquire("TIME", [], patience) as string[];
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  }

  async count({ signal }: Waiting = {}): Promise<number> {
    const { client, keys } = this.#site;
    return await client.command("HLEN", [keys.state], { what: "count tasks", signal }) as number;
  }

  async remaining({ signal }: Waiting = {}): Promise<number> {
    const { client, keys } = this.#site;
    return await client.run(remaining.call(keys, {}), { what: "count tasks", signal });
  }

  async survey(limit: number, { signal }: Waiting = {}): Promise<Survey> {
    const { client, keys } = this.#site;
    const prepared = survey.call(keys, { limit: Math.min(LONGEST, limit) });
    const surveyed = await client.run(prepared, { what: "survey the docket", signal });
    return await readSurvey(surveyed, (names) => this.#requests.stored(names, signal));
  }

  async parked(
    which: "failed" | "dead",
    limit: number,
    { signal }: Waiting = {},
  ): Promise<readonly (EndedTask & { readonly key: string })[]> {
    const { client, keys } = this.#site;
    const most = Math.min(LONGEST, limit);
    const patience = { what: "list tasks", signal };
    return which === "failed"
      ? await list(most, (told, limit) => {
        return client.run(failed.call(keys, { told, limit }), patience);
      }, readEnded)
      : await list(most, (told, limit) => {
        return client.run(dead.call(keys, { told, limit }), patience);
      }, readGrave);
  }

  async seed(seeds: readonly Seed[], { signal }: Waiting = {}): Promise<readonly Seeding[]> {
    const { client, keys } = this.#site;
    const seedings: Seeding[] = [];
    for (let from = 0; from < seeds.length; from += MOST_REQUESTS) {
      const some = seeds.slice(from, from + MOST_REQUESTS);
      const rest = some.flatMap(({ key, generation, due, body }) => {
        expectId(generation, "generation");
        return [key, generation + encodeDue(due), body];
      });
      const brought = await client.run(seed.call(keys, {}, rest), {
        what: "seed tasks",
        unknown: "they may exist",
        failsWhenFull: true,
        signal,
      });
      seedings.push(...brought);
    }
    return seedings;
  }

  async requeue(
    requests: readonly Requeue[],
    { signal }: Waiting = {},
  ): Promise<readonly Requeued[]> {
    const { client, keys } = this.#site;
    const requeued: Requeued[] = [];
    for (let from = 0; from < requests.length; from += MOST_REQUESTS) {
      const some = requests.slice(from, from + MOST_REQUESTS);
      const rest = some.flatMap(({ key, generation, as }) => {
        expectId(as, "generation");
        return [key, generation, as];
      });
      const answers = await client.run(requeue.call(keys, {}, rest), {
        what: "requeue tasks",
        unknown: "they may run again",
        failsWhenFull: true,
        signal,
      });
      answers.forEach((answer, i) => requeued.push(readRequeued(some[i].key, answer)));
    }
    return requeued;
  }

  async discard(
    discards: readonly Discard[],
    { signal }: Waiting = {},
  ): Promise<readonly boolean[]> {
    const { client, keys } = this.#site;
    const discarded: boolean[] = [];
    for (let from = 0; from < discards.length; from += MOST_REQUESTS) {
      const rest = discards.slice(from, from + MOST_REQUESTS)
        .flatMap(({ key, generation }) => [key, generation]);
      const answers = await client.run(discard.call(keys, {}, rest), {
        what: "discard tasks",
        unknown: "they may be forgotten",
        signal,
      });
      discarded.push(...answers.map((found) => found === 1));
    }
    return discarded;
  }

  async clear(request: string, cursor: string, { signal }: Waiting = {}): Promise<Cleared> {
    expectId(request, "request");
    const { client, keys, shared } = this.#site;
    const args = { ...shared, request, cursor, limit: `${MOST_CLEARED}` };
    return await client.run(clear.call(keys, args), {
      what: "clear the docket",
      unknown: "some tasks may be cancelled",
      signal,
    });
  }

  async strike(
    rule: string,
    struck: boolean,
    request: string,
    { signal }: Waiting = {},
  ): Promise<boolean> {
    expectId(request, "request");
    const { client, keys } = this.#site;
    const prepared = strike.call(keys, { rule, struck, request });
    const patience = { what: "change the strikes", unknown: "they may have changed", signal };
    const changed = await client.run(prepared, patience);
    if (changed) this.#site.strikes = request;
    return changed;
  }

  async strikes({ signal }: Waiting = {}): Promise<Struck> {
    const { client, keys } = this.#site;
    const struck = await client.run(strikes.call(keys, {}), { what: "load the strikes", signal });
    this.#site.strikes = struck.version;
    return struck;
  }

  async advertise(
    consumer: string,
    span: Millis,
    text: string | undefined,
    { signal }: Waiting = {},
  ): Promise<boolean> {
    const { client, keys } = this.#site;
    const patience = { what: "advertise a worker", signal };
    const renews = text === undefined;
    const left = this.#renewals.get(consumer) ?? 0;
    const ms = Math.max(1, whole(span));
    if (renews && left > 0) {
      this.#renewals.set(consumer, left - 1);
      return await client.command("PEXPIRE", [keys.workerPrefix + consumer, ms], patience) === 1;
    }
    this.#renewals.set(consumer, RENEWALS);
    const said = { consumer, span: `${ms}`, renews, text: text ?? "" };
    return await client.run(advertise.call(keys, said), patience);
  }

  async withdraw(consumer: string, { signal }: Waiting = {}): Promise<void> {
    const { client, keys } = this.#site;
    this.#renewals.delete(consumer);
    const prepared = withdraw.call(keys, { consumer });
    await client.run(prepared, { what: "withdraw a worker", signal });
  }

  async workers({ signal }: Waiting = {}): Promise<readonly Presence[]> {
    const { client, keys } = this.#site;
    const prepared = workers.call(keys, {});
    return await client.run(prepared, { what: "list workers", signal });
  }

  async sweep({ limit, pause, silence }: Sweep, { signal }: Waiting = {}): Promise<Swept> {
    const { client, keys, shared } = this.#site;
    const prepared = sweep.call(keys, {
      ...shared,
      limit: Math.min(MOST_TASKS, Math.max(1, limit)),
      pause: whole(pause),
      silence: whole(silence),
    });
    return await client.run(prepared, { what: "sweep the docket", signal });
  }
}
