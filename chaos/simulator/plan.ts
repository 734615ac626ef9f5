/**
 * What is to happen in a simulation, as far as a seed decides it beforehand.
 *
 * @module
 */

import type { Millis } from "../../src/base/clock.ts";
import type { Random } from "./random.ts";
import type { Climate } from "./weather.ts";
import { type Script, type TaskName, TASKS } from "./workload.ts";

/** Something that somebody asks of the docket. */
export type Request =
  & { readonly at: Millis; readonly producer: number; readonly key: string }
  & (
    | {
      readonly kind: "add" | "replace";
      readonly task: TaskName;
      readonly script: Script;
      readonly delay: Millis;
      /** Whether the result is waited for. */
      readonly waits: boolean;
    }
    | { readonly kind: "cancel" }
    | { readonly kind: "strike"; readonly task: TaskName; readonly span: Millis }
  );

/** Something that breaks. `worker`, `producer`: which of those that are there. */
export type Fault =
  & { readonly at: Millis }
  & (
    | { readonly kind: "kill"; readonly worker: number; readonly back: Millis }
    | { readonly kind: "stall"; readonly worker: number; readonly span: Millis }
    | { readonly kind: "stop"; readonly worker: number; readonly back: Millis }
    | { readonly kind: "kill producer"; readonly producer: number }
    | { readonly kind: "outage"; readonly span: Millis }
  );

/** A whole simulation. */
export interface Plan {
  readonly workers: number;
  readonly producers: number;
  readonly concurrency: number;
  readonly maxDeliveries: number;
  readonly lease: Millis;
  /** So often of a hundred times that a task changes its state, it is cancelled at that moment. */
  readonly ambushes: number;
  /** How long an answer may take. */
  readonly patience: Millis;
  readonly climate: Climate;
  readonly requests: readonly Request[];
  readonly faults: readonly Fault[];
  /** When faults are over. */
  readonly end: Millis;
}

/** How much is to happen. */
export interface Scale {
  readonly requests: number;
  readonly span: Millis;
  readonly lease: Millis;
}

/** Each seed has faults of some kinds only: what hides behind one kind shows where that is missing. */
export function planOf(random: Random, { requests, span, lease }: Scale): Plan {
  const keys = random.pick([1, 3, 6]);
  const workers = random.between(1, 3);
  const producers = random.between(1, 3);
  const favourites = weightsOf(random);
  return {
    workers,
    producers,
    lease,
    concurrency: random.between(1, 4),
    maxDeliveries: random.between(2, 5),
    ambushes: random.pick([0, 0, 1, 5]),
    patience: random.pick([lease / 2, lease * 2, lease * 2]),
    climate: climateOf(random, lease),
    requests: Array.from({ length: random.between(requests / 2, requests) }, () => {
      return requestOf(random, random.between(0, span), producers, keys, favourites);
    }).sort(byTime),
    faults: faultsOf(random, span, lease).sort(byTime),
    end: span,
  };
}

/** Whether nobody who lives may lose a lease: nothing breaks but processes, and those for good. */
export function isGentle({ climate, faults }: Plan): boolean {
  return climate.breaks + climate.slow === 0 &&
    faults.every(({ kind }) => kind !== "stall" && kind !== "outage");
}

function byTime(a: { readonly at: Millis }, b: { readonly at: Millis }): number {
  return a.at - b.at;
}

function weightsOf(random: Random): Record<TaskName, number> {
  const weights: Record<TaskName, number> = { ...TASKS };
  const names = Object.keys(weights) as TaskName[];
  if (random.percent(25)) { // a crowd before one or two tasks
    const crowd: readonly TaskName[] = random.percent(50)
      ? [random.pick(names), random.pick(names)]
      : [random.pick(["limited", "single"]), random.pick(["slow", "stubborn"])];
    for (const name of names) if (!crowd.includes(name)) weights[name] = 0;
    return weights;
  }
  for (const name of names) {
    if (random.percent(40)) weights[name] = 0;
    if (random.percent(10)) weights[name] *= 5;
  }
  weights.quick ||= 1;
  return weights;
}

function climateOf(random: Random, lease: Millis): Climate {
  return {
    breaks: random.pick([0, 0, 2, 10, 40]),
    slow: random.pick([0, 0, 4, 15]),
    lostHints: random.pick([0, 0, 20, 100]),
    slowest: random.pick([20, lease, lease * 2]),
  };
}

/** How often each is asked. */
const KINDS = { add: 58, replace: 20, cancel: 20, strike: 2 };

function requestOf(
  random: Random,
  at: Millis,
  producers: number,
  keys: number,
  favourites: Record<TaskName, number>,
): Request {
  const task = random.weigh(favourites);
  const key = `${task}${random.between(1, keys)}`;
  const producer = random.between(0, producers - 1);
  const kind = random.weigh(KINDS);
  switch (kind) {
    case "cancel":
      return { at, producer, key, kind };
    case "strike":
      return { at, producer, key, kind, task, span: random.between(10, 400) };
    case "add":
    case "replace":
      return {
        at,
        producer,
        key,
        kind,
        task,
        script: scriptOf(random, task),
        delay: random.percent(60) ? 0 : random.between(1, 300),
        waits: random.percent(20),
      };
  }
}

function scriptOf(random: Random, task: TaskName): Script {
  const failures = task === "flaky" || task === "single" ? random.pick([0, 1, 1, 2, 3]) : 0;
  switch (task) {
    case "quick":
      return { takes: 0, failures };
    case "slow":
    case "stubborn":
      return { takes: random.between(50, 900), failures };
    default:
      return { takes: random.pick([0, random.between(1, 250)]), failures };
  }
}

function faultsOf(random: Random, span: Millis, lease: Millis): Fault[] {
  const some = (most: number) => random.percent(50) ? 0 : random.between(1, most);
  const at = () => random.between(0, span);
  const worker = () => random.between(0, 2);
  const faults: Fault[] = [];
  const add = (count: number, fault: () => Fault) => {
    for (let i = 0; i < count; i++) faults.push(fault());
  };
  add(some(4), () => ({
    at: at(),
    kind: "kill",
    worker: worker(),
    back: random.between(0, lease),
  }));
  add(some(4), () => ({
    at: at(),
    kind: "stall",
    worker: worker(),
    span: random.between(10, lease * 2.5),
  }));
  add(some(2), () => ({
    at: at(),
    kind: "stop",
    worker: worker(),
    back: random.between(0, lease),
  }));
  add(some(1), () => ({ at: at(), kind: "kill producer", producer: random.between(0, 2) }));
  add(some(2), () => ({ at: at(), kind: "outage", span: random.between(10, lease * 2) }));
  return faults;
}
