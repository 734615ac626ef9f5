/**
 * The docket's storage on Redis 6.2 and later, or Valkey. Each verb is a script call and its answer: what callers ask is
 * in `requests.ts`, what workers ask in `work.ts`, the rest in `upkeep.ts`.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Clock, Millis } from "../../base/clock.ts";
import { redactUrls } from "../../base/redact.ts";
import type {
  Call,
  Change,
  Discard,
  EndedTask,
  Entry,
  Examination,
  Found,
  Inspection,
  Lease,
  Notice,
  Passage,
  Presence,
  Promotion,
  Reclaim,
  ReclaimReply,
  Renewal,
  Report,
  Requeue,
  Requeued,
  Scheduling,
  Seed,
  Seeding,
  Step,
  StepReply,
  Storage,
  Survey,
  Sweep,
  Swept,
  Target,
  Verdict,
  Waiting,
} from "../contract.ts";
import type { StorageOptions } from "../open.ts";
import { type Address, readAddress, type Urls } from "./address.ts";
import { Bus } from "./bus.ts";
import { Client } from "./client.ts";
import { Cluster } from "./cluster.ts";
import { Inspector } from "./inspector.ts";
import { keysOf } from "./keys.ts";
import { Requests } from "./requests.ts";
import { Sentinels } from "./sentinels.ts";
import { Site } from "./site.ts";
import { Lonely, type Topology } from "./topology.ts";
import { Upkeep } from "./upkeep.ts";
import { Work } from "./work.ts";

/**
 * Opens the storage of one docket.
 *
 * @throws {ConnectionError} When nobody answers, unless it is opened lazily.
 */
