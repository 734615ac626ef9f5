/**
 * Who passed a rate when, or will.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";

/** The times of one rate, however many wait for theirs: no question looks at all of them. */
export class Grants {
  readonly #times: { readonly member: string; readonly at: Millis }[] = [];
  readonly #of = new Map<string, Millis>();

  /** How many there are. */
  get size(): number {
    return this.#times.length;
  }

  /** The last of all times. */
  get last(): Millis {
    return this.#times.at(-1)?.at ?? -Infinity;
  }

  /** The time of a member, if it has one. */
  of(member: string): Millis | undefined {
    return this.#of.get(member);
  }

  /** The time after which there are fewer than so many; there must be as many. */
  before(last: number): Millis {
    return this.#times[this.#times.length - last].at;
  }

  /** How many times are no later than an instant. */
  until(instant: Millis): number {
    let count = this.#times.length;
    while (count > 0 && this.#times[count - 1].at > instant) count--;
    return count;
  }

  /** The time of the so-and-so-many-th other before a member's, counted from an instant back. */
  beside(member: string, count: number, instant: Millis): Millis {
    for (let place = this.until(instant) - 1; place >= 0; place--) {
      const time = this.#times[place];
      if (time.member !== member && --count === 0) return time.at;
    }
    return -Infinity;
  }

  /** Takes a member's time back. */
  remove(member: string): void {
    const place = this.#times.findIndex((time) => time.member === member);
    if (place >= 0) this.#times.splice(place, 1);
    this.#of.delete(member);
  }

  /** Gives a member its time, in the place of the one it had. They mostly come in order. */
  add(member: string, at: Millis): void {
    if (this.#of.has(member)) this.remove(member);
    let place = this.#times.length;
    while (place > 0 && this.#times[place - 1].at > at) place--;
    this.#times.splice(place, 0, { member, at });
    this.#of.set(member, at);
  }

  /** Forgets the times up to an instant. */
  forget(until: Millis): void {
    let old = 0;
    while (old < this.#times.length && this.#times[old].at <= until) {
      this.#of.delete(this.#times[old++].member);
    }
    if (old > 0) this.#times.splice(0, old);
  }
}
