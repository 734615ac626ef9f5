/**
 * The storage's own machine: carries out what arrives, one request after the other, and writes down what each did.
 *
 * @module
 */

import type { Verb } from "../../src/testing/faulty_storage.ts";
import type {
  Call,
  Change,
  Commit,
  Reclaim,
  ReclaimReply,
  StateChange,
  Step,
  StepReply,
  Storage,
} from "../../src/storage/contract.ts";
import type { Millis } from "../../src/base/clock.ts";
import { randomId } from "../../src/base/ids.ts";
import type { EndState } from "../history.ts";
import type { Chronicle } from "./chronicle.ts";
import type { Timeline } from "./timeline.ts";

const ENDS: ReadonlySet<string> = new Set(["completed", "failed", "cancelled", "dead"]);

/** What a {@linkcode Server} needs. */
export interface ServerOptions {
  readonly storage: Storage;
  readonly timeline: Timeline;
  readonly chronicle: Chronicle;
  /** Whether the generations of a key follow each other by themselves. */
  readonly isChain: (key: string) => boolean;
  /** Hears of keys whose tasks have come to another state, and have not ended. */
  readonly changed?: (key: string) => void;
  /**
   * Whether calls take time, and what they changed is heard some time after them. Then they are made one at a time, so that
   * the order in which they are written down is that in which they were carried out.
   */
  readonly hearsLate?: boolean;
}

/** Calls that the history tells of. */
const TOLD: ReadonlySet<Verb> = new Set<Verb>([
  "schedule",
  "cancel",
  "step",
  "enter",
  "reclaim",
  "renew",
  "retire",
]);

/** What a step did when it arrived first. */
interface Answer {
  readonly committed: string;
  readonly claims: ReadonlySet<string>;
}

