/**
 * The fetcher against a storage whose answers come in an order that a real one seldom gives.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import type { Claim, Step, StepReply, Storage } from "../../src/storage/contract.ts";
import { NEW, OWN } from "../../src/storage/contract.ts";
import { StrikeBook } from "../../src/docket/strike_book.ts";
import { FakeClock } from "../../src/testing/clock.ts";
import { Fetcher } from "../../src/worker/fetcher.ts";
import { Lookout } from "../../src/worker/lookout.ts";
import { Observer } from "../../src/worker/observer.ts";
import { Run, Running } from "../../src/worker/run.ts";
import { Settler } from "../../src/worker/settler.ts";

const NOTHING: StepReply = { claims: [], more: false, cursor: NEW, strikes: "" };

/** Every call waits until the test answers it. */
class ScriptedStorage {
  readonly steps: { readonly step: Step; readonly answer: (reply: StepReply) => void }[] = [];
  readonly waits: { readonly answer: (from: string | undefined) => void }[] = [];

  strikes(): ReturnType<Storage["strikes"]> {
    return Promise.resolve({ version: "", rules: [] });
  }

  step(step: Step): Promise<StepReply> {
    return new Promise((answer) => this.steps.push({ step, answer }));
  }

  wait(
    _consumer: string,
    _want: number,
    _timeout: number,
    { signal }: { signal: AbortSignal },
  ): Promise<string | undefined> {
    return new Promise((answer) => {
      this.waits.push({ answer });
      signal.addEventListener("abort", () => answer(undefined));
    });
  }
}

function scene(concurrency: number) {
  const storage = new ScriptedStorage();
  const clock = new FakeClock();
  const running = new Running(concurrency);
  const started: string[] = [];
  const released: string[] = [];
  const runs: Run[] = [];
  const end = new AbortController();
  const observer = new Observer({ clock, docket: "d", worker: "w" });
  const settler = new Settler(() => fetcher.poke(), observer);
  const fetcher: Fetcher = new Fetcher({
    storage: storage as unknown as Storage,
    clock,
    consumer: "worker~1",
    concurrency,
    maxDeliveries: 5,
    lease: 10_000,
    lookout: new Lookout({ clock, lease: 10_000, running, stuckAfter: Infinity }),
    minimumCheckInterval: 1_000,
    reconnectionDelay: 100,
    running,
    book: new StrikeBook(storage as unknown as Storage),
    observer,
    start(claim) {
      started.push(claim.key);
      const run = new Run(claim, 0);
      runs.push(run);
      running.add(run);
    },
    release: (claim) => released.push(claim.key),
    end: end.signal,
  }, settler);
  const finish = (run: Run) => {
    running.delete(run);
    settler.settle(run, { kind: "completed", text: "", ttl: 1 });
  };
  return { storage, clock, running, started, released, runs, fetcher, finish };
}

function claim(key: string, token: string): Claim {
  return {
    key,
    generation: key.padEnd(22, "g"),
    token,
    state: "running",
    attempt: 1,
    deliveries: 1,
    startedAt: 0,
    consumer: "worker~1",
    cancelled: false,
    body: "",
  };
}

test("Fetcher keeps what a wait set aside although another lane finds nothing afterwards", async () => {
  const { storage, clock, fetcher, started } = scene(2);
  fetcher.poke();
  await clock.settle();
  const [first, second] = storage.steps;
  first.answer(NOTHING); // dry: the fetcher blocks
  await clock.settle();
  storage.waits[0].answer("7-0");
  await clock.settle();

  const own = storage.steps[2];
  own.answer({ claims: [claim("a", own.step.token)], more: true, cursor: "8-0", strikes: "" }); // no room for the rest …
  await clock.settle();
  second.answer(NOTHING); // … until the other lane tells that it found nothing
  await clock.settle();

  deepEqual(started, ["a"]);
  deepEqual(storage.steps.slice(2).map(({ step }) => step.from), ["7-0", "8-0"]);
});

test("Fetcher never starts what runs here or has finished here and is not settled yet", async () => {
  // Invariant 34: reading its own entries, a consumer meets what it holds already.
  const { storage, clock, fetcher, started, released, runs, finish } = scene(2);
  fetcher.poke();
  await clock.settle();
  const [first, second] = storage.steps;
  const { token } = first.step;
  first.answer({
    claims: [claim("a", token), claim("b", token)],
    more: true,
    cursor: NEW,
    strikes: "",
  });
  await clock.settle();
  finish(runs[0]); // its commit is under way from here on
  second.answer(NOTHING);
  await clock.settle();

  fetcher.drain();
  await clock.settle();
  const own = storage.steps.find(({ step }) => step.from === OWN);
  own?.answer({
    claims: [claim("a", token), claim("b", token)],
    more: false,
    cursor: OWN,
    strikes: "",
  });
  await clock.settle();

  equal(own === undefined, false);
  deepEqual(started, ["a", "b"]);
  deepEqual(released, []);
});

test("Fetcher never starts what was settled while somebody asked what it holds", async () => {
  // Invariant 34: the answer was given before, and comes later than that of the step that settled it.
  const { storage, clock, fetcher, started, released, runs, finish } = scene(2);
  fetcher.poke();
  await clock.settle();
  const [first, second] = storage.steps;
  const { token } = first.step;
  first.answer({ claims: [claim("a", token)], more: false, cursor: NEW, strikes: "" });
  second.answer(NOTHING);
  await clock.settle();
  const answered = fetcher.reserve(1);
  finish(runs[0]);
  await clock.settle();
  storage.steps.at(-1)?.answer(NOTHING);
  await clock.settle();

  fetcher.acceptAll([claim("a", token)], "u".repeat(22), clock.monotonic());
  answered();

  deepEqual([started, released], [["a"], []]);
});

