/**
 * Random sequences of commands.
 *
 * @module
 */

import fc from "fast-check";
import {
  type Command,
  type Entering,
  type Key,
  KEYS,
  type Outcome,
  type Place,
  type Settling,
  type Token,
  type When,
  type Wish,
} from "./commands.ts";
import { ENTRIES } from "./pool.ts";

const key = fc.constantFrom(...KEYS);
const place = fc.constantFrom<Place[]>(0, 1, 2);
const lane = fc.constantFrom(0, 1);
const late = fc.boolean();
const maxDeliveries = fc.constantFrom(5, 5, 5, 5, 2, 2, 1, 1, 0);
const when = fc.constantFrom<When[]>("now", "now", "now", "soon", "soon", "past", "far");
const token = fc.constantFrom<Token[]>(
  "current",
  "current",
  "current",
  "current",
  "current",
  "current",
  "part",
  "old",
  "old",
  "another's",
  "another's",
);

const wish = fc.record<Wish>({ key, mode: fc.constantFrom("add", "replace"), when });
const steps = { place, lane, maxDeliveries };

const settling = fc.record<Settling>({
  key,
  token,
  outcome: fc.record<Outcome>({
    kind: fc.constantFrom(
      "completed",
      "completed",
      "completed",
      "failed",
      "cancelled",
      "dead",
      "retried",
      "retried",
      "released",
      "held",
      "held",
      "stops",
      "chain",
      "chain",
      "skipped chain",
    ),
    when,
    record: fc.boolean(),
  }),
  leavesMore: fc.constantFrom(false, false, false, true),
});

const gates = fc.constantFrom(...ENTRIES);
const entering = fc.record<Entering>({
  key,
  token,
  gates,
  again: fc.constantFrom(true, true, false),
});

function some<T>(one: fc.Arbitrary<T>, minLength: number): fc.Arbitrary<T[]> {
  return fc.array(one, { minLength, maxLength: 3 });
}

function command<const Name extends Command["do"]>(
  name: Name,
  parts: {
    [Part in Exclude<keyof Extract<Command, { do: Name }>, "do">]: fc.Arbitrary<
      Extract<Command, { do: Name }>[Part]
    >;
  },
): fc.Arbitrary<Command> {
  return fc.record({ do: fc.constant(name), ...parts }) as unknown as fc.Arbitrary<Command>;
}

