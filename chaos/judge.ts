/**
 * Hears a history, event by event, and holds it against the rules of `history.ts`.
 *
 * @module
 */

import type {
  CheckOptions,
  Ending,
  Figures,
  Finding,
  HistoryEvent,
  Of,
  Rule,
  Verdict,
} from "./history.ts";
import { Claims } from "./claims.ts";

/** What is known of one generation. */
interface Generation extends Of {
  /** In the order in which they were heard of. */
  readonly number: number;
  accepted?: "certainly" | "maybe";
  end?: Ending;
  /** The storage told of its end: of that it tells once. */
  told?: boolean;
  /** The last body to begin of each attempt. */
  readonly attempts: Map<number, Body>;
}

/** One body. */
interface Body {
  readonly name: string;
  readonly of: Generation;
  readonly worker: string;
  readonly gate?: { readonly id: string; readonly max: number };
  /** Something happened to its worker, or its claim was taken over: another may begin while it goes on. */
  adrift: boolean;
}

/** How those "ended" that go on. */
const NOT_YET: Ending = { generation: "", state: "cancelled" };

type Event<Kind> = Extract<HistoryEvent, { readonly kind: Kind }>;

/** One history's. */
export class Judge {
  readonly #options: CheckOptions;
  readonly #findings: Finding[] = [];
  readonly #generations = new Map<string, Generation>();
  readonly #byKey = new Map<string, Generation[]>();
  readonly #chains = new Set<string>();
  readonly #bodies = new Map<string, Body>();
  /** Those that are not over. */
  readonly #underWay = new Set<Body>();
  /** Those that have begun, and of whose end nobody has told. */
  readonly #open = new Set<Generation>();
  /** Those that somebody has had cancelled: their bodies know that they are to stop. */
  readonly #cancelled = new Set<Generation>();
  /** Workers that are adrift; `undefined` stands for each of them. */
  readonly #unsteady = new Set<string | undefined>();
  readonly #claims: Claims;
  #runs = 0;
  #duplicates = 0;

  constructor(options: CheckOptions) {
    this.#options = options;
    const { maxDeliveries = Infinity } = options;
    this.#claims = new Claims(maxDeliveries, (rule, of, text) => this.#find(rule, of, text));
  }

  /** Takes the next event. */
  hear(event: HistoryEvent): void {
    switch (event.kind) {
      case "accepted":
        return this.#accepted(event);
      case "started":
        return this.#started(event);
      case "stopped":
        return this.#stopped(event.run);
      case "forsaken":
        return this.#forsaken(event.run);
      case "witnessed":
        return this.#witnessed(event.key, event);
      case "died":
        return this.#died(event.worker);
      case "adrift":
        return this.#adrift(event.worker);
      case "steady":
        return this.#steady(event.worker);
      case "found":
        return this.#found(event);
      case "claimed":
        if (this.#claims.claimed(event)) this.#takenOver(event);
        return;
      case "cancelling":
        this.#cancelled.add(this.#of(event));
        return this.#claims.cancelling(event);
      case "renewed":
        return this.#claims.renewed(event);
      case "left":
        return this.#claims.left(event);
      case "committed":
        return this.#claims.committed(event);
      case "ended":
        return this.#ended(event);
    }
  }

  /** After the last event. */
  verdict(): Verdict {
    for (const generations of this.#byKey.values()) this.#checkEnds(generations);
    const { duplicates = Infinity } = this.#options;
    if (this.#duplicates > duplicates) {
      const text = `${this.#duplicates} runs began again, and ${duplicates} were allowed`;
      this.#findings.push({ rule: "too many duplicates", key: "", text });
    }
    return { findings: this.#findings, figures: this.#figures() };
  }

  #accepted(event: Event<"accepted">): void {
    const generation = this.#of(event);
    if (event.chain) this.#chains.add(event.key);
    if (event.certain !== false) generation.accepted = "certainly";
    else generation.accepted ??= "maybe";
  }

  #started(event: Event<"started">): void {
    const of = this.#of(event);
    const { key, attempt, worker, gate, run } = event;
    const isStale = this.#claims.isStale(key, worker) || this.#isUnsteady(worker);
    const body: Body = { name: run, of, worker, gate, adrift: isStale };
    this.#runs++;
    if (of.told && !isStale) this.#find("ran after its end", of, `${run} began on ${worker}`);
    const before = of.attempts.get(attempt);
    if (before) {
      this.#duplicates++;
      if (!before.adrift && !isStale) {
        const text = `attempt ${attempt} began as ${before.name} on ${before.worker}, ` +
          `and as ${run} on ${worker}`;
        this.#find("run twice", of, text);
      }
    }
    of.attempts.set(attempt, body);
    if (!of.end) this.#open.add(of);
    this.#bodies.set(run, body);
    if (!isStale) this.#checkCompany(body);
    this.#underWay.add(body);
  }

  /** Who runs at the same time, and may not. */
  #checkCompany(body: Body): void {
    const { of, gate } = body;
    let holders = 1;
    for (const other of this.#underWay) {
      if (other.adrift) continue;
      if (gate && other.gate?.id === gate.id) holders++;
      if (other.of.key === of.key) {
        this.#find("overlap", of, `${body.name} began while ${other.name} was still running`);
      }
    }
    if (gate && holders > gate.max) {
      this.#find("over the limit", of, `${body.name} is number ${holders} at gate ${gate.id}`);
    }
  }