test("Fetcher keeps the next place that is left for whoever waits for one", async () => {
  const { storage, clock, fetcher, runs, finish } = scene(1);
  fetcher.poke();
  await clock.settle();
  const [{ step, answer }] = storage.steps;
  answer({ claims: [claim("a", step.token)], more: true, cursor: NEW, strikes: "" });
  await clock.settle();
  const isFree: boolean[] = [];
  const giveBack = fetcher.reserve(1);
  const waiting = fetcher.whenRoom(new AbortController().signal).then(() => isFree.push(true));
  await clock.settle();
  isFree.push(false);

  finish(runs[0]);
  await clock.settle();

  deepEqual(isFree, [false, true]);
  equal(storage.steps.at(-1)?.step.want, 0);
  storage.steps.at(-1)?.answer(NOTHING);
  await clock.settle();
  giveBack();
  await clock.settle();
  equal(storage.steps.at(-1)?.step.want, 1);
  await waiting;
});

test("Fetcher gives back what it claimed when there is no room for it any more", () => {
  // A reclaim and a blocking read may bring as much as there is room, both.
  const { clock, fetcher, started, released } = scene(1);
  const token = "t".repeat(22);

  fetcher.acceptAll([claim("a", token), claim("b", token)], token, clock.monotonic());

  deepEqual(started, ["a"]);
  deepEqual(released, ["b"]);
});

test("Fetcher never runs two tasks side by side that may be what kills their workers", () => {
  // F09: whatever runs beside a poisonous task dies with it, and must not be parked with it.
  const { clock, fetcher, started, released } = scene(4);
  const token = "t".repeat(22);

  const now = clock.monotonic();
  fetcher.acceptAll([{ ...claim("poison", token), deliveries: 3 }], token, now);
  fetcher.acceptAll([{ ...claim("innocent", token), deliveries: 3 }], token, now);
  fetcher.acceptAll([{ ...claim("fresh", token), deliveries: 1 }], token, now);

  deepEqual(started, ["poison", "fresh"]);
  deepEqual(released, ["innocent"]);
});

test("Fetcher does not give back a suspect that runs here when the late answer that claimed it comes", () => {
  const { fetcher, clock, started, released } = scene(4);
  const suspects = ["poison", "innocent"].map((key) => ({ ...claim(key, "late"), deliveries: 3 }));

  fetcher.acceptAll([suspects[0]], "own", clock.monotonic()); // an own-read was faster
  fetcher.acceptAll(suspects, "late", clock.monotonic());

  deepEqual(started, ["poison"]);
  deepEqual(released, ["innocent"]); // no suspect beside another
});

test("Fetcher gives back all of several suspects that came together, to run one after the other", () => {
  // F09: the culprit, started first, would leave no time to give back the others.
  const { clock, fetcher, started, released } = scene(4);
  const token = "t".repeat(22);
  const suspects = ["poison", "innocent"].map((key) => ({ ...claim(key, token), deliveries: 3 }));

  fetcher.acceptAll([...suspects, claim("fresh", token)], token, clock.monotonic());

  deepEqual(started, ["fresh"]);
  deepEqual(released, ["poison", "innocent"]);
});

test("Fetcher never starts again what another call has brought before the reply that claimed it", async () => {
  // Invariant 34: the reply is late, and by then the task may run, or even be settled.
  const { storage, clock, fetcher, started, released, runs, finish } = scene(2);
  fetcher.poke();
  await clock.settle();
  const [first, late] = storage.steps;
  first.answer(NOTHING);
  await clock.settle();
  storage.waits[0].answer(OWN);
  await clock.settle();
  const own = storage.steps[2];
  own.answer({ claims: [claim("a", late.step.token)], more: false, cursor: OWN, strikes: "" });
  await clock.settle();
  finish(runs[0]);
  await clock.settle();
  storage.steps[3].answer(NOTHING); // it is settled
  await clock.settle();

  late.answer({ claims: [claim("a", late.step.token)], more: false, cursor: NEW, strikes: "" });
  await clock.settle();

  deepEqual(started, ["a"]);
  deepEqual(released, []);
});

test("Fetcher gives back what it claimed so long ago that others may have it", () => {
  // Invariant 32: the process was frozen, and the reply waited for it.
  const { clock, fetcher, started, released } = scene(2);
  const token = "t".repeat(22);

  fetcher.acceptAll([claim("a", token)], token, clock.monotonic() - 9_000);

  deepEqual([started, released], [[], ["a"]]);
});

test("Fetcher sends the same step again until its outcome is known", async () => {
  // Invariant 27: what it commits must be neither lost nor decided twice.
  const { storage, clock, fetcher } = scene(1);
  const sent: Step[] = [];
  let failures = 2;
  storage.step = (step) => {
    sent.push(step);
    return failures-- > 0 ? Promise.reject(new Error("gone")) : new Promise(() => {});
  };

  fetcher.poke();
  await clock.advance(1_000);

  equal(sent.length, 3);
  equal(new Set(sent).size, 1);
});

test("Fetcher asks for no more than there is room for", async () => {
  const { storage, clock, fetcher, runs, finish } = scene(3);
  fetcher.poke();
  await clock.settle();

  const wanted = storage.steps.map(({ step }) => step.want);
  equal(wanted.reduce((sum, want) => sum + want, 0), 3);
  const [{ step, answer }] = storage.steps;
  answer({
    claims: Array.from({ length: step.want }, (_, i) => claim(`k${i}`, step.token)),
    more: true,
    cursor: NEW,
    strikes: "",
  });
  await clock.settle();
  finish(runs[0]);
  await clock.settle();

  const last = storage.steps.at(-1)!.step;
  deepEqual([last.commits.length, last.want], [1, 1]);
});