/** All that can be done. */
const anything = fc.oneof(
  {
    weight: 10,
    arbitrary: command("schedule", {
      wishes: some(wish, 1),
      strikes: fc.constantFrom("any", "present", "present", "present", "old"),
    }),
  },
  { weight: 3, arbitrary: command("schedule again", { ago: fc.constantFrom(0, 0, 1, 2) }) },
  {
    weight: 3,
    arbitrary: command("cancel", {
      targets: some(
        fc.record({ key, which: fc.constantFrom("any", "live", "deferred", "old") }),
        1,
      ),
    }),
  },
  {
    weight: 12,
    arbitrary: command("step", {
      ...steps,
      commits: fc.oneof(fc.constant([]), some(settling, 1)),
      want: fc.constantFrom(0, 1, 2, 2, 3, 3),
      from: fc.constantFrom("new", "new", "new", "new", "own", "aside"),
    }),
  },
  {
    weight: 4,
    arbitrary: command("step again", {
      back: fc.constantFrom(0, 0, 0, 1, 2),
      old: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 4,
    arbitrary: command("reclaim", {
      place,
      lease: fc.constantFrom("short", "short", "long"),
      want: fc.integer({ min: 1, max: 3 }),
      maxDeliveries,
      everything: fc.boolean(),
      late,
    }),
  },
  { weight: 3, arbitrary: command("reclaim again", {}) },
  { weight: 5, arbitrary: command("enter", { entries: some(entering, 1) }) },
  { weight: 1, arbitrary: command("enter again", {}) },
  {
    weight: 3,
    arbitrary: command("renew", {
      place: fc.constantFrom(0, 1, 2, undefined, undefined, undefined),
      leases: some(fc.record({ key, token }), 1),
      twice: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: command("promote", { limit: fc.integer({ min: 1, max: 3 }), late }) },
  { weight: 3, arbitrary: command("seed", { keys: some(key, 1), when }) },
  { weight: 1, arbitrary: command("seed again", {}) },
  {
    weight: 2,
    arbitrary: command("requeue", {
      key,
      which: fc.constantFrom("failed", "failed", "dead", "dead", "another"),
      twice: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: command("discard", { key, which: fc.constantFrom("failed", "dead", "another") }),
  },
  { weight: 1, arbitrary: command("clear", { twice: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: command("report", {
      leases: some(fc.record({ key, token }), 1),
      message: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: command("strike", {
      rule: fc.integer({ min: 1, max: 2 }),
      struck: fc.boolean(),
      twice: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: command("sweep", {}) },
  {
    weight: 2,
    arbitrary: command("lose", {
      what: fc.constantFrom("stream", "group", "consumer", "due"),
      place,
    }),
  },
  { weight: 2, arbitrary: command("wait", { place, want: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: command("advance", {}) },
  { weight: 1, arbitrary: command("watch", { on: fc.boolean() }) },
  { weight: 1, arbitrary: command("stray", {}) },
  { weight: 1, arbitrary: command("crash", { place }) },
  { weight: 1, arbitrary: command("retire", { place }) },
);

const takeAll = command("step", {
  ...steps,
  commits: fc.constant([]),
  want: fc.constantFrom(2, 3, 3),
  from: fc.constant("new"),
});
function enterAll(again: fc.Arbitrary<boolean>): fc.Arbitrary<Command> {
  const keys = fc.shuffledSubarray([...KEYS], { minLength: 2 });
  return fc.record({ gates, keys, again }).map(({ gates, keys, again }) => {
    const entries = keys.map((key): Entering => ({ key, token: "current", gates, again }));
    return { do: "enter", entries };
  });
}

/** All keys are queued, and meet before the same gates. */
const crowd = fc.tuple(
  command("schedule", {
    wishes: fc.constant(KEYS.map((key) => ({ key, mode: "add", when: "now" }))),
    strikes: fc.constant("any"),
  }),
  takeAll,
  enterAll(fc.boolean()),
);

/** Those that were put off come again, some of them late. */
const comeback = fc.tuple(
  fc.oneof(fc.constant([]), fc.tuple(command("advance", {}))),
  command("promote", { limit: fc.constant(3), late: fc.constant(true) }),
  takeAll,
  enterAll(fc.constant(true)),
).map(([advance, ...others]) => [...advance, ...others]);

/** One is retried, and comes again. */
const retry = fc.tuple(
  command("step", {
    ...steps,
    commits: fc.tuple(fc.record<Settling>({
      key,
      token: fc.constant("current"),
      outcome: fc.constant({ kind: "retried", when: "now", record: true }),
      leavesMore: fc.constant(false),
    })),
    want: fc.constantFrom(0, 3),
    from: fc.constant("new"),
  }),
  takeAll,
  enterAll(fc.boolean()),
);

/** One passes a cooldown or a debounce, is retried, and perhaps comes again; then comes another. */
const recurrence = fc.record({
  gates: fc.constantFrom(
    ...ENTRIES.filter((names) => names.some((one) => /^short (cooldown|debounce)$/.test(one))),
  ),
  keys: fc.shuffledSubarray([...KEYS], { minLength: 2, maxLength: 2 }),
  runs: fc.boolean(),
  pauses: fc.boolean(),
}).map(({ gates, keys: [key, other], runs, pauses }): Command[] => {
  const enter = (key: Key, again: boolean): Command => {
    return { do: "enter", entries: [{ key, token: "current", gates, again }] };
  };
  const take = (want: number, ...commits: readonly Settling[]): Command => {
    return { do: "step", place: 0, lane: 0, maxDeliveries: 5, commits, want, from: "new" };
  };
  const outcome = { kind: "retried", when: "now", record: true } as const;
  return [
    {
      do: "schedule",
      wishes: [key, other].map((key) => ({ key, mode: "add", when: "now" })),
      strikes: "any",
    },
    take(3),
    enter(key, false),
    { do: "promote", limit: 3, late: true },
    take(3),
    enter(key, true),
    take(runs ? 3 : 0, { key, token: "current", outcome, leavesMore: false }),
    ...runs ? [enter(key, true)] : [],
    ...pauses ? [{ do: "advance" } as const] : [],
    enter(other, false),
  ];
});

/** What may become of them there. */
const afterwards = fc.oneof(
  {
    weight: 5,
    arbitrary: command("step", {
      ...steps,
      commits: settling.map((one) => [one]),
      want: fc.constantFrom(0, 1, 3, 3),
      from: fc.constantFrom("new", "new", "new", "own", "aside"),
    }),
  },
  {
    weight: 4,
    arbitrary: command("enter", { entries: some(entering, 1) }),
  },
  { weight: 1, arbitrary: command("enter again", {}) },
  {
    weight: 2,
    arbitrary: command("cancel", {
      targets: fc.tuple(fc.record({ key, which: fc.constant("any") })),
    }),
  },
  {
    weight: 2,
    arbitrary: command("schedule", {
      wishes: fc.tuple(fc.record({ key, mode: fc.constant("replace"), when })),
      strikes: fc.constant("any"),
    }),
  },
  { weight: 1, arbitrary: command("promote", { limit: fc.constant(3), late: fc.constant(true) }) },
  { weight: 6, arbitrary: anything },
);

/** As nearly always: all are new, all are taken for the first time, nearly all are completed; or something comes between. */
const routine = fc.tuple(
  command("schedule", {
    wishes: fc.uniqueArray(wish, { minLength: 1, maxLength: 3, selector: ({ key }) => key }),
    strikes: fc.constant("any"),
  }),
  takeAll,
  command("step", {
    ...steps,
    commits: fc.array(
      fc.oneof(
        {
          weight: 6,
          arbitrary: fc.record<Settling>({
            key,
            token,
            outcome: fc.constant({ kind: "completed", when: "now", record: true }),
            leavesMore: fc.constant(false),
          }),
        },
        { weight: 1, arbitrary: settling },
      ),
      { minLength: 1, maxLength: 4 },
    ),
    want: fc.constantFrom(0, 3),
    from: fc.constant("new"),
  }),
);

/** Now and then somebody watches from the beginning on. */
const watched: fc.Arbitrary<Command[]> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Command[]>([]) },
  { weight: 1, arbitrary: fc.constant<Command[]>([{ do: "watch", on: true }]) },
);

/** Up to sixty commands, as often few as many; or what happens at gates; or what happens nearly always. */
const play = fc.oneof(
  { weight: 4, arbitrary: sequence(anything, 60) },
  {
    weight: 6,
    arbitrary: sequence(
      fc.oneof(
        { weight: 2, arbitrary: crowd },
        { weight: 1, arbitrary: comeback },
        { weight: 1, arbitrary: retry },
        { weight: 1, arbitrary: recurrence },
        { weight: 8, arbitrary: afterwards.map((one) => [one]) },
      ),
      30,
    ).map((parts) => parts.flat()),
  },
  {
    weight: 2,
    arbitrary: sequence(
      fc.oneof(
        { weight: 2, arbitrary: routine },
        { weight: 3, arbitrary: anything.map((one) => [one]) },
      ),
      30,
    ).map((parts) => parts.flat()),
  },
);

/** What is played. */
export const commands: fc.Arbitrary<readonly Command[]> = fc.tuple(watched, play).map((parts) =>
  parts.flat()
);

function sequence<T>(one: fc.Arbitrary<T>, maxLength: number): fc.Arbitrary<T[]> {
  return fc.array(one, { minLength: 1, maxLength, size: "max" });
}
