/**
 * The verbs that callers ask one at a time and that travel together: schedule, cancel, load.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import { ConnectionError, NotReplicatedError } from "../../base/errors.ts";
import { randomId } from "../../base/ids.ts";
import type {
  Call,
  Found,
  Replication,
  Scheduling,
  Storage,
  Target,
  Verdict,
  Waiting,
} from "../contract.ts";
import { OUTDATED, readCancelled, readFound, readVerdict, SCHEDULED, share } from "./answer.ts";
import { MOST_BYTES } from "./limits.ts";
import { encodeHead, expectId } from "./outcome.ts";
import type { Patience, Repeated } from "./client.ts";
import { cancel, type Cancelled } from "./scripts/cancel.ts";
import { load, type Stored } from "./scripts/load.ts";
import { type Answer, schedule } from "./scripts/schedule.ts";
import type { Site } from "./site.ts";
import { Together } from "./together.ts";

/** What one more call weighs besides its bytes, so that there are at most 400 in one script call. */
const CALL_WEIGHT = Math.ceil(MOST_BYTES / 400);

/** So many ways of waiting for replicas are remembered: a program has one or two. */
const MOST_KINDS = 20;

/** What one caller wants scheduled, and which version of the strikes it has looked at. */
interface Scheduled {
  readonly calls: readonly Call[];
  readonly strikes?: string;
  readonly replication?: Replication;
}

/** What became of one caller's calls: one answer for all of them, or one for each. */
type Outcome = "ok" | "outdated" | readonly Answer[];

/** Puts what is asked for in the same turn of the event loop into one script call each. */
export class Requests implements Pick<Storage, "schedule" | "cancel" | "load"> {
  readonly #site: Site;
  readonly #schedules: Together<Scheduled, Outcome>;
  /** Of those that wait for replicas. */
  readonly #replicated = new Map<string, Together<Scheduled, Outcome>>();
  readonly #cancels: Together<readonly Target[], readonly Cancelled[]>;
  readonly #loads: Together<readonly string[], readonly Stored[]>;

