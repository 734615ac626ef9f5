/**
 * The verbs of workers: claims, leases, settlements.
 *
 * @module
 */

import type { Clock, Millis } from "../../base/clock.ts";
import { ProtocolError } from "../../base/errors.ts";
import {
  type Entry,
  type Lease,
  NEW,
  type Passage,
  type Promotion,
  type Reclaim,
  type ReclaimReply,
  type Renewal,
  type Report,
  type Step,
  type StepReply,
  type Storage,
  type Waiting,
} from "../contract.ts";
import { readClaims, readCommitted, readParked, readPassage, readRenewal } from "./answer.ts";
import { Lane, laneField, LANES, memoriesOf, reclaimField } from "./lane.ts";
import { MOST_REQUESTS, MOST_TASKS } from "./limits.ts";
import {
  encodeEntry,
  encodeProgress,
  expectId,
  groupCommits,
  groupLeases,
  whole,
} from "./outcome.ts";
import { enter } from "./scripts/enter.ts";
import { promote } from "./scripts/promote.ts";
import { reclaim } from "./scripts/reclaim.ts";
import { renew } from "./scripts/renew.ts";
import { report } from "./scripts/report.ts";
import { retire } from "./scripts/retire.ts";
import { step } from "./scripts/step.ts";
import type { Site } from "./site.ts";
import { Waiter } from "./wait.ts";

type Verbs = "step" | "enter" | "wait" | "reclaim" | "renew" | "promote" | "report" | "retire";

/** What workers call, and what is remembered of them: their lanes, and whether a read of theirs broke off. */
export class Work implements Pick<Storage, Verbs> {
  readonly #site: Site;
  readonly #waiter: Waiter;
  readonly #lanes = new Map<string, Lane>();

  constructor(site: Site, clock: Clock) {
    this.#site = site;
    this.#waiter = new Waiter(site.client, clock, site.keys.stream);
  }

