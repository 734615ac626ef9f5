/**
 * The steps of a consumer, one after the other: what they brought, and what is told again when a reply was lost.
 *
 * @module
 */

import { ProtocolError } from "../../base/errors.ts";
import type { Step, StepReply } from "../contract.ts";
import type { Consumer } from "./consumers.ts";
import { claimsOf, type Run } from "./task.ts";

/** The last step of a lane, in case its reply gets lost (invariant 27). */
export interface Lane extends Brought {
  readonly call: number;
  readonly committed: readonly boolean[] | undefined;
}

/** What a step brought its consumer, and where to go on. */
export interface Brought {
  readonly brought: readonly Run[];
  readonly more: boolean;
  readonly cursor: string;
}

/** The first answer again: its reply was lost (invariant 27). Only what is still held under that claim. */
export function repeat({ call }: Step, last: Lane, strikes: string): StepReply {
  if (call === last.call) return reply(last, strikes);
  throw new ProtocolError(
    `Cannot take step ${call}: its lane has already taken step ${last.call}`,
  );
}

/** The answer to a step. */
export function reply({ committed, brought, more, cursor }: Lane, strikes: string): StepReply {
  return { committed, claims: claimsOf(brought), more, cursor, strikes };
}

/** What the consumer holds already, after the claim that the cursor names; `OWN` is the number before the first. */
export function own(consumer: Consumer, cursor: number, want: number): Brought {
  const brought: Run[] = [];
  let more = false;
  for (const task of consumer.held) {
    const run = task.run!;
    if (run.number <= cursor) continue;
    more = brought.length >= want;
    if (more) break;
    brought.push(run);
  }
  return { brought, more, cursor: `${brought.at(-1)?.number ?? cursor}` };
}
