/**
 * Does commands to a storage and to the model, and compares everything that can be seen after each.
 *
 * @module
 */

import { ProtocolError } from "../../src/base/errors.ts";
import {
  type Call,
  type Claim,
  type Commit,
  type Due,
  type Entry,
  type Found,
  type Gate,
  type Held,
  type Lease,
  NEW,
  OWN,
  type Passage,
  type Reclaim,
  type Report,
  type Seed,
  type Settlement,
  type Step,
  type Storage,
  type Survey,
} from "../../src/storage/contract.ts";
import {
  type Command,
  describe,
  type Entering,
  type Key,
  KEYS,
  type Outcome,
  type Place,
  type Settling,
  type Tokened,
  type When,
} from "./commands.ts";
import type { Fate } from "./gates.ts";
import { Disagreement, match, type Span } from "./match.ts";
import { Model } from "./model.ts";
import { POOL } from "./pool.ts";
import { KEPT, LONG, PAST_SOON, SOON } from "./times.ts";

/** A fresh storage to play with. */
export interface Ground {
  /** Handles on one docket, as two processes would have. */
  readonly storages: readonly [Storage, Storage];
  /** Whether `wait` sets tasks aside for who waited. */
  readonly setsAside: boolean;
  /**
   * Whether it knows by itself what a run holds. Otherwise it is told at once, by each settlement and with gates that stay
   * the same, since else it finds out no sooner than it sweeps.
   */
  readonly knowsHolders: boolean;
  /** Reads a clock that goes on with the storage's, and how far its reading may be off, in milliseconds. */
  clock(): number;
  readonly blur: number;
  /** Has somebody listen, or nobody any more, if that makes a difference. */
  watch?(on: boolean): Promise<void>;
  /** Shows all that was read to whoever reads next, if the storage has such a pointer. */
  stray?(): Promise<void>;
  /** Breaks something, as a stranger would, if there is something to break. */
  lose?(what: "stream" | "group" | "consumer" | "due", consumer: string): Promise<void>;
  /** Lets time pass. */
  advance(ms: number): Promise<void>;
  /** Throws when anything is left behind. All tasks have ended, all consumers are retired, both handles are closed. */
  check(): Promise<void>;
}

interface Consumer {
  readonly name: string;
  readonly storage: Storage;
  /** The steps of each lane that were sent, and what the last one brought. */
  readonly lanes: Map<number, { readonly sent: Sent[]; readonly brought: readonly Claim[] }>;
  readonly calls: Map<number, number>;
  reclaimed?: { readonly request: Reclaim; readonly brought: readonly Claim[] };
  /** What the last wait set aside, and where to read it. */
  aside?: { readonly keys: readonly string[]; readonly cursor: string };
}

interface Sent {
  readonly step: Step;
  readonly committed: readonly boolean[] | undefined;
}

/** Plays commands on a fresh ground. @throws {Error} With everything that was done, when the storage fails. */
export async function play(commands: readonly Command[], ground: Ground): Promise<void> {
  await using game = new Game(ground);
  const trace: string[] = [];
  try {
    for (const command of commands) {
      trace.push(describe(command));
      const answer = await game.do(command);
      if (answer) trace[trace.length - 1] += `\n        → ${answer}`;
    }
    trace.push("end of all");
    await game.end();
  } catch (error) {
    const lines = trace.map((line, i) => `${`${i + 1}`.padStart(4)}  ${line}`);
    const what = error instanceof Disagreement ? error.message : (error as Error).stack;
    throw new Error(`${what}\n${lines.join("\n")}`);
  }
}

/** More than there ever is to be read. */
const ALL = 1_000;