  constructor(site: Site) {
    this.#site = site;
    this.#schedules = new Together({
      send: (groups, signal) => this.#sendCalls(groups, signal),
      weigh: ({ calls }) => weighCalls(calls),
      maxItems: 100,
      maxWeight: MOST_BYTES,
      lanes: 2,
      fullLanes: 4, // so that this process prepares some while Redis works on others
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

  async schedule(
    calls: readonly Call[],
    { signal, strikes, replication }: Scheduling = {},
  ): Promise<readonly Verdict[]> {
    if (calls.length === 0) return [];
    for (const { generation } of calls) expectId(generation, "generation");
    const outcome = replication
      ? await this.#alike(replication).add({ calls, strikes, replication }, signal)
      : await this.#schedules.add({ calls, strikes }, signal);
    if (outcome === "ok") return calls.map(() => SCHEDULED);
    if (outcome === "outdated") return calls.map(() => OUTDATED);
    if (outcome.includes("unknown")) {
      throw new ConnectionError(
        `Cannot schedule tasks: ${this.#site.client.url} did not answer in time to tell what became of them; the tasks may exist`,
      );
    }
    return outcome.map((answer, i) => readVerdict(calls[i].key, answer));
  }

  async cancel(
    targets: readonly Target[],
    { signal }: Waiting = {},
  ): Promise<readonly Exclude<Cancelled, "newer">[]> {
    return targets.length === 0 ? [] : readCancelled(await this.#cancels.add(targets, signal));
  }

  async load(
    keys: readonly string[],
    { signal, mark }: Waiting & { readonly mark?: string } = {},
  ): Promise<readonly Found[]> {
    if (mark !== undefined) expectId(mark, "mark");
    else if (keys.length === 0) return [];
    const stored = mark === undefined
      ? await this.stored(keys, signal)
      : await this.#load(keys, mark, signal);
    return stored.map((one, i) => readFound(keys[i], one));
  }

  /** What is stored under each key, at most 200 of them, as the script tells it. */
  stored(keys: readonly string[], signal?: AbortSignal): Promise<readonly Stored[]> {
    return this.#loads.add(keys, signal);
  }

  /** Those travel together who wait for as many replicas, as long: nobody waits along with others. */
  #alike({ replicas, timeout }: Replication): Together<Scheduled, Outcome> {
    const kind = `${replicas} ${timeout}`;
    const known = this.#replicated.get(kind);
    if (known) return known;
    const [oldest] = this.#replicated.keys();
    if (this.#replicated.size >= MOST_KINDS) this.#replicated.delete(oldest);
    const together = new Together<Scheduled, Outcome>({
      send: (groups, signal) => this.#sendCalls(groups, signal),
      weigh: ({ calls }) => weighCalls(calls),
      maxItems: 100,
      maxWeight: MOST_BYTES,
      lanes: 2,
    });
    this.#replicated.set(kind, together);
    return together;
  }

  /**
   * Of callers who have looked at different strikes some have not looked at the newest: only those are sent whose version
   * is the one that was heard of last. Whoever does not mind is never refused.
   */
  async #sendCalls(
    requests: readonly Scheduled[],
    signal?: AbortSignal,
  ): Promise<readonly Outcome[]> {
    const version = newestOf(requests, this.#site.strikes);
    if (requests.every(({ strikes }) => strikes === version)) { // nearly always
      return await this.#schedule(requests, version, signal);
    }
    const isSent = ({ strikes }: Scheduled) => strikes === undefined || strikes === version;
    const outcomes = new Map<Scheduled, Outcome>();
    const send = async (some: readonly Scheduled[], strikes: string | undefined) => {
      const found = await this.#schedule(some, strikes, signal);
      some.forEach((one, i) => outcomes.set(one, found[i]));
    };
    await send(requests.filter(isSent), version);
    const free = requests.filter((one) =>
      one.strikes === undefined && outcomes.get(one) === "outdated"
    );
    if (free.length > 0) await send(free, undefined);
    return requests.map((one) => outcomes.get(one) ?? "outdated");
  }

  async #schedule(
    requests: readonly Scheduled[],
    strikes: string | undefined,
    signal?: AbortSignal,
  ): Promise<readonly Outcome[]> {
    const { client, keys, shared } = this.#site;
    const rest: string[] = [];
    for (const { calls } of requests) {
      for (const call of calls) rest.push(call.key, encodeHead(call), call.body);
    }
    const checks = { strikes: strikes ?? "", checked: strikes !== undefined };
    const invocation = (span?: Millis) => {
      // It may take as long again until it is carried out, where the one before was carried out at once.
      const underWay = span === undefined ? "" : `${Math.ceil(span + client.commandTimeout)}`;
      return schedule.call(keys, { ...shared, ...checks, underWay }, rest);
    };
    const patience = {
      what: "schedule tasks",
      unknown: "the tasks may exist",
      failsWhenFull: true,
      signal,
    };
    const [{ replication }] = requests; // they are alike
    const { answers, newer } = replication
      ? await this.#replicate(invocation, replication, patience)
      : await client.run(invocation, patience);
    if (newer !== undefined) this.#site.strikes = newer;
    if (!answers) return requests.map(() => newer === undefined ? "ok" : "outdated");
    return share(requests.map(({ calls }) => calls), answers);
  }

  async #replicate<Reply>(
    invocation: Repeated<Reply>,
    replication: Replication,
    patience: Patience,
  ): Promise<Reply> {
    const { client, keys } = this.#site;
    const { replicas, timeout } = replication;
    const { reply, acknowledged } = await client.runReplicated(
      invocation,
      replication,
      keys.replicated,
      patience,
    );
    if (acknowledged >= replicas) return reply;
    throw new NotReplicatedError(
      `Cannot ${patience.what} durably: ${client.url}: ${acknowledged} of ${replicas} replicas confirmed within ${timeout} ms; ${patience.unknown}`,
      replicas,
      acknowledged,
    );
  }

  async #sendCancels(
    groups: readonly (readonly Target[])[],
    signal?: AbortSignal,
  ): Promise<readonly (readonly Cancelled[])[]> {
    const { client, keys, shared } = this.#site;
    const args = { ...shared, request: randomId() };
    const rest = groups.flat().flatMap(({ key, generation = "" }) => [key, generation]);
    const answers = await client.run(cancel.call(keys, args, rest), {
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

  #load(names: readonly string[], mark: string, signal?: AbortSignal): Promise<readonly Stored[]> {
    const { client, keys } = this.#site;
    return client.run(load.call(keys, { mark }, names), { what: "load tasks", signal });
  }
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

function weighCalls(calls: readonly Call[]): number {
  let weight = 0;
  for (const { key, body } of calls) weight += CALL_WEIGHT + key.length + body.length;
  return weight;
}
