/**
 * The part of a history that only the storage can tell: who held which task, and whether that was right.
 *
 * @module
 */

import type { Millis } from "../src/base/clock.ts";
import type { Looked, Of, Rule } from "./history.ts";

type Event<Kind> = { readonly at?: Millis } & Extract<Looked, { readonly kind: Kind }>;

/** A claim that counts. */
interface Claim extends Of {
  readonly token: string;
  readonly worker: string;
  /** When it was made, or kept last. */
  renewedAt: Millis | undefined;
}

/** All claims of a history. */
export class Claims {
  readonly #find: (rule: Rule, of: Of, text: string) => void;
  readonly #claims = new Map<string, Claim>();
  /** Of each key, the workers that lost a claim of it, and got none since. */
  readonly #losers = new Map<string, Set<string>>();
  readonly #committed = new Map<string, Set<string>>();
  /** How often each task was handed out since it was settled or given back last. */
  readonly #deliveries = new Map<string, number>();
  readonly #cancelled = new Set<string>();
  readonly #maxDeliveries: number;

  constructor(maxDeliveries: number, find: (rule: Rule, of: Of, text: string) => void) {
    this.#maxDeliveries = maxDeliveries;
    this.#find = find;
  }

  /** Whether the worker claimed the task once and has lost it: what it still does counts for nothing. */
  isStale(key: string, worker: string): boolean {
    return this.#losers.get(key)?.has(worker) ?? false;
  }

  /** A new claim; whether it took the task from another. */
  claimed({ key, generation, token, worker, takeover, at, since = at }: Event<"claimed">): boolean {
    const before = this.#claims.get(key);
    if (before) {
      const left = leaseLeft(before, takeover, at);
      if (takeover === undefined || left > 0) {
        const why = takeover === undefined ? "while it counted" : `${left} ms before it ran out`;
        this.#find(
          "claimed over a claim",
          { key, generation },
          `${worker} took it from ${before.worker}, ${why}`,
        );
      }
      this.#lose(before);
    }
    if (this.#cancelled.has(nameOf({ key, generation }))) {
      this.#find("claimed although cancelled", { key, generation }, `${worker} has it`);
    }
    this.#count({ key, generation });
    this.#claims.set(key, { key, generation, token, worker, renewedAt: since });
    this.#losers.get(key)?.delete(worker);
    return before !== undefined;
  }

  /** Nobody gets it any more. */
  cancelling(of: Of): void {
    this.#cancelled.add(nameOf(of));
  }

  renewed({ key, token, at, since = at }: Event<"renewed">): void {
    const claim = this.#claims.get(key);
    if (claim?.token === token) claim.renewedAt = since;
  }

  left({ key, token }: Event<"left">): void {
    if (this.#claims.get(key)?.token === token) this.#settle(key);
  }

  committed({ key, token }: Event<"committed">): void {
    const claim = this.#claims.get(key);
    const generation = claim?.generation ?? "?";
    const tokens = this.#committed.get(key) ?? new Set();
    this.#committed.set(key, tokens);
    if (tokens.has(token)) {
      this.#find("stale commit", { key, generation }, `${token} has settled before`);
    } else if (claim?.token !== token) {
      const instead = claim ? `${claim.worker} holds it under ${claim.token}` : "nobody holds it";
      this.#find("stale commit", { key, generation }, `${token} settled it, and ${instead}`);
    }
    tokens.add(token);
    if (claim?.token === token) this.#settle(key);
  }

  /** A generation is over; whether its claim is with it, without a settlement: its worker is taken for dead. */
  ended({ key, generation }: Of): boolean {
    const claim = this.#claims.get(key);
    if (claim?.generation !== generation) return false;
    this.#lose(claim);
    this.#deliveries.delete(nameOf(claim));
    return true;
  }

  #count(of: Of): void {
    const count = (this.#deliveries.get(nameOf(of)) ?? 0) + 1;
    this.#deliveries.set(nameOf(of), count);
    if (count <= this.#maxDeliveries) return;
    this.#find(
      "handed out too often",
      of,
      `${count} times, where ${this.#maxDeliveries} are allowed`,
    );
  }

  #settle(key: string): void {
    const claim = this.#claims.get(key);
    if (claim) this.#deliveries.delete(nameOf(claim));
    this.#claims.delete(key);
  }

  #lose(claim: Claim): void {
    const { key, worker } = claim;
    this.#claims.delete(key);
    const losers = this.#losers.get(key);
    if (losers) losers.add(worker);
    else this.#losers.set(key, new Set([worker]));
  }
}

function nameOf({ key, generation }: Of): string {
  return `${generation} ${key}`;
}

/** How much of a lease was left; none where it is not known. */
function leaseLeft({ renewedAt }: Claim, lease: Millis | undefined, at: Millis | undefined) {
  if (renewedAt === undefined || lease === undefined || at === undefined) return 0;
  return Math.max(0, renewedAt + lease - at);
}
