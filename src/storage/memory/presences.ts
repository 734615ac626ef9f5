/**
 * Which consumers are advertised, and what they say of themselves.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import type { Presence } from "../contract.ts";

interface Advertised extends Presence {
  readonly until: Millis;
}

/** An advertisement counts until its time is over; nobody needs to take it down. */
export class Presences {
  readonly #presences = new Map<string, Advertised>();

  /** Advertises a consumer for so long; false when there is no text to go on with. */
  advertise(consumer: string, span: Millis, text: string | undefined, now: Millis): boolean {
    const said = text ?? this.#find(consumer, now)?.text;
    if (said === undefined) return false;
    this.#presences.set(consumer, { consumer, seenAt: now, text: said, until: now + span });
    return true;
  }

  /** Takes an advertisement down. */
  withdraw(consumer: string): void {
    this.#presences.delete(consumer);
  }

  /** Whether a consumer is advertised. */
  has(consumer: string, now: Millis): boolean {
    return this.#find(consumer, now) !== undefined;
  }

  /** Who is advertised. Those whose time is over are forgotten. */
  list(now: Millis): Presence[] {
    const presences: Presence[] = [];
    for (const { consumer, seenAt, text, until } of [...this.#presences.values()]) {
      if (until > now) presences.push({ consumer, seenAt, text });
      else this.#presences.delete(consumer);
    }
    return presences;
  }

  #find(consumer: string, now: Millis): Advertised | undefined {
    const advertised = this.#presences.get(consumer);
    return advertised && advertised.until > now ? advertised : undefined;
  }
}
