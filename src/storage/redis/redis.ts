/**
 * The docket's storage on Redis 6.2 and later, or Valkey: a method per verb, each of them a script call and its answer.
 *
 * @module
 */

import type { Clock, Millis } from "../../base/clock.ts";
import { ProtocolError } from "../../base/errors.ts";
import { ID_LENGTH, randomId } from "../../base/ids.ts";
import { redactUrl } from "../../base/redact.ts";
import {
  type Call,
  type Change,
  type EndedTask,
  type Found,
  type Lease,
  NEW,
  type Notice,
  type Presence,
  type Promotion,
  type Reclaim,
  type ReclaimReply,
  type Renewal,
  type Report,
  type Requeue,
  type Requeued,
  type Scheduling,
  type Seed,
  type Seeding,
  type Step,
  type StepReply,
  type Storage,
  type Survey,
  type Sweep,
  type Swept,
  type Target,
  type Verdict,
  type Waiting,
} from "../contract.ts";
import type { StorageOptions } from "../open.ts";
import { readAddress } from "./address.ts";
import {
  readClaims,
  readCommitted,
  readFound,
  readRenewal,
  readRequeued,
  readVerdict,
  share,
} from "./answer.ts";
import { Bus } from "./bus.ts";
import { Client } from "./client.ts";
import { type Keys, keysOf } from "./keys.ts";
import { Lane, laneField, LANES, memoriesOf, reclaimField } from "./lane.ts";
import {
  encodeDue,
  encodeHead,
  encodeProgress,
  groupCommits,
  groupLeases,
  whole,
} from "./outcome.ts";
import { list } from "./parked.ts";
import { readEnded, readGrave } from "./row.ts";
import { advertise } from "./scripts/advertise.ts";
import { cancel, type Cancelled } from "./scripts/cancel.ts";
import { clear, type Cleared } from "./scripts/clear.ts";
import { dead } from "./scripts/dead.ts";
import { failed } from "./scripts/failed.ts";
import { load, type Stored } from "./scripts/load.ts";
import { promote } from "./scripts/promote.ts";
import { reclaim } from "./scripts/reclaim.ts";
import { remaining } from "./scripts/remaining.ts";
import { renew } from "./scripts/renew.ts";
import { report } from "./scripts/report.ts";
import { requeue } from "./scripts/requeue.ts";
import { retire } from "./scripts/retire.ts";
import { type Answer, type Answered, schedule } from "./scripts/schedule.ts";
import { seed } from "./scripts/seed.ts";
import { step } from "./scripts/step.ts";
import { strike } from "./scripts/strike.ts";
import { strikes } from "./scripts/strikes.ts";
import { survey } from "./scripts/survey.ts";
import { sweep } from "./scripts/sweep.ts";
import { withdraw } from "./scripts/withdraw.ts";
import { workers } from "./scripts/workers.ts";
import { readSurvey } from "./survey.ts";
import { Together } from "./together.ts";
import { Waiter } from "./wait.ts";

/** No script looks at more tasks: Redis does nothing else meanwhile (invariant 41). */
const MOST = 1_000;

/** So many requests, with their bodies, in one script call. */
const SOME = 200;

/** About so many tasks are cleared in one script call. */
const CLEARED = 500;

/** No list is longer. */
const LONGEST = 10_000;

/** About so many bytes in one script call. */
const HEAVY = 1 << 20;

/** What one more call weighs besides its bytes, so that there are at most 400 in one script call. */
const CALL_WEIGHT = Math.ceil(HEAVY / 400);

/**
 * Opens the storage of one docket.
 *
 * @throws {ConnectionError} When nobody answers, unless it is opened lazily.
 */
export async function openRedis(url: URL, options: StorageOptions): Promise<Storage> {
  const storage = new RedisStorage(url, options);
  try {
    if (!options.lazy) await storage.connect(options.signal);
    return storage;
  } catch (error) {
    await storage[Symbol.asyncDispose]();
    throw error;
  }
}

/** A {@linkcode Storage} on Redis. */
export class RedisStorage implements Storage {
  readonly url: string;
  readonly #keys: Keys;
  readonly #clock: Clock;
  readonly #recordTtl: Millis;
  readonly #client: Client;
  readonly #bus: Bus;
  readonly #waiter: Waiter;
  readonly #lanes = new Map<string, Lane>();
  readonly #schedules: Together<Scheduled, readonly Answer[] | "outdated">;
  readonly #cancels: Together<readonly Target[], readonly Cancelled[]>;
  readonly #loads: Together<readonly string[], readonly Stored[]>;
  /** The version of the strikes that was heard of last. */
  #strikes?: string;