  async step(request: Step, { signal }: Waiting = {}): Promise<StepReply> {
    const { consumer, call, token, commits, from, maxDeliveries } = request;
    expectId(token, "token");
    const { client, keys, shared, recordTtl } = this.#site;
    const field = laneField(consumer, expectLane(request.lane));
    const lane = this.#lane(field);
    const want = Math.min(MOST_TASKS, request.want);
    const { rest, order } = groupCommits(commits, recordTtl);
    const tidying = lane.plan(commits.length);
    const args = {
      recordTtl: shared.recordTtl,
      consumer,
      lane: field,
      number: `${call + 1}`, // a lane is opened with 0
      epoch: "",
      token,
      from,
      want: `${want}`,
      maxDeliveries,
      remove: tidying.remove,
      trim: tidying.trim,
    };
    const patience = { what: "take tasks", signal, unknown: "the step may have been taken" };
    for (let opened = false;; opened = true) {
      args.epoch = lane.epoch ||= await this.#open(consumer, field, patience);
      const prepared = step.call(keys, args, rest);
      const brought = await client.run(prepared, patience);
      if (brought !== "old") {
        lane.learn(brought, tidying, commits.length);
        this.#site.strikes = brought.strikes;
        return {
          committed: readCommitted(brought.verdicts, order),
          claims: readClaims(brought.claims),
          more: want > 0 && brought.seen >= want,
          cursor: from === NEW ? NEW : brought.cursor || from,
          strikes: brought.strikes,
          ...readParked(brought.parked),
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
    const most = Math.min(MOST_TASKS, Math.max(1, want));
    return this.#waiter.wait({ consumer, want: most, timeout, signal });
  }

  async reclaim(request: Reclaim, { signal }: Waiting = {}): Promise<ReclaimReply> {
    const { consumer, token, maxDeliveries } = request;
    expectId(token, "token");
    const { client, keys, shared } = this.#site;
    const field = laneField(consumer, 0);
    const lane = this.#lane(field);
    const args = {
      ...shared,
      consumer,
      memory: reclaimField(consumer),
      lane: field,
      epoch: "",
      number: `${++lane.reclaims}`,
      token,
      lease: `${whole(request.lease)}`,
      cursor: request.cursor || "0-0",
      want: `${Math.min(MOST_TASKS, Math.max(1, request.want))}`,
      maxDeliveries,
    };
    const patience = { what: "reclaim tasks", signal };
    for (let opened = false;; opened = true) {
      args.epoch = lane.epoch ||= await this.#open(consumer, field, patience);
      const reclaimed = await client.run(reclaim.call(keys, args), patience);
      if (reclaimed !== "old") {
        this.#site.strikes = reclaimed.strikes;
        const { cursor, claims, strikes, parked } = reclaimed;
        return { cursor, claims: readClaims(claims), strikes, ...readParked(parked) };
      }
      if (opened) {
        throw new ProtocolError("Cannot reclaim: a later request has come before this one");
      }
      lane.epoch = ""; // somebody retired this consumer, or the data was lost
    }
  }

  async renew(
    consumer: string,
    leases: readonly Lease[],
    { signal }: Waiting = {},
  ): Promise<readonly Renewal[]> {
    const { client, keys } = this.#site;
    const renewals: Renewal[] = [];
    for (let from = 0; from < leases.length; from += MOST_TASKS) {
      const some = leases.slice(from, from + MOST_TASKS);
      const { rest, order } = groupLeases(some);
      const prepared = renew.call(keys, { consumer }, rest);
      const letters = await client.run(prepared, { what: "renew leases", signal });
      for (let n = 0; n < order.length; n++) renewals[from + order[n]] = readRenewal(letters[n]);
    }
    return renewals;
  }

  async enter(
    entries: readonly Entry[],
    { signal }: Waiting = {},
  ): Promise<readonly Passage[]> {
    const { client, keys, shared } = this.#site;
    const passages: Passage[] = [];
    for (let from = 0; from < entries.length; from += MOST_REQUESTS) {
      const rest = entries.slice(from, from + MOST_REQUESTS).flatMap(encodeEntry);
      const letters = await client.run(enter.call(keys, shared, rest), {
        what: "enter gates",
        unknown: "they may have been passed",
        signal,
      });
      for (const letter of letters) passages.push(readPassage(letter));
    }
    return passages;
  }

  async promote(limit: number, { signal }: Waiting = {}): Promise<Promotion> {
    const { client, keys } = this.#site;
    const prepared = promote.call(keys, { limit: Math.min(MOST_TASKS, limit) });
    return await client.run(prepared, { what: "promote tasks", signal });
  }

  async report(reports: readonly Report[], { signal }: Waiting = {}): Promise<void> {
    const { client, keys } = this.#site;
    for (let from = 0; from < reports.length; from += MOST_REQUESTS) {
      const rest = reports.slice(from, from + MOST_REQUESTS).flatMap(({ key, token, progress }) => {
        return [key, token, ...encodeProgress(progress)];
      });
      const prepared = report.call(keys, {}, rest);
      await client.run(prepared, { what: "report progress", failsWhenFull: true, signal });
    }
  }

  async retire(consumer: string, { signal }: Waiting = {}): Promise<boolean> {
    const { client, keys } = this.#site;
    const memories = memoriesOf(consumer);
    const prepared = retire.call(keys, { consumer }, memories);
    const gone = await client.run(prepared, { what: "retire a consumer", signal });
    if (gone) {
      for (const field of memories) this.#lanes.delete(field);
      this.#waiter.forget(consumer);
    }
    return gone;
  }

  /** Creates a lane, or joins it; tells its epoch. */
  async #open(
    consumer: string,
    lane: string,
    patience: { readonly what: string; readonly signal?: AbortSignal },
  ): Promise<string> {
    const { client, keys, shared } = this.#site;
    const nothing = { token: "", from: NEW, want: "0", maxDeliveries: 0, remove: "", trim: "" };
    const opening = { ...shared, consumer, lane, number: "0", epoch: "", ...nothing };
    const opened = await client.run(step.call(keys, opening), patience);
    if (opened === "old" || opened.epoch === undefined) {
      throw new ProtocolError("Cannot open a lane: it was refused");
    }
    return opened.epoch;
  }

  #lane(field: string): Lane {
    let lane = this.#lanes.get(field);
    if (!lane) this.#lanes.set(field, lane = new Lane());
    return lane;
  }
}

function expectLane(lane: number): number {
  if (Number.isInteger(lane) && lane >= 0 && lane < LANES) return lane;
  throw new RangeError(`Cannot use lane ${lane}: there are lanes 0 to ${LANES - 1}`);
}