class Game implements AsyncDisposable {
  readonly #ground: Ground;
  readonly #model = new Model();
  readonly #consumers = new Map<Place, Consumer>();
  readonly #names: string[] = [];
  readonly #requests: (readonly [calls: Call[], strikes: string | undefined])[] = [];
  #seeds: readonly Seed[] = [];
  #entries: readonly Entry[] = [];
  /** What a key came to last, and with which generation. */
  readonly #gates = new Map<
    string,
    { readonly generation: string | undefined; readonly gates: readonly Gate[] }
  >();
  /** The run of a key that passed its gates last. */
  readonly #passed = new Map<string, string>();
  /** Per key, newest last. */
  readonly #tokens = new Map<string, string[]>();
  readonly #generations = new Map<string, string[]>();
  /** Those that took a step, the last first. */
  #lanes: { readonly consumer: Consumer; readonly lane: number }[] = [];
  #reclaimer: Consumer | undefined;
  #ids = 0;
  #since = 0;
  /** Whether things may be shown again that were read. */
  #astray = false;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const storage of this.#ground.storages) await storage[Symbol.asyncDispose]();
  }

  /** Does one command and compares; tells what was answered. */
  async do(command: Command): Promise<string> {
    if ("late" in command && command.late) await this.#ground.advance(PAST_SOON);
    this.#since = this.#ground.clock();
    return await this.#perform(command);
  }

  /** Ends everything; nothing may be left behind. */
  async end(): Promise<void> {
    const [storage] = this.#ground.storages;
    for (let round = 0; round < 2; round++) { // twice: a run may hand over to its replacement
      await storage.cancel(KEYS.map((key) => ({ key })));
      const commits: Commit[] = [];
      for (const { live } of await storage.load(KEYS)) {
        if (live?.token === undefined) continue;
        const settlement = { kind: "completed", text: "", ttl: SOON } as const;
        const leaves = this.#leaves(live.key);
        commits.push({ key: live.key, token: live.token, settlement, leaves });
      }
      if (commits.length > 0) {
        await storage.step(this.#request(this.#consumer(0), 0, { commits, want: 0 }));
      }
    }
    match("count()", 0, await storage.count());
    // What a stranger has shown again is still to be read.
    const { claims } = await storage.step(this.#request(this.#consumer(0), 0, { want: ALL }));
    match("claims when all have ended", 0, claims.length);
    for (const name of this.#names) match(`retire(${name})`, true, await storage.retire(name));
    for (const storage of this.#ground.storages) await storage[Symbol.asyncDispose]();
    try {
      await this.#ground.check();
    } catch (error) {
      throw new Disagreement(`Something is left behind: ${(error as Error).message}`);
    }
  }

  async #perform(command: Command): Promise<string> {
    switch (command.do) {
      case "schedule": {
        const calls = command.wishes.map((wish): Call => ({
          key: wish.key,
          mode: wish.mode,
          due: due(wish.when),
          generation: this.#generation(wish.key),
          body: this.#text(),
        }));
        const { version } = this.#model;
        const { strikes } = command;
        const known = strikes === "any" ? undefined : strikes === "old" ? "old" : version;
        const sent = this.#owesSweep ? calls.slice(0, 1) : calls;
        this.#requests.unshift([sent, known]);
        return await this.#schedule(sent, known);
      }
      case "schedule again":
        return await this.#schedule(...this.#requests[command.ago] ?? [undefined, undefined]);
      case "seed":
        this.#seeds = command.keys.map((key) => {
          const generation = this.#generation(key);
          return { key, generation, due: due(command.when), body: this.#text() };
        });
        return await this.#seed();
      case "seed again":
        return this.#seeds.length === 0 ? "nothing was seeded yet" : await this.#seed();
      case "requeue":
        return await this.#requeue(command);
      case "discard":
        return await this.#discard(command);
      case "clear":
        return await this.#clear(command);
      case "report":
        return await this.#report(command);
      case "strike":
        return await this.#strike(command);
      case "sweep":
        return await this.#sweep();
      case "lose": {
        const { name } = this.#consumer(command.place);
        if (!this.#ground.lose) return "there is nothing to lose";
        await this.#ground.lose(command.what, name);
        this.#astray ||= command.what === "group";
        return await this.#sweep((now, seen) => {
          if (command.what === "consumer") this.#model.lose(now, seen, name);
          else if (command.what !== "due") this.#model.lose(now, seen);
        });
      }
      case "cancel":
        return await this.#cancel(command);
      case "step":
        return await this.#step(command);
      case "step again":
        return await this.#stepAgain(command);
      case "reclaim":
        return await this.#reclaim(command);
      case "reclaim again":
        return await this.#reclaimAgain();
      case "enter":
        this.#entries = command.entries.slice(0, this.#owesSweep ? 1 : undefined).map(
          (entering) => {
            const lease = this.#lease(entering);
            return { ...lease, gates: this.#gatesOf(lease.key, entering), ttl: KEPT };
          },
        );
        return await this.#enter();
      case "enter again":
        return this.#entries.length === 0 ? "nobody entered yet" : await this.#enter();
      case "renew":
        return await this.#renew(command);
      case "promote": {
        const reply = await this.#ground.storages[1].promote(command.limit);
        const { now, seen } = await this.#look();
        const { promoted, waiting } = this.#model.promote(command.limit, now, seen);
        match("promoted", promoted, reply.promoted);
        match("whether a next is named", waiting, reply.next !== undefined);
        this.#compare(seen);
        return `${promoted}`;
      }
      case "wait":
        return await this.#wait(command);
      case "advance":
        await this.#ground.advance(PAST_SOON);
        return "";
      case "watch":
        await this.#ground.watch?.(command.on);
        return "";
      case "stray":
        if (!this.#ground.stray) return "there is no pointer";
        if (!this.#model.stray()) return "not now";
        await this.#ground.stray();
        this.#astray = true;
        return "";
      case "crash":
        this.#forget(command.place);
        return "";
      case "retire": {
        const { name, storage } = this.#consumer(command.place);
        const retired = await storage.retire(name);
        const { seen } = await this.#look();
        match("retired", this.#model.retire(name), retired);
        if (retired) this.#forget(command.place);
        this.#compare(seen);
        return `${retired}`;
      }
    }
  }

  // ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #schedule(
    calls: readonly Call[] | undefined,
    strikes: string | undefined,
  ): Promise<string> {
    if (!calls) return "nothing was scheduled yet";
    const verdicts = await this.#ground.storages[0].schedule(calls, { strikes });
    const { now, seen } = await this.#look();
    match("verdicts", this.#model.schedule(calls, strikes, now, seen), verdicts);
    this.#compare(seen);
    return verdicts.map(({ kind }) => kind).join(", ");
  }

  async #seed(): Promise<string> {
    const seedings = await this.#ground.storages[1].seed(this.#seeds);
    const { now, seen } = await this.#look();
    match("seedings", this.#model.seed(this.#seeds, now, seen), seedings);
    this.#compare(seen);
    return seedings.join(", ");
  }

  async #requeue(
    { key, which, twice }: Extract<Command, { do: "requeue" }>,
  ): Promise<string> {
    const lost = which === "another" ? undefined : this.#model.lost(key, which);
    const other = KEYS.find((other) => which !== "another" && this.#model.lost(other, which));
    if (!lost && other) return await this.#requeue({ do: "requeue", key: other, which, twice });
    const request = { key, generation: lost ?? id("g", 0), as: this.#generation(key) };
    if (twice) await this.#ground.storages[0].requeue([request]);
    const answers = await this.#ground.storages[0].requeue([request]);
    const { now, seen } = await this.#look();
    match("answers", this.#model.requeue([request], now, seen), answers);
    this.#compare(seen);
    return answers.map(({ kind }) => kind).join(", ");
  }

  async #discard({ key, which }: Extract<Command, { do: "discard" }>): Promise<string> {
    const keys = which === "another" ? [] : [key, ...KEYS];
    const lost = keys.find((key) => which !== "another" && this.#model.lost(key, which));
    const generation = lost && which !== "another" && this.#model.lost(lost, which);
    const discards = [{ key: lost ?? key, generation: generation || id("g", 0) }];
    const answers = await this.#ground.storages[1].discard(discards);
    const { seen } = await this.#look();
    match("answers", this.#model.discard(discards), answers);
    this.#compare(seen);
    return `${answers}`;
  }

  async #clear({ twice }: Extract<Command, { do: "clear" }>): Promise<string> {
    const request = id("c", ++this.#ids);
    if (twice) await this.#ground.storages[1].clear(request, "");
    const { cleared, cursor } = await this.#ground.storages[1].clear(request, "");
    const { seen } = await this.#look();
    match("cleared", this.#model.clear(seen), cleared);
    match("cursor", "", cursor);
    this.#compare(seen);
    return `${cleared}`;
  }

  async #report({ leases, message }: Extract<Command, { do: "report" }>): Promise<string> {
    const reports = leases.map((lease): Report => {
      const progress = { current: ++this.#ids, total: 0.5 };
      return {
        ...this.#lease(lease),
        progress: message ? { ...progress, message: this.#text() } : progress,
      };
    });
    await this.#ground.storages[0].report(reports);
    const { seen } = await this.#look();
    this.#model.report(reports);
    this.#compare(seen);
    return "";
  }

  async #strike(
    { rule, struck, twice }: Extract<Command, { do: "strike" }>,
  ): Promise<string> {
    const [storage, other] = this.#ground.storages;
    const request = id("v", ++this.#ids);
    const text = `rule ${rule}|\n`;
    const first = twice ? await storage.strike(text, struck, request) : undefined;
    const changed = await storage.strike(text, struck, request);
    match("changed", this.#model.strike(text, struck, request), changed);
    if (twice) match("changed the first time", changed, first);
    const { version, rules } = await other.strikes();
    match("version", this.#model.version, version);
    match("rules", this.#model.rules.sort().join(), rules.toSorted().join());
    return `${changed}`;
  }

  /** A whole pass over everything, which ends after a call that finds nothing at the end of it. */
  async #sweepAll(): Promise<number> {
    const [storage] = this.#ground.storages;
    let repaired = 0;
    for (let calls = 0, calm = 0; calm < 2; calls++) {
      if (calls > 50) throw new Disagreement("sweep() finds no end");
      const swept = await storage.sweep({ limit: 100, pause: 0, silence: LONG });
      match("retired", 0, swept.retired);
      repaired += swept.repaired;
      calm = swept.repaired === 0 ? calm + 1 : 0;
    }
    return repaired;
  }

  async #sweep(lose?: (now: Span, seen: (key: string) => Found) => void): Promise<string> {
    const repaired = await this.#sweepAll();
    const { now, seen } = await this.#look();
    lose?.(now, seen);
    this.#compare(seen);
    return `${repaired} repaired`;
  }

  async #cancel({ targets }: Extract<Command, { do: "cancel" }>): Promise<string> {
    const wanted = targets.map(({ key, which }) => {
      if (which === "any") return { key };
      const generation = which === "old"
        ? this.#generations.get(key)?.at(-2)
        : this.#model.generation(key, which);
      return { key, generation: generation ?? id("g", 0) };
    });
    const answers = await this.#ground.storages[1].cancel(wanted);
    const { seen } = await this.#look();
    match("answers", this.#model.cancel(wanted, seen), answers);
    this.#compare(seen);
    return answers.join(", ");
  }

  async #step(command: Extract<Command, { do: "step" }>): Promise<string> {
    const consumer = this.#consumer(command.place);
    const { aside } = consumer;
    const from = command.from === "own"
      ? OWN
      : command.from === "aside"
      ? aside?.cursor ?? NEW
      : NEW;
    if (command.from === "aside") consumer.aside = undefined;
    const { lane, maxDeliveries } = command;
    // What is left of settled tasks may be shown again, too: it comes to nothing, but takes the place of others.
    const room = this.#astray && command.want > 0 ? ALL : command.want;
    const step = this.#request(consumer, lane, {
      commits: command.commits.map((settling) => this.#commit(settling)),
      // Reading what it holds, it has room for all of it.
      want: from === NEW ? room : KEYS.length,
      from,
      maxDeliveries,
    });

    const reply = await consumer.storage.step(step);
    const { now, seen } = await this.#look();
    const sure = (key: string) => from === OWN || aside!.keys.includes(key);
    const expected = from === NEW
      ? this.#model.step(step, now, seen)
      : { ...this.#model.own(step, sure, keysOf(reply.claims), now, seen), late: 0 };
    match("committed", expected.committed, reply.committed);
    match("strikes", this.#model.version, reply.strikes);
    this.#take(expected.claims as Claim[], reply.claims);
    if (from === NEW && step.want > 0 && !reply.more) {
      this.#astray = false;
      const { count } = this.#model.ready(0);
      match("tasks that are ready, and no more are said to be,", expected.late, count);
    }
    this.#compare(seen);
    const sent = [{ step, committed: reply.committed }, ...consumer.lanes.get(lane)?.sent ?? []];
    consumer.lanes.set(lane, { sent, brought: reply.claims });
    this.#lanes = [
      { consumer, lane },
      ...this.#lanes.filter((other) => other.consumer !== consumer || other.lane !== lane),
    ];
    return answer(reply.claims, reply.committed);
  }

  async #stepAgain(
    { back, old }: Extract<Command, { do: "step again" }>,
  ): Promise<string> {
    const last = this.#lanes[back];
    if (!last) return "no such step was taken";
    const { consumer: { name, storage, lanes }, lane } = last;
    const { sent, brought } = lanes.get(lane)!;
    if (old && sent.length === 1) return "it is the lane's only one";
    const { step, committed } = sent[old ? 1 : 0];
    if (old) {
      const refused = await storage.step(step).then(() => false, isRefusal);
      match("whether the old step is refused", true, refused);
      const { now, seen } = await this.#look();
      this.#model.again(name, [], [], now);
      this.#compare(seen);
      return "refused";
    }
    const reply = await storage.step(step);
    const { now, seen } = await this.#look();
    match("committed", committed, reply.committed);
    const first = brought.filter(({ token }) => step.from !== NEW || token === step.token);
    const still = this.#model.again(name, first, reply.claims, now);
    this.#take(still as unknown as Claim[], reply.claims);
    this.#compare(seen);
    return answer(reply.claims, reply.committed);
  }

  async #reclaim(command: Extract<Command, { do: "reclaim" }>): Promise<string> {
    const consumer = this.#consumer(command.place);
    const request: Reclaim = {
      consumer: consumer.name,
      token: id("t", ++this.#ids),
      lease: command.lease === "short" ? SOON : LONG,
      cursor: "",
      want: command.want,
      maxDeliveries: command.maxDeliveries,
    };
    const brought: Claim[] = [];
    let last = request;
    let reply = await consumer.storage.reclaim(request);
    brought.push(...reply.claims);
    for (let calls = 1; command.everything && reply.cursor !== ""; calls++) {
      if (calls > 100) throw new Disagreement("reclaim() finds no end");
      last = { ...request, cursor: reply.cursor };
      reply = await consumer.storage.reclaim(last);
      brought.push(...reply.claims);
    }
    if (reply.claims.length > command.want) throw new Disagreement("reclaim() took too much");
    consumer.reclaimed = { request: last, brought: reply.claims };
    this.#reclaimer = consumer;
    return await this.#tookOver(request, reply.cursor === "", brought);
  }

  async #tookOver(request: Reclaim, everything: boolean, claims: readonly Claim[]) {
    const { now, seen } = await this.#look();
    const brought = keysOf(claims);
    this.#take(
      this.#model.reclaim(request, everything, brought, now, seen) as unknown as Claim[],
      claims,
    );
    this.#compare(seen);
    return answer(claims);
  }

  async #reclaimAgain(): Promise<string> {
    const consumer = this.#reclaimer;
    if (!consumer?.reclaimed) return "nobody did yet";
    const { name, storage, reclaimed: { request, brought } } = consumer;
    const { claims } = await storage.reclaim(request);
    // One that brought nothing did nothing: then it may as well do its work now.
    if (brought.length === 0) {
      consumer.reclaimed = { request, brought: claims };
      return await this.#tookOver(request, false, claims);
    }
    const { now, seen } = await this.#look();
    const taken = brought.filter(({ token }) => token === request.token);
    this.#take(this.#model.again(name, taken, claims, now) as unknown as Claim[], claims);
    this.#compare(seen);
    return answer(claims);
  }

  async #enter(): Promise<string> {
    const passages = await this.#ground.storages[0].enter(this.#entries);
    const { now, seen } = await this.#look();
    const fates = passages.map((passage, i) => fateOf(passage, seen(this.#entries[i].key)));
    for (const [i, { key, token }] of this.#entries.entries()) {
      if (passages[i] === "passed") this.#passed.set(key, token);
    }
    match("passages", this.#model.enter(this.#entries, fates, now, seen), passages);
    this.#compare(seen);
    return passages.join(", ");
  }

  async #renew(command: Extract<Command, { do: "renew" }>): Promise<string> {
    const leases = command.leases.map((lease) => this.#lease(lease));
    const { place = 0 } = command;
    const { name: other, storage } = this.#consumer(place);
    const name = command.place === undefined ? this.#model.runner(leases[0].key) ?? other : other;
    if (command.twice) await storage.renew(name, leases);
    const renewals = await storage.renew(name, leases);
    const { now, seen } = await this.#look();
    match("renewals", this.#model.renew(name, leases, now), renewals);
    this.#compare(seen);
    return renewals.join(", ");
  }

  async #wait({ place, want }: Extract<Command, { do: "wait" }>): Promise<string> {
    const consumer = this.#consumer(place);
    const { count, certain } = this.#model.ready(want);
    if (count === 0) return "nothing is ready";
    if (this.#astray) return "not now";
    const room = certain ? want : count;
    const signal = AbortSignal.timeout(5_000); // memory cannot miss an arrival, and waits for ever
    const cursor = await consumer.storage.wait(consumer.name, room, 1_000, { signal });
    const { now, seen } = await this.#look();
    if (cursor === undefined) throw new Disagreement("nothing came, and something is ready");
    if (this.#ground.setsAside) {
      consumer.aside = { keys: this.#model.wait(consumer.name, room, now), cursor };
    }
    this.#compare(seen);
    return consumer.aside ? `set aside ${consumer.aside.keys.join(", ")}` : "something came";
  }

  // ── Comparing ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether somebody may leave of whom the storage does not know what it holds: who comes in for it shows no sooner. */
  get #owesSweep(): boolean {
    return !this.#ground.knowsHolders && this.#model.hasLostHolders;
  }

  /** What is there after a verb, and between which readings of the clock it worked. */
  async #look(): Promise<{ now: Span; seen: (key: string) => Found }> {
    if (this.#owesSweep) await this.#sweepAll();
    const { clock, blur, storages: [storage] } = this.#ground;
    const now = { from: this.#since - blur, to: clock() + blur };
    const [all, count, remaining, survey, failed, dead] = await Promise.all([
      storage.load(KEYS),
      storage.count(),
      storage.remaining(),
      storage.survey(10),
      storage.parked("failed", 10),
      storage.parked("dead", 10),
    ]);
    this.#others = { count, remaining, survey, failed, dead };
    const found = new Map<string, Found>(KEYS.map((key, i) => [key, all[i]]));
    return { now, seen: (key) => found.get(key)! };
  }

  #others?: {
    readonly count: number;
    readonly remaining: number;
    readonly survey: Survey;
    readonly failed: readonly { readonly key: string }[];
    readonly dead: readonly { readonly key: string }[];
  };

  #compare(seen: (key: string) => Found): void {
    for (const key of KEYS) match(`load(${key})`, this.#model.found(key), seen(key));
    const { count, remaining, survey, failed, dead } = this.#others!;
    match("count()", this.#model.count, count);
    match("remaining()", this.#model.remaining, remaining);
    match("survey().counts", this.#model.counts, survey.counts);
    for (const state of ["scheduled", "queued", "running"] as const) {
      for (const task of survey[state]) {
        match(`survey().${state}.${task.key}`, this.#model.found(task.key).live, task);
      }
      match(`survey().${state}.length`, survey.counts[state], survey[state].length);
    }
    const inLine = survey.inLine.map(({ key }) => key);
    match(`survey().inLine ${inLine} may stand so`, true, this.#model.areInLine(inLine));
    for (const task of survey.inLine) {
      match(`survey().inLine.${task.key}`, this.#model.found(task.key).live, task);
    }
    for (const [which, parked] of Object.entries({ failed, dead })) {
      const keys = this.#model.parked(which as "failed" | "dead");
      match(`parked("${which}")`, keys.sort().join(), [...keysOf(parked)].sort().join());
    }
  }

  /** In which order claims come is not compared; that the right ones come is. */
  #take(expected: readonly Claim[], actual: readonly Claim[]): void {
    const byKey = (claims: readonly Claim[]) =>
      claims.toSorted((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
    match("claims", byKey(expected), byKey(actual));
    for (const { key, token } of actual) {
      const tokens = this.#tokens.get(key) ?? [];
      if (tokens.at(-1) !== token) tokens.push(token);
      this.#tokens.set(key, tokens);
    }
  }

  // ── Filling in ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #consumer(place: Place): Consumer {
    let consumer = this.#consumers.get(place);
    if (!consumer) {
      const name = `consumer ${place} no. ${++this.#ids}`;
      const storage = this.#ground.storages[place % 2];
      consumer = { name, storage, lanes: new Map(), calls: new Map() };
      this.#consumers.set(place, consumer);
      this.#names.push(name);
    }
    return consumer;
  }

  #forget(place: Place): void {
    const consumer = this.#consumers.get(place);
    this.#consumers.delete(place);
    this.#lanes = this.#lanes.filter((lane) => lane.consumer !== consumer);
    if (this.#reclaimer === consumer) this.#reclaimer = undefined;
  }

  #request(consumer: Consumer, lane: number, parts: Partial<Step>): Step {
    const call = (consumer.calls.get(lane) ?? 0) + 1;
    consumer.calls.set(lane, call);
    const token = id("t", ++this.#ids);
    const defaults = { commits: [], want: 0, from: NEW, maxDeliveries: 5 };
    return { ...defaults, ...parts, consumer: consumer.name, lane, call, token };
  }

  #commit(settling: Settling): Commit {
    const { key, token } = this.#lease(settling);
    const settlement = this.#settlement(key, settling.outcome);
    const leaves = this.#leaves(key);
    const { id, max } = POOL[leaves.some(({ id }) => id === POOL.one.id) ? "two" : "one"];
    return {
      key,
      token,
      settlement,
      leaves: settling.leavesMore ? [...leaves, { id, max }] : leaves,
    };
  }

  /** The limits that a task holds, as a worker says that it leaves them: those that it has passed itself. */
  #leaves(key: string): Held[] {
    const passed = this.#passed.get(key) === this.#model.token(key);
    if (this.#ground.knowsHolders && !passed) return [];
    const limits = [POOL.one, POOL.two].filter(({ id }) => this.#model.holds(key).includes(id));
    return limits.map(({ id, max }) => ({ id, max }));
  }

  #settlement(key: Key, { kind, when, record }: Outcome): Settlement {
    const ttl = record ? KEPT : 0;
    const text = this.#ending();
    switch (kind) {
      case "completed":
      case "failed":
        return { kind, text, ttl };
      case "stops":
        return { kind: record ? "completed" : "failed", text, ttl, stops: true };
      case "cancelled":
        return { kind, text, ttl, reason: "struck" };
      case "dead":
        return { kind, text };
      case "retried":
      case "released":
        return { kind, due: due(when) };
      case "held":
        return { kind: "released", due: due(when), held: true };
      case "chain":
      case "skipped chain": {
        const next = { generation: this.#generation(key), due: due(when), body: this.#text() };
        if (kind === "skipped chain") {
          return { kind: "succeeded", state: "cancelled", reason: "struck", text, ttl, ...next };
        }
        const state = record ? "completed" : "failed";
        return { kind: "succeeded", state, text, ttl, ...next };
      }
    }
  }

  #lease({ key, token }: Tokened): Lease & { readonly key: Key } {
    const current = this.#model.token(key);
    const running = KEYS.filter((other) => this.#model.token(other));
    if ((token === "current" || token === "part") && !current && running.length > 0) {
      return this.#lease({ key: running[KEYS.indexOf(key) % running.length], token });
    }
    const past = this.#tokens.get(key) ?? [];
    const found = token === "current" || token === "part"
      ? current ?? past.at(-1)
      : token === "old"
      ? past.findLast((old) => old !== current)
      : KEYS.map((other) => this.#model.token(other)).find((other) => other && other !== current);
    const whole = found ?? id("t", 0);
    return { key, token: token === "part" ? whole.slice(0, -1) : whole };
  }

  /** Unless the storage knows what it holds, a generation comes to the gates that it came to first. */
  #gatesOf(key: Key, { gates, again }: Entering): readonly Gate[] {
    const last = this.#gates.get(key);
    const generation = this.#model.generation(key, "live");
    const bound = !this.#ground.knowsHolders && last?.generation === generation;
    const wanted = last && (again || bound) ? last.gates : gates.map((name) => POOL[name]);
    this.#gates.set(key, { generation, gates: wanted });
    return wanted;
  }

  #generation(key: Key): string {
    const generation = id("g", ++this.#ids);
    this.#generations.set(key, [...this.#generations.get(key) ?? [], generation]);
    return generation;
  }

  /** The text of an ending, which half the time begins with an attempt, the first or second, and a start. */
  #ending(): string {
    const text = this.#text();
    return this.#ids % 2 === 0 ? `${1 + this.#ids / 2 % 2}|${this.#ids}|${text}` : text;
  }

  /** Something to recognise, with all that could be mistaken for a separator. */
  #text(): string {
    return `${++this.#ids}|"{}"|\n🦊|`;
  }
}

function id(letter: string, number: number): string {
  return `${letter}${number}`.padEnd(22, "_");
}

function due(when: When): Due {
  switch (when) {
    case "now":
      return undefined;
    case "past":
      return { at: 1_000 };
    case "soon":
      return { after: SOON };
    case "far":
      return { at: Date.UTC(2100, 0, 1) };
  }
}

function fateOf(passage: Passage, { live }: Found): Fate {
  if (passage === "parked") return live?.state === "scheduled" ? "later" : "line";
  return passage === "dropped" ? "dropped" : "passed";
}

function keysOf(claims: readonly { readonly key: string }[]): ReadonlySet<string> {
  return new Set(claims.map(({ key }) => key));
}

function answer(claims: readonly Claim[], committed?: readonly boolean[]): string {
  const verdicts = committed
    ? `${committed.map((yes) => yes ? "settled" : "fenced").join(", ")}; `
    : "";
  return `${verdicts}has ${claims.map(({ key }) => key).join(", ") || "nothing"}`;
}

function isRefusal(error: unknown): true {
  if (error instanceof ProtocolError) return true;
  throw error;
}