export async function openRedis(urls: Urls, options: StorageOptions): Promise<Storage> {
  const storage = new RedisStorage(urls, options);
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
  readonly #client: Client;
  readonly #requests: Requests;
  readonly #work: Work;
  readonly #upkeep: Upkeep;
  readonly #inspector: Inspector;
  readonly #bus: Bus;

  constructor(
    urls: Urls,
    { docket, clock, recordTtl, commandTimeout, connectTimeout, redis }: StorageOptions,
  ) {
    this.url = redactUrls(urls);
    const keys = keysOf(docket);
    const always = { connectionName: `docket:${docket}`, connectTimeout };
    const address = readAddress(urls, redis, always);
    if (address.named[0].tls?.rejectUnauthorized === false) warnOfAnybody(this.url);
    const client = new Client({
      topology: topologyOf(address, docket, clock),
      docket,
      keys,
      url: this.url,
      clock,
      commandTimeout,
      connectTimeout,
    });
    const site = new Site(client, keys, recordTtl);
    this.#client = client;
    this.#requests = new Requests(site);
    this.#work = new Work(site, clock);
    this.#upkeep = new Upkeep(site, this.#requests);
    this.#inspector = new Inspector(site);
    this.#bus = new Bus({ client, keys, clock, commandTimeout });
  }

  /**
   * Makes sure that somebody answers.
   *
   * @throws {ConnectionError} When nobody does.
   */
  connect(signal?: AbortSignal): Promise<void> {
    return this.#client.open(signal);
  }

  schedule(calls: readonly Call[], options?: Scheduling): Promise<readonly Verdict[]> {
    return this.#requests.schedule(calls, options);
  }

  seed(seeds: readonly Seed[], options?: Waiting): Promise<readonly Seeding[]> {
    return this.#upkeep.seed(seeds, options);
  }

  requeue(requests: readonly Requeue[], options?: Waiting): Promise<readonly Requeued[]> {
    return this.#upkeep.requeue(requests, options);
  }

  discard(discards: readonly Discard[], options?: Waiting): Promise<readonly boolean[]> {
    return this.#upkeep.discard(discards, options);
  }

  clear(
    request: string,
    cursor: string,
    options?: Waiting,
  ): Promise<{ readonly cleared: number; readonly cursor: string }> {
    return this.#upkeep.clear(request, cursor, options);
  }

  cancel(
    targets: readonly Target[],
    options?: Waiting,
  ): Promise<readonly ("cancelled" | "requested" | "none")[]> {
    return this.#requests.cancel(targets, options);
  }

  load(
    keys: readonly string[],
    options?: Waiting & { readonly mark?: string },
  ): Promise<readonly Found[]> {
    return this.#requests.load(keys, options);
  }

  enter(entries: readonly Entry[], options?: Waiting): Promise<readonly Passage[]> {
    return this.#work.enter(entries, options);
  }

  now(options?: Waiting): Promise<Millis> {
    return this.#upkeep.now(options);
  }

  count(options?: Waiting): Promise<number> {
    return this.#upkeep.count(options);
  }

  remaining(options?: Waiting): Promise<number> {
    return this.#upkeep.remaining(options);
  }

  survey(limit: number, options?: Waiting): Promise<Survey> {
    return this.#upkeep.survey(limit, options);
  }

  parked(
    which: "failed" | "dead",
    limit: number,
    options?: Waiting,
  ): Promise<readonly (EndedTask & { readonly key: string })[]> {
    return this.#upkeep.parked(which, limit, options);
  }

  step(step: Step, options?: Waiting): Promise<StepReply> {
    return this.#work.step(step, options);
  }

  wait(
    consumer: string,
    want: number,
    timeout: Millis,
    options?: Waiting,
  ): Promise<string | undefined> {
    return this.#work.wait(consumer, want, timeout, options);
  }

  reclaim(reclaim: Reclaim, options?: Waiting): Promise<ReclaimReply> {
    return this.#work.reclaim(reclaim, options);
  }

  renew(
    consumer: string,
    leases: readonly Lease[],
    options?: Waiting,
  ): Promise<readonly Renewal[]> {
    return this.#work.renew(consumer, leases, options);
  }

  promote(limit: number, options?: Waiting): Promise<Promotion> {
    return this.#work.promote(limit, options);
  }

  report(reports: readonly Report[], options?: Waiting): Promise<void> {
    return this.#work.report(reports, options);
  }

  advertise(
    consumer: string,
    span: Millis,
    text: string | undefined,
    options?: Waiting,
  ): Promise<boolean> {
    return this.#upkeep.advertise(consumer, span, text, options);
  }

  withdraw(consumer: string, options?: Waiting): Promise<void> {
    return this.#upkeep.withdraw(consumer, options);
  }

  workers(options?: Waiting): Promise<readonly Presence[]> {
    return this.#upkeep.workers(options);
  }

  strike(rule: string, struck: boolean, request: string, options?: Waiting): Promise<boolean> {
    return this.#upkeep.strike(rule, struck, request, options);
  }

  strikes(
    options?: Waiting,
  ): Promise<{ readonly version: string; readonly rules: readonly string[] }> {
    return this.#upkeep.strikes(options);
  }

  sweep(sweep: Sweep, options?: Waiting): Promise<Swept> {
    return this.#upkeep.sweep(sweep, options);
  }

  inspect(options?: Waiting): Promise<Inspection> {
    return this.#inspector.inspect(options);
  }

  examine(options?: Waiting & { readonly silence?: Millis }): Promise<Examination> {
    return this.#inspector.examine(options);
  }

  retire(consumer: string, options?: Waiting): Promise<boolean> {
    return this.#work.retire(consumer, options);
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
    await this.#client.close();
  }
}

/** Who knows which server of an address has a docket. */
function topologyOf(address: Address, docket: string, clock: Clock): Topology {
  switch (address.kind) {
    case "server":
      return new Lonely({ name: "", redis: address.named[0] });
    case "sentinels":
      return new Sentinels(address, clock);
    case "cluster":
      return new Cluster(address, docket, clock);
  }
}

function warnOfAnybody(url: string): void {
  getLogger(["docket", "redis"]).warn(
    "The certificate of {url} is not checked, because rejectUnauthorized is false: whoever stands in between reads the " +
      "password, and may run any task; give redis.tls.ca instead",
    { url },
  );
}