  #died(worker: string): void {
    this.#adrift(worker);
    this.#steady(worker);
    for (const body of this.#underWay) if (body.worker === worker) this.#underWay.delete(body);
  }

  #adrift(worker: string | undefined): void {
    this.#unsteady.add(worker);
    for (const body of this.#underWay) body.adrift ||= this.#isUnsteady(body.worker);
    // Those that are over may not be written down.
    for (const of of this.#open) {
      for (const body of of.attempts.values()) body.adrift ||= this.#isUnsteady(body.worker);
    }
  }

  #steady(worker: string | undefined): void {
    this.#unsteady.delete(worker);
  }

  #isUnsteady(worker: string): boolean {
    return this.#unsteady.has(worker) || this.#unsteady.has(undefined);
  }

  #stopped(run: string): void {
    const body = this.#bodies.get(run);
    if (body) this.#underWay.delete(body);
  }

  #forsaken(run: string): void {
    const body = this.#bodies.get(run);
    if (body) body.adrift = true;
  }

  #takenOver({ key }: Of): void {
    for (const body of this.#underWay) {
      if (body.of.key !== key || body.adrift) continue;
      body.adrift = true;
      if (this.#cancelled.has(body.of)) continue;
      this.#find(
        "not told",
        body.of,
        `${body.name} runs on ${body.worker}, and has lost its claim`,
      );
    }
    // Also one that is over, as its end may not have been written down.
    for (const { attempts } of this.#byKey.get(key) ?? []) {
      for (const body of attempts.values()) body.adrift = true;
    }
  }

  #ended(event: Event<"ended">): void {
    const of = this.#of(event);
    if (of.told) {
      return this.#find("ended twice", of, `${of.end?.state}, and then ${event.state}`);
    }
    this.#witnessed(event.key, event);
    of.told = true;
    if (this.#claims.ended(event)) this.#takenOver(event);
  }

  #witnessed(key: string, { generation, state, reason }: Ending): void {
    const of = this.#of({ key, generation });
    if (of.end && of.end.state !== state) {
      this.#find("ended twice", of, `${of.end.state}, and also ${state}`);
    }
    of.end ??= { generation, state, reason };
    this.#open.delete(of);
  }

  #found({ key, live, deferred, ended, dead }: Event<"found">): void {
    if (ended) this.#witnessed(key, ended);
    if (dead) this.#witnessed(key, dead);
    if (deferred !== undefined) this.#stuck(key, deferred, "waits to take another's place");
    if (live === undefined) return;
    if (this.#chains.has(key)) this.#of({ key, generation: live }).end ??= NOT_YET;
    else this.#stuck(key, live, "is live");
  }

  #stuck(key: string, generation: string, what: string): void {
    const of = this.#of({ key, generation });
    this.#find("stuck", of, `it still ${what}`);
    of.end ??= NOT_YET; // said once
  }

  #checkEnds(generations: readonly Generation[]): void {
    const certain = generations.filter(({ accepted }) => accepted === "certainly");
    const last = certain.at(-1);
    for (const of of generations) {
      const began = of.attempts.size > 0;
      const isKnown = of.accepted || this.#chains.has(of.key);
      if (!isKnown) this.#find("unaccepted", of, began ? "it ran" : `it ${of.end?.state}`);
      if (of.end?.state === "completed" && !began) this.#find("not run", of, "it completed");
      if (of.end || !(of.accepted === "certainly" || began)) continue;
      const isCovered = this.#options.ends === "last" && last && last.number > of.number;
      if (!isCovered) {
        this.#find("lost", of, began ? "it began, and never ended" : "it never ended");
      }
    }
  }

  #figures(): Figures {
    const all = [...this.#generations.values()];
    const ended = { completed: 0, failed: 0, cancelled: 0, dead: 0 };
    for (const { end } of all) if (end && end !== NOT_YET) ended[end.state]++;
    return {
      accepted: all.filter(({ accepted }) => accepted).length,
      maybe: all.filter(({ accepted }) => accepted === "maybe").length,
      runs: this.#runs,
      duplicates: this.#duplicates,
      ended,
    };
  }

  #of({ key, generation }: Of): Generation {
    const name = `${generation} ${key}`;
    let of = this.#generations.get(name);
    if (!of) {
      of = { key, generation, number: this.#generations.size, attempts: new Map() };
      this.#generations.set(name, of);
      const others = this.#byKey.get(key);
      if (others) others.push(of);
      else this.#byKey.set(key, [of]);
    }
    return of;
  }

  #find(rule: Rule, { key, generation }: Of, text: string): void {
    this.#findings.push({ rule, key, generation, text });
  }
}
