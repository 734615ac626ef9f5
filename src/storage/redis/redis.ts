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
  type Found,
  type Lease,
  NEW,
  type Notice,
  type Promotion,
  type Reclaim,
  type ReclaimReply,
  type Renewal,
  type Step,
  type StepReply,
  type Storage,
  type Target,
  type Verdict,
  type Waiting,
} from "../contract.ts";
import type { StorageOptions } from "../open.ts";
import { readAddress } from "./address.ts";
import { readClaims, readCommitted, readFound, readRenewal, readVerdict, share } from "./answer.ts";
import { Bus } from "./bus.ts";
import { Client } from "./client.ts";
import { type Keys, keysOf } from "./keys.ts";
import { Lane, laneField, LANES, memoriesOf, reclaimField } from "./lane.ts";
import { encodeHead, groupCommits, groupLeases, whole } from "./outcome.ts";
import { cancel, type Cancelled } from "./scripts/cancel.ts";
import { load, type Stored } from "./scripts/load.ts";
import { promote } from "./scripts/promote.ts";
import { reclaim } from "./scripts/reclaim.ts";
import { renew } from "./scripts/renew.ts";
import { retire } from "./scripts/retire.ts";
import { type Answer, schedule } from "./scripts/schedule.ts";
import { step } from "./scripts/step.ts";
import { Together } from "./together.ts";
import { Waiter } from "./wait.ts";

/** No script looks at more tasks: Redis does nothing else meanwhile (invariant 41). */
const MOST = 1_000;

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
  readonly #schedules: Together<readonly Call[], readonly Answer[]>;
  readonly #cancels: Together<readonly Target[], readonly Cancelled[]>;
  readonly #loads: Together<readonly string[], readonly Stored[]>;

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
      weigh: weighCalls,
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
    { signal }: Waiting = {},
  ): Promise<readonly Verdict[]> {
    if (calls.length === 0) return [];
    for (const { generation } of calls) expectId(generation, "generation");
    const answers = await this.#schedules.add(calls, signal);
    return answers.map((answer, i) => readVerdict(calls[i].key, answer));
  }

  async cancel(
    targets: readonly Target[],
    { signal }: Waiting = {},
  ): Promise<readonly Cancelled[]> {
    return targets.length === 0 ? [] : await this.#cancels.add(targets, signal);
  }

  async load(keys: readonly string[], { signal }: Waiting = {}): Promise<readonly Found[]> {
    if (keys.length === 0) return [];
    const stored = await this.#loads.add(keys, signal);
    return stored.map((one, i) => readFound(keys[i], one));
  }

  async count({ signal }: Waiting = {}): Promise<number> {
    const patience = { what: "count tasks", signal };
    return await this.#client.command("HLEN", [this.#keys.state], patience) as number;
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
        return {
          committed: readCommitted(brought.verdicts, order),
          claims: readClaims(brought.claims),
          more: want > 0 && brought.seen >= want,
          cursor: from === NEW ? NEW : brought.cursor || from,
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
    const { cursor, claims } = await this.#client.run(prepared, { what: "reclaim tasks", signal });
    return { cursor, claims: readClaims(claims) };
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

  async retire(consumer: string, { signal }: Waiting = {}): Promise<boolean> {
    const memories = memoriesOf(consumer);
    const prepared = retire.call(this.#keys, { consumer }, memories);
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

  async #sendCalls(
    groups: readonly (readonly Call[])[],
    signal?: AbortSignal,
  ): Promise<readonly (readonly Answer[])[]> {
    const rest: string[] = [];
    for (const calls of groups) {
      for (const call of calls) rest.push(call.key, encodeHead(call), call.body);
    }
    const prepared = schedule.call(this.#keys, this.#shared(), rest);
    const answers = await this.#client.run(prepared, {
      what: "schedule tasks",
      unknown: "the tasks may exist",
      failsWhenFull: true,
      signal,
    });
    return share(groups, answers);
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
    const { recordPrefix } = this.#keys;
    const prepared = load.call(this.#keys, { recordPrefix }, groups.flat());
    return share(groups, await this.#client.run(prepared, { what: "load tasks", signal }));
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

  #shared(): { recordPrefix: string; events: string; wake: string; recordTtl: string } {
    const { recordPrefix, events, wake } = this.#keys;
    return { recordPrefix, events, wake, recordTtl: `${this.#recordTtl}` };
  }
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