/** The only one who talks to the storage. */
export class Server {
  readonly #options: ServerOptions;
  readonly #chronicle: Chronicle;
  readonly #steps = new Map<string, Answer>();
  readonly #reclaims = new Set<string>();
  readonly #claims = new Map<string, { readonly generation: string; readonly worker: string }>();
  readonly #accepted = new Set<string>();
  readonly #keys = new Set<string>();
  readonly #retirements = new Map<string, number>();
  readonly #changes: (StateChange | Extract<Change, { kind: "cancelling" }>)[] = [];
  /** Generations that somebody wants cancelled: their chain ends with them. */
  readonly #stopped = new Set<string>();
  /** The last that ended of each chain. */
  readonly #lastOfChain = new Map<
    string,
    { readonly generation: string; readonly state: string }
  >();
  #turn: Promise<unknown> = Promise.resolve();
  #askedAt: Millis = 0;
  readonly #marks = new Map<string, () => void>();
  /** Answers to requests that were sent again, and were not those of the first time; answers that make no sense. */
  readonly contradictions: string[] = [];

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#chronicle = options.chronicle;
  }

  /** The storage, for what is only looked at. */
  get storage(): Storage {
    return this.#options.storage;
  }

  /** All keys that were ever scheduled. */
  get keys(): readonly string[] {
    return [...this.#keys];
  }

  /** Hears what changes, until the signal aborts. */
  async watch(signal: AbortSignal): Promise<void> {
    await this.storage.watch((change) => this.#hear(change), { signal });
  }

  /** Carries out a request. */
  perform(who: string, verb: Verb, args: readonly unknown[]): Promise<unknown> {
    if (!this.#options.hearsLate || !TOLD.has(verb)) return this.#perform(who, verb, args);
    const done = this.#turn.then(() => this.#perform(who, verb, args));
    this.#turn = done.catch(() => {});
    return done;
  }

  /**
   * What tells a consumer's lanes from those that it had before it signed off: bytes that come later than that are refused.
   * On Redis the epoch in the bytes does it; with the storage in this process no bytes come late.
   */
  epochOf(consumer: string): number {
    return this.#retirements.get(consumer) ?? 0;
  }

  /** Which generation runs under a token. */
  generationOf(key: string, token: string): string {
    return this.#claims.get(`${token} ${key}`)?.generation ?? "?";
  }

  /** Chains that have ended although nobody wanted that (invariant 47). */
  async severed(): Promise<readonly string[]> {
    const keys = [...this.#lastOfChain.keys()];
    const found = await this.storage.load(keys);
    return keys.filter((key, i) => {
      const { generation, state } = this.#lastOfChain.get(key)!;
      const isOver = state === "completed" || state === "failed";
      return isOver && !found[i].live && !this.#stopped.has(generation);
    });
  }

  async #perform(who: string, verb: Verb, args: readonly unknown[]): Promise<unknown> {
    const call = this.storage[verb] as (...args: unknown[]) => Promise<unknown>;
    try {
      if (verb === "schedule") await this.#refuseForgotten(args[0] as readonly Call[]);
      if (TOLD.has(verb)) this.#askedAt = this.#options.timeline.now(); // others go beside it
      const value = await call.apply(this.storage, [...args]);
      if (!TOLD.has(verb)) return value;
      if (this.#options.hearsLate) await this.#catchUp();
      this.#record(verb, args, value);
      this.#flush();
      return value;
    } catch (error) {
      if (error instanceof TypeError) this.contradictions.push(`${verb} failed: ${error.message}`);
      this.#chronicle.note(who, `! ${verb}: ${(error as Error).message}`);
      throw error;
    }
  }

  /** All has been heard that changed until now. */
  async #catchUp(): Promise<void> {
    const mark = randomId();
    const passed = new Promise<void>((resolve) => this.#marks.set(mark, resolve));
    await this.storage.load(["mark"], { mark });
    await passed;
    this.#marks.delete(mark);
  }

  /**
   * A call that is sent again is known by what it left behind, until something later has ended under its key: beyond that
   * nothing is promised, and so nothing is tried.
   */
  async #refuseForgotten(calls: readonly Call[]): Promise<void> {
    for (const { key, generation } of calls) {
      if (!this.#accepted.has(generation)) continue;
      const [{ live, deferred, ended }] = await this.storage.load([key]);
      const isKnown = [live, deferred, ended].some((one) => one?.generation === generation);
      if (!isKnown) throw new Error(`${key} ${this.#g(generation)} is forgotten`);
    }
  }

  #record(verb: Verb, args: readonly unknown[], value: unknown): void {
    switch (verb) {
      case "schedule":
        return this.#scheduled(...pair<"schedule">(args[0], value));
      case "step":
        return this.#stepped(...pair<"step">(args[0], value));
      case "reclaim":
        return this.#reclaimed(...pair<"reclaim">(args[0], value));
      case "renew":
        return this.#renewed(args as Parameters<Storage["renew"]>, value);
      case "retire":
        return value === true ? this.#retired(args[0] as string) : undefined;
      case "enter":
        return this.#entered(...pair<"enter">(args[0], value));
    }
  }

  #scheduled(...[calls, verdicts]: Pair<"schedule">): void {
    calls.forEach(({ key, generation }, i) => {
      const { kind } = verdicts[i];
      this.#keys.add(key);
      if (kind === "scheduled" || kind === "deferred") return this.#accept(key, generation);
      if (this.#accepted.has(generation) && kind === "exists") {
        this.contradictions.push(`${key} ${this.#g(generation)} was accepted, and then refused`);
      }
    });
  }

  #stepped(step: Step, reply: StepReply): void {
    const { consumer, lane, call, token } = step;
    const name = `${consumer} ${lane} ${call}`;
    const first = this.#steps.get(name);
    const committed = JSON.stringify(reply.committed ?? null);
    // Of what the consumer holds besides, a later answer may tell more.
    const own = reply.claims.filter((claim) => claim.token === token);
    const claims = new Set(own.map(({ key }) => key));
    if (first) {
      const isNew = [...claims].some((key) => !first.claims.has(key));
      if (isNew || committed !== first.committed) {
        this.contradictions.push(`step ${lane}/${call} of ${workerOf(consumer)} did more`);
      }
    } else {
      this.#steps.set(name, { committed, claims });
      step.commits.forEach((commit, i) => {
        if (reply.committed?.[i] !== false) this.#committed(commit);
      });
    }
    this.#flush();
    for (const claim of own) this.#claimed(claim, workerOf(consumer));
  }

  /** Its steps are not remembered any longer: one that is late is held off by its epoch. */
  #retired(consumer: string): void {
    this.#retirements.set(consumer, this.epochOf(consumer) + 1);
    for (const name of this.#steps.keys()) {
      if (name.startsWith(`${consumer} `)) this.#steps.delete(name);
    }
  }

  #committed({ key, token }: Commit): void {
    this.#chronicle.tell({ kind: "committed", key, token: this.#t(token) });
  }

  #reclaimed({ consumer, token, lease, cursor }: Reclaim, { claims }: ReclaimReply): void {
    const name = `${token} ${cursor}`;
    const isRepeated = this.#reclaims.has(name);
    this.#reclaims.add(name);
    this.#flush();
    for (const claim of claims) {
      if (claim.token === token) this.#claimed(claim, workerOf(consumer), lease);
      else if (!isRepeated) this.#renew(claim.key, claim.token); // the first answer again keeps nothing
    }
  }

  #claimed(
    { key, generation, token }: Pick<StepReply["claims"][number], "key" | "generation" | "token">,
    worker: string,
    takeover?: number,
  ): void {
    const name = `${token} ${key}`;
    if (this.#claims.has(name)) return; // told again
    this.#claims.set(name, { generation: this.#g(generation), worker });
    const of = { key, generation: this.#g(generation), token: this.#t(token), worker };
    this.#chronicle.tell({ kind: "claimed", ...of, takeover, since: this.#since });
  }

  #renewed([_consumer, leases]: Parameters<Storage["renew"]>, value: unknown): void {
    const renewals = value as Awaited<ReturnType<Storage["renew"]>>;
    leases.forEach(({ key, token }, i) => {
      if (renewals[i] !== "lost") this.#renew(key, token);
    });
  }

  #renew(key: string, token: string): void {
    this.#chronicle.tell({ kind: "renewed", key, token: this.#t(token), since: this.#since });
  }

  /** When the call was made, where that was not just now. */
  get #since(): Millis | undefined {
    return this.#options.hearsLate ? this.#askedAt : undefined;
  }

  #entered(...[entries, passages]: Pair<"enter">): void {
    entries.forEach(({ key, token }, i) => {
      if (passages[i] === "passed" || passages[i] === "fenced") return;
      this.#chronicle.tell({ kind: "left", key, token: this.#t(token) });
    });
  }

  #hear(change: Change): void {
    if (change.kind === "mark") this.#marks.get(change.mark)?.();
    if (change.kind === "state" || change.kind === "cancelling") this.#changes.push(change);
  }

  #flush(): void {
    for (const change of this.#changes.splice(0)) {
      const { key, generation } = change;
      if (change.kind === "cancelling") {
        this.#stopped.add(generation);
        this.#chronicle.tell({ kind: "cancelling", key, generation: this.#g(generation) });
        continue;
      }
      const { state, reason, attempt } = change;
      const isChain = this.#options.isChain(key);
      if (isChain && !this.#accepted.has(generation)) this.#accept(key, generation);
      if (!ENDS.has(state)) {
        this.#chronicle.note("*", `${key} ${this.#g(generation)} is ${state}, attempt ${attempt}`);
        this.#options.changed?.(key);
        continue;
      }
      if (isChain) this.#lastOfChain.set(key, { generation, state });
      const of = { key, generation: this.#g(generation) };
      this.#chronicle.tell({ kind: "ended", ...of, state: state as EndState, reason });
    }
  }

  #accept(key: string, generation: string): void {
    if (this.#accepted.has(generation)) return;
    this.#accepted.add(generation);
    const chain = this.#options.isChain(key) ? true : undefined;
    this.#chronicle.tell({ kind: "accepted", key, generation: this.#g(generation), chain });
  }

  #g(generation: string): string {
    return this.#chronicle.nameOf("g", generation);
  }

  #t(token: string): string {
    return this.#chronicle.nameOf("t", token);
  }
}

type Pair<Name extends Verb> = [Parameters<Storage[Name]>[0], Awaited<ReturnType<Storage[Name]>>];

function pair<Name extends Verb>(asked: unknown, value: unknown): Pair<Name> {
  return [asked, value] as Pair<Name>;
}

/** The name of a worker, without what tells it from others of that name. */
export function workerOf(consumer: string): string {
  return consumer.slice(0, consumer.indexOf("~"));
}