  constructor(
    url: URL,
    { docket, clock, recordTtl, commandTimeout, connectTimeout, redis }: StorageOptions,
  ) {
    this.url = redactUrl(url);
    this.#keys = keysOf(docket);
    this.#clock = clock;
    this.#recordTtl = whole(recordTtl);
    const client = new Client({
      redis: { connectionName: `docket:${docket}`, ...readAddress(url, redis), connectTimeout },
      url: this.url,
      clock,
      commandTimeout,
      connectTimeout,
    });
    this.#client = client;
    this.#bus = new Bus({ client, keys: this.#keys, clock, commandTimeout });
    this.#waiter = new Waiter(client, clock, this.#keys.stream);
    this.#schedules = new Together({
      send: (groups, signal) => this.#sendCalls(groups, signal),
      weigh: ({ calls }) => weighCalls(calls),
      maxItems: 400,
      maxWeight: HEAVY,
      lanes: 2,
    });
    this.#cancels = new Together({
      send: (groups, signal) => this.#sendCancels(groups, signal),
      weigh: (targets) => targets.length,
      maxItems: 400,
      maxWeight: 400,
      lanes: 2,
    });
    this.#loads = new Together({
      send: (groups, signal) => this.#sendLoads(groups, signal),
      weigh: (keys) => keys.length,
      maxItems: 200,
      maxWeight: 200,
      lanes: 2,
    });
  }

  /**
   * Makes sure that somebody answers.
   *
   * @throws {ConnectionError} When nobody does.
   */
  connect(signal?: AbortSignal): Promise<void> {
    return this.#client.open(signal);
  }

  async schedule(
    calls: readonly Call[],
    { signal, strikes }: Scheduling = {},
  ): Promise<readonly Verdict[]> {
    if (calls.length === 0) return [];
    for (const { generation } of calls) expectId(generation, "generation");
    const answers = await this.#schedules.add({ calls, strikes }, signal);
    if (answers === "outdated") return calls.map(() => ({ kind: "outdated" }));
    return answers.map((answer, i) => readVerdict(calls[i].key, answer));
  }

  async seed(seeds: readonly Seed[], { signal }: Waiting = {}): Promise<readonly Seeding[]> {
    const seedings: Seeding[] = [];
    for (let from = 0; from < seeds.length; from += SOME) {
      const rest = seeds.slice(from, from + SOME).flatMap(({ key, generation, due, body }) => {
        expectId(generation, "generation");
        return [key, generation + encodeDue(due), body];
      });
      const prepared = seed.call(this.#keys, this.#shared(), rest);
      const patience = {
        what: "seed tasks",
        unknown: "they may exist",
        failsWhenFull: true,
        signal,
      };
      seedings.push(...await this.#client.run(prepared, patience));
    }
    return seedings;
  }

  async requeue(
    requests: readonly Requeue[],
    { signal }: Waiting = {},
  ): Promise<readonly Requeued[]> {
    const requeued: Requeued[] = [];
    for (let from = 0; from < requests.length; from += SOME) {
      const some = requests.slice(from, from + SOME);
      const rest = some.flatMap(({ key, generation, as }) => {
        expectId(as, "generation");
        return [key, generation, as];
      });
      const answers = await this.#client.run(requeue.call(this.#keys, this.#shared(), rest), {
        what: "requeue tasks",
        unknown: "they may run again",
        failsWhenFull: true,
        signal,
      });
      answers.forEach((answer, i) => requeued.push(readRequeued(some[i].key, answer)));
    }
    return requeued;
  }

  async clear(request: string, cursor: string, { signal }: Waiting = {}): Promise<Cleared> {
    expectId(request, "request");
    const args = { ...this.#shared(), request, cursor, limit: `${CLEARED}` };
    return await this.#client.run(clear.call(this.#keys, args), {
      what: "clear the docket",
      unknown: "some tasks may be cancelled",
      signal,
    });
  }

  async cancel(
    targets: readonly Target[],
    { signal }: Waiting = {},
  ): Promise<readonly Cancelled[]> {
    return targets.length === 0 ? [] : await this.#cancels.add(targets, signal);
  }

  async load(
    keys: readonly string[],
    { signal, mark }: Waiting & { readonly mark?: string } = {},
  ): Promise<readonly Found[]> {
    if (mark !== undefined) expectId(mark, "mark");
    else if (keys.length === 0) return [];
    const stored = mark === undefined
      ? await this.#loads.add(keys, signal)
      : await this.#load(keys, mark, signal);
    return stored.map((one, i) => readFound(keys[i], one));
  }

  async count({ signal }: Waiting = {}): Promise<number> {
    const patience = { what: "count tasks", signal };
    return await this.#client.command("HLEN", [this.#keys.state], patience) as number;
  }

  async remaining({ signal }: Waiting = {}): Promise<number> {
    const prepared = remaining.call(this.#keys, {});
    return await this.#client.run(prepared, { what: "count tasks", signal });
  }

  async survey(limit: number, { signal }: Waiting = {}): Promise<Survey> {
    const prepared = survey.call(this.#keys, { limit: Math.min(LONGEST, limit) });
    const surveyed = await this.#client.run(prepared, { what: "survey the docket", signal });
    return await readSurvey(surveyed, (keys) => this.#loads.add(keys, signal));
  }

  async parked(
    which: "failed" | "dead",
    limit: number,
    { signal }: Waiting = {},
  ): Promise<readonly (EndedTask & { readonly key: string })[]> {
    const { recordPrefix } = this.#keys;
    const most = Math.min(LONGEST, limit);
    const patience = { what: "list tasks", signal };
    return which === "failed"
      ? await list(most, (told, limit) => {
        const page = failed.call(this.#keys, { recordPrefix, told, limit });
        return this.#client.run(page, patience);
      }, readEnded)
      : await list(most, (told, limit) => {
        return this.#client.run(dead.call(this.#keys, { told, limit }), patience);
      }, readGrave);
  }

  async step(request: Step, { signal }: Waiting = {}): Promise<StepReply> {
    const { consumer, call, token, commits, from, maxDeliveries } = request;
    expectId(token, "token");
    const field = laneField(consumer, expectLane(request.lane));
    const lane = this.#lane(field);
    const want = Math.min(MOST, request.want);
    const { rest, order } = groupCommits(commits, this.#recordTtl);
    const args = {
      ...this.#shared(),
      consumer,
      lane: field,
      number: call + 1, // a lane is opened with 0
      token,
      from,
      want,
      maxDeliveries,
      ...lane.plan(commits.length),
    };
    const patience = { what: "take tasks", signal, unknown: "the step may have been taken" };
    for (let opened = false;; opened = true) {
      lane.epoch ||= await this.#open(args, patience);
      const prepared = step.call(this.#keys, { ...args, epoch: lane.epoch }, rest);
      const brought = await this.#client.run(prepared, patience);
      if (brought !== "old") {
        lane.learn(brought);
        this.#strikes = brought.strikes;
        return {
          committed: readCommitted(brought.verdicts, order),
          claims: readClaims(brought.claims),
          more: want > 0 && brought.seen >= want,
          cursor: from === NEW ? NEW : brought.cursor || from,
          strikes: brought.strikes,
        };
      }
      if (opened) {
        throw new ProtocolError(`Cannot take step ${call}: its lane has already taken a later one`);
      }
      lane.epoch = ""; // somebody retired this consumer, or the data was lost
    }
  }

  wait(
    consumer: string,
    want: number,
    timeout: Millis,
    { signal }: Waiting = {},
  ): Promise<string | undefined> {
    const most = Math.min(MOST, Math.max(1, want));
    return this.#waiter.wait({ consumer, want: most, timeout, signal });
  }

  async reclaim(request: Reclaim, { signal }: Waiting = {}): Promise<ReclaimReply> {
    const { consumer, token, maxDeliveries } = request;
    expectId(token, "token");
    const prepared = reclaim.call(this.#keys, {
      ...this.#shared(),
      consumer,
      memory: reclaimField(consumer),
      token,
      lease: `${whole(request.lease)}`,
      cursor: request.cursor || "0-0",
      want: `${Math.min(MOST, Math.max(1, request.want))}`,
      maxDeliveries,
    });
    const reclaimed = await this.#client.run(prepared, { what: "reclaim tasks", signal });
    this.#strikes = reclaimed.strikes;
    return { ...reclaimed, claims: readClaims(reclaimed.claims) };
  }

  async renew(
    consumer: string,
    leases: readonly Lease[],
    { signal }: Waiting = {},
  ): Promise<readonly Renewal[]> {
    const renewals: Renewal[] = [];
    for (let from = 0; from < leases.length; from += MOST) {
      const some = leases.slice(from, from + MOST);
      const { rest, order } = groupLeases(some);
      const prepared = renew.call(this.#keys, { consumer }, rest);
      const letters = await this.#client.run(prepared, { what: "renew leases", signal });
      for (let n = 0; n < order.length; n++) renewals[from + order[n]] = readRenewal(letters[n]);
    }
    return renewals;
  }

  async promote(limit: number, { signal }: Waiting = {}): Promise<Promotion> {
    const { events } = this.#keys;
    const prepared = promote.call(this.#keys, { events, limit: Math.min(MOST, limit) });
    return await this.#client.run(prepared, { what: "promote tasks", signal });
  }

  async report(reports: readonly Report[], { signal }: Waiting = {}): Promise<void> {
    const { progressPrefix, events } = this.#keys;
    for (let from = 0; from < reports.length; from += SOME) {
      const rest = reports.slice(from, from + SOME).flatMap(({ key, token, progress }) => {
        return [key, token, ...encodeProgress(progress)];
      });
      const prepared = report.call(this.#keys, { progressPrefix, events }, rest);
      await this.#client.run(prepared, { what: "report progress", failsWhenFull: true, signal });
    }
  }

  async advertise(
    consumer: string,
    span: Millis,
    text: string | undefined,
    { signal }: Waiting = {},
  ): Promise<boolean> {
    const { workerPrefix } = this.#keys;
    const prepared = advertise.call(this.#keys, {
      workerPrefix,
      consumer,
      span: `${Math.max(1, whole(span))}`,
      renews: text === undefined,
      text: text ?? "",
    });
    return await this.#client.run(prepared, { what: "advertise a worker", signal });
  }

  async withdraw(consumer: string, { signal }: Waiting = {}): Promise<void> {
    const { workerPrefix } = this.#keys;
    const prepared = withdraw.call(this.#keys, { workerPrefix, consumer });
    await this.#client.run(prepared, { what: "withdraw a worker", signal });
  }

  async workers({ signal }: Waiting = {}): Promise<readonly Presence[]> {
    const { workerPrefix } = this.#keys;
    const prepared = workers.call(this.#keys, { workerPrefix });
    return await this.#client.run(prepared, { what: "list workers", signal });
  }

  async strike(
    rule: string,
    struck: boolean,
    request: string,
    { signal }: Waiting = {},
  ): Promise<boolean> {
    expectId(request, "request");
    const prepared = strike.call(this.#keys, { rule, struck, request });
    const patience = { what: "change the strikes", unknown: "they may have changed", signal };
    const changed = await this.#client.run(prepared, patience);
    if (changed) this.#strikes = request;
    return changed;
  }

  async strikes(
    { signal }: Waiting = {},
  ): Promise<{ readonly version: string; readonly rules: readonly string[] }> {
    const patience = { what: "load the strikes", signal };
    const struck = await this.#client.run(strikes.call(this.#keys, {}), patience);
    this.#strikes = struck.version;
    return struck;
  }

  async sweep(
    { limit, pause, silence }: Sweep,
    { signal }: Waiting = {},
  ): Promise<Swept> {
    const { workerPrefix } = this.#keys;
    const prepared = sweep.call(this.#keys, {
      ...this.#shared(),
      workerPrefix,
      limit: Math.min(MOST, Math.max(1, limit)),
      pause: whole(pause),
      silence: whole(silence),
    });
    return await this.#client.run(prepared, { what: "sweep the docket", signal });
  }

  async retire(consumer: string, { signal }: Waiting = {}): Promise<boolean> {
    const { workerPrefix } = this.#keys;
    const memories = memoriesOf(consumer);
    const prepared = retire.call(this.#keys, { consumer, workerPrefix }, memories);
    const gone = await this.#client.run(prepared, { what: "retire a consumer", signal });
    if (gone) {
      for (const field of memories) this.#lanes.delete(field);
      this.#waiter.forget(consumer);
    }
    return gone;
  }

  listen(
    notice: (notice: Notice) => void,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    return this.#bus.listen(notice, signal);
  }

  watch(
    change: (change: Change) => void,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    return this.#bus.watch(change, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lanes.clear();
    await this.#client.close();
  }

  /**
   * Of callers who have looked at different strikes some have not looked at the newest: only those are sent whose version
   * is the one that was heard of last. Whoever does not mind is never refused.
   */
  async #sendCalls(
    requests: readonly Scheduled[],
    signal?: AbortSignal,
  ): Promise<readonly (readonly Answer[] | "outdated")[]> {
    const version = newestOf(requests, this.#strikes);
    const isSent = ({ strikes }: Scheduled) => strikes === undefined || strikes === version;
    const answers = new Map<Scheduled, readonly Answer[]>();
    const send = async (some: readonly Scheduled[], strikes: string | undefined) => {
      const groups = some.map(({ calls }) => calls);
      const { answers: all, newer } = await this.#schedule(groups, strikes, signal);
      if (newer === undefined) share(groups, all).forEach((one, i) => answers.set(some[i], one));
      else this.#strikes = newer;
    };
    await send(requests.filter(isSent), version);
    const free = requests.filter((one) => one.strikes === undefined && !answers.has(one));
    if (free.length > 0) await send(free, undefined);
    return requests.map((one) => answers.get(one) ?? "outdated");
  }

  #schedule(
    groups: readonly (readonly Call[])[],
    strikes: string | undefined,
    signal?: AbortSignal,
  ): Promise<Answered> {
    const rest: string[] = [];
    for (const calls of groups) {
      for (const call of calls) rest.push(call.key, encodeHead(call), call.body);
    }
    const checks = { strikes: strikes ?? "", checked: strikes !== undefined };
    const prepared = schedule.call(this.#keys, { ...this.#shared(), ...checks }, rest);
    return this.#client.run(prepared, {
      what: "schedule tasks",
      unknown: "the tasks may exist",
      failsWhenFull: true,
      signal,
    });
  }

  async #sendCancels(
    groups: readonly (readonly Target[])[],
    signal?: AbortSignal,
  ): Promise<readonly (readonly Cancelled[])[]> {
    const args = { ...this.#shared(), request: randomId() };
    const rest = groups.flat().flatMap(({ key, generation = "" }) => [key, generation]);
    const answers = await this.#client.run(cancel.call(this.#keys, args, rest), {
      what: "cancel tasks",
      unknown: "they may be cancelled",
      signal,
    });
    return share(groups, answers);
  }

  async #sendLoads(
    groups: readonly (readonly string[])[],
    signal?: AbortSignal,
  ): Promise<readonly (readonly Stored[])[]> {
    return share(groups, await this.#load(groups.flat(), "", signal));
  }

  #load(keys: readonly string[], mark: string, signal?: AbortSignal): Promise<readonly Stored[]> {
    const { recordPrefix, progressPrefix, events } = this.#keys;
    const args = { recordPrefix, progressPrefix, events, mark };
    return this.#client.run(load.call(this.#keys, args, keys), { what: "load tasks", signal });
  }

  /** Creates a lane, or joins it; tells its epoch. */
  async #open(
    args: Omit<Parameters<typeof step.call>[1], "epoch">,
    patience: { readonly what: string; readonly signal?: AbortSignal },
  ): Promise<string> {
    const opening = step.call(this.#keys, { ...args, number: 0, epoch: "", want: 0 });
    const opened = await this.#client.run(opening, patience);
    if (opened === "old") throw new ProtocolError("Cannot open a lane: it was refused");
    return opened.epoch;
  }

  #lane(field: string): Lane {
    let lane = this.#lanes.get(field);
    if (!lane) this.#lanes.set(field, lane = new Lane());
    return lane;
  }

  #shared(): Readonly<
    Record<"recordPrefix" | "progressPrefix" | "events" | "wake" | "recordTtl", string>
  > {
    const { recordPrefix, progressPrefix, events, wake } = this.#keys;
    return { recordPrefix, progressPrefix, events, wake, recordTtl: `${this.#recordTtl}` };
  }
}

/** What one caller wants scheduled, and which version of the strikes it has looked at. */
interface Scheduled {
  readonly calls: readonly Call[];
  readonly strikes?: string;
}

/** The version that a batch is sent with; `undefined` when nobody minds. */
function newestOf(requests: readonly Scheduled[], heard: string | undefined): string | undefined {
  let newest: string | undefined;
  for (const { strikes } of requests) {
    if (strikes === undefined) continue;
    if (strikes === heard) return heard;
    newest = strikes;
  }
  return newest;
}

/** The scripts cut ids out of rows by their length. */
function expectId(id: string, what: string): void {
  if (id.length === ID_LENGTH) return;
  throw new TypeError(
    `Cannot use ${JSON.stringify(id)} as a ${what}: it must have ${ID_LENGTH} characters`,
  );
}

function expectLane(lane: number): number {
  if (Number.isInteger(lane) && lane >= 0 && lane < LANES) return lane;
  throw new RangeError(`Cannot use lane ${lane}: there are lanes 0 to ${LANES - 1}`);
}

function weighCalls(calls: readonly Call[]): number {
  let weight = 0;
  for (const { key, body } of calls) weight += CALL_WEIGHT + key.length + body.length;
  return weight;
}
