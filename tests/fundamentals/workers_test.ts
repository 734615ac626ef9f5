/**
 * Who is there, and can claim (invariant 73).
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { ConnectionError, type Docket, Params, task, type WorkerInfo } from "../../mod.ts";
import type { Storage } from "../../src/storage/contract.ts";
import { altered, Freezer, onEveryStorage, onMemory, type Stage } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

captureLogs(); // what is said of storages that are away stays out of the output

/** No heartbeat but the first comes while a test runs. */
const SELDOM = { heartbeatInterval: "1h" } as const;

function greet(name: string, greeting = "Hello"): string {
  return `${greeting}, ${name}!`;
}

const ship = task(
  "ship",
  { params: new Params("order", "fast") },
  (_context, _o: string, _f: boolean): void => {},
);

/** Waits until so many workers are there. */
async function until(stage: Stage, docket: Docket, count: number): Promise<WorkerInfo[]> {
  await stage.eventually(async () => (await docket.workers()).length === count);
  return await docket.workers();
}

/** A storage that can be cut off from claiming, and from nothing else. */
class Cuttable {
  #cut = new AbortController();
  beats = 0;

  cut(): void {
    this.#cut.abort();
  }

  mend(): void {
    this.#cut = new AbortController();
  }

  around(storage: Storage): Storage {
    const refuse = () => {
      if (this.#cut.signal.aborted) throw new ConnectionError("Cannot reach it");
    };
    return altered(storage, {
      step: async (step, options) => {
        refuse();
        return await storage.step(step, options);
      },
      wait: async (consumer, want, timeout, { signal } = {}) => {
        refuse();
        const cut = this.#cut.signal;
        const either = AbortSignal.any(signal ? [signal, cut] : [cut]);
        const from = await storage.wait(consumer, want, timeout, { signal: either });
        refuse();
        return from;
      },
      advertise: async (...args) => {
        this.beats++;
        return await storage.advertise(...args);
      },
    });
  }
}

/** A process that can be frozen whole, its heartbeats included. */
async function mortal(stage: Stage): Promise<{ docket: Docket; freezer: Freezer }> {
  const freezer = new Freezer();
  stage.afterwards(() => freezer.thaw());
  const storage = await stage.open();
  let frozen = false;
  const { freeze, thaw } = freezer;
  freezer.freeze = () => {
    frozen = true;
    freeze.call(freezer);
  };
  freezer.thaw = () => {
    frozen = false;
    thaw.call(freezer);
  };
  const silent = altered(freezer.around(storage), {
    advertise: async (...args) => {
      if (frozen) throw new ConnectionError("Cannot reach it");
      return await storage.advertise(...args);
    },
  });
  const options = { heartbeatInterval: 20, missedHeartbeats: 3 };
  return { docket: await stage.connect({ storage: silent, ...options }), freezer };
}

onEveryStorage("Docket.workers()", (test) => {
  test("shows nobody where nobody works", async (stage) => {
    const docket = await stage.connect();
    stage.worker(docket); // does not work yet

    deepEqual(await docket.workers(), []);
    deepEqual(await docket.taskWorkers("greet"), []);
  });

  // 73: at once at the start
  test("shows a worker at once when it has started, with what it is and can", async (stage) => {
    const docket = await stage.connect({ tasks: [greet, ship], ...SELDOM });
    const other = await stage.connect();

    stage.start(docket, { name: "web", concurrency: 7 });

    const [worker] = await until(stage, other, 1);
    const { name, id, concurrency, tasks, lastSeen, startedAt } = worker;
    deepEqual([name, concurrency], ["web", 7]);
    deepEqual({ ...tasks }, { greet: ["name", "greeting"], ship: ["order", "fast"] });
    ok(id.startsWith("web~") && id.length > 10, id);
    for (const instant of [lastSeen, startedAt]) {
      ok(Math.abs(instant.getTime() - stage.clock.now()) < 60_000, instant.toISOString());
    }
  });

  test("shows a worker that has nothing to do, and one that has as much as it can", async (stage) => {
    const docket = await stage.connect({ heartbeatInterval: 20, missedHeartbeats: 3 });
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    let runs = 0;
    async function hold(): Promise<void> {
      runs++;
      await release.promise;
    }
    for (let n = 0; n < 5; n++) await docket.add(hold)();
    stage.start(docket, { name: "busy", concurrency: 2 });
    await stage.eventually(() => runs === 2);
    const [before] = await until(stage, docket, 1);

    await stage.eventually(async () => (await docket.workers())[0]?.lastSeen > before.lastSeen);

    const [after] = await docket.workers();
    deepEqual([after.id, after.startedAt], [before.id, before.startedAt]);
  });

  test("shows at once what is registered later", async (stage) => {
    const docket = await stage.connect(SELDOM);
    const other = await stage.connect();
    stage.start(docket);
    const [{ tasks }] = await until(stage, other, 1);
    deepEqual(Object.keys(tasks), []);

    docket.register(greet);

    await stage.eventually(async () => (await other.taskWorkers(greet)).length === 1);
    await docket.add(ship, { delay: "1h" })("o", true); // by its first add
    await stage.eventually(async () => (await other.taskWorkers(ship)).length === 1);
  });

  test("shows what is registered while it says what it knows", async (stage) => {
    const storage = await stage.open();
    const other = await stage.connect();
    const docket: Docket = await stage.connect({
      storage: altered(storage, {
        async advertise(...args) {
          const known = await storage.advertise(...args);
          docket.register(greet); // before the answer is here
          return known;
        },
      }),
      ...SELDOM,
    });

    stage.start(docket);

    await stage.eventually(async () => (await other.taskWorkers(greet)).length === 1);
  });

  // 74: whatever it is just about to say
  test("lets a worker go that is told to while it says that it cannot claim", async (stage) => {
    const storage = await stage.open();
    const withdrawn = Promise.withResolvers<void>();
    let withdrawals = 0;
    let claims = true;
    let steps = 0;
    const broken = altered(storage, {
      wait: async (...args) => {
        if (!claims) throw new ConnectionError("Cannot reach it");
        return await storage.wait(...args);
      },
      step: async (...args) => {
        if (!claims) throw new ConnectionError("Cannot reach it");
        const reply = await storage.step(...args);
        steps++;
        return reply;
      },
      withdraw: async (...args) => {
        withdrawals++;
        await withdrawn.promise;
        await storage.withdraw(...args);
      },
    });
    const docket = await stage.connect({ storage: broken, ...SELDOM });
    const worker = stage.start(docket);
    await until(stage, docket, 1);
    claims = false;
    await docket.add(greet)("Jane");
    await stage.eventually(() => withdrawals === 1);
    steps = 0;

    const closed = worker.close();
    claims = true;
    await stage.eventually(() => steps > 0); // all is settled, and nothing more is told
    withdrawn.resolve();

    await stage.soon(closed);
    deepEqual(await docket.workers(), []);
  });

  // 73: gone on drain
  test("does not show a worker that drains, although it still runs something", async (stage) => {
    const docket = await stage.connect(SELDOM);
    const other = await stage.connect();
    const release = Promise.withResolvers<void>();
    stage.afterwards(() => release.resolve());
    let runs = 0;
    const hold = task("hold", async (): Promise<string> => {
      runs++;
      await release.promise;
      return "done";
    });
    const execution = await docket.add(hold)();
    const worker = stage.start(docket, { gracePeriod: "1h" });
    await stage.eventually(() => runs === 1);
    await until(stage, other, 1);

    const closing = worker.close();
    await until(stage, other, 0);
    equal((await execution.refresh()).state, "running");
    release.resolve();

    await stage.soon(closing);
    equal(await execution.result(), "done");
    deepEqual(await other.workers(), []);
  });

  test("does not show a worker any more that has finished", async (stage) => {
    const docket = await stage.connect(SELDOM);
    const seen: WorkerInfo[][] = [];
    const look = task("look", async (context): Promise<void> => {
      await stage.eventually(async () => (await context.docket.workers()).length > 0);
      seen.push(await context.docket.workers());
    });
    await docket.add(look)();

    const worker = stage.worker(docket, { name: "once" });
    await stage.soon(worker.runUntilFinished());

    deepEqual(seen.map((workers) => workers.map(({ name }) => name)), [["once"]]);
    deepEqual(await docket.workers(), []);
  });

  // 74: it runs out by itself
  test("lets a worker close although nobody hears that it goes", async (stage) => {
    const storage = await stage.open();
    const deaf = altered(storage, {
      withdraw: (_consumer, { signal } = {}) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason));
        }),
    });
    const docket = await stage.connect({ storage: deaf });
    const worker = stage.start(docket, { name: "mute" });
    await until(stage, docket, 1);

    await stage.soon(worker.close());

    await storage.withdraw((await docket.workers())[0]?.id ?? "");
  });

  // 73: advertised only while it can claim
  test("does not show a worker that cannot claim, and shows it again when it can", async (stage) => {
    const cuttable = new Cuttable();
    const storage = cuttable.around(await stage.open());
    const docket = await stage.connect({
      storage,
      heartbeatInterval: 20,
      missedHeartbeats: 1_000_000,
    });
    const other = await stage.connect();
    stage.start(docket, { reconnectionDelay: 20 });
    const [before] = await until(stage, other, 1);

    cuttable.cut();
    await until(stage, other, 0);
    const beats = cuttable.beats;
    await stage.advance(100); // several intervals
    equal(cuttable.beats, beats); // it could say so, and does not
    cuttable.mend();

    const [after] = await until(stage, other, 1);
    equal(after.id, before.id);
  });

  test("does not show a worker that could not claim from the start", async (stage) => {
    const cuttable = new Cuttable();
    const storage = cuttable.around(await stage.open());
    const docket = await stage.connect({ storage, heartbeatInterval: 10 });
    cuttable.cut();
    stage.start(docket, { reconnectionDelay: 20 });
    await stage.advance(100);

    deepEqual([await docket.workers(), cuttable.beats], [[], 0]);
    cuttable.mend();

    await until(stage, docket, 1);
  });

  test("does not show a worker whose process is frozen for too long", async (stage) => {
    const { docket, freezer } = await mortal(stage);
    const other = await stage.connect();
    stage.start(docket, { name: "mortal" });
    stage.start(other, { name: "other" });
    await until(stage, other, 2);

    freezer.freeze();

    const [left] = await until(stage, other, 1);
    equal(left.name, "other");
    freezer.thaw();
    const names = (await until(stage, other, 2)).map(({ name }) => name);
    deepEqual(names.sort(), ["mortal", "other"]);
  });

  // 8
  test("shows the workers of its own docket only", async (stage) => {
    const names = [stage.name, `${stage.name}.b`, `${stage.name}.workers`];
    const dockets: Docket[] = [];
    for (const name of names) {
      dockets.push(await stage.connect({ name, tasks: [greet] }));
      stage.start(dockets.at(-1)!, { name });
    }

    for (const docket of dockets) {
      const workers = await until(stage, docket, 1);
      deepEqual(workers.map(({ name }) => name), [docket.name]);
      equal((await docket.taskWorkers(greet)).length, 1);
    }
  });

  // 76: the name is a label
  test("gives each of many workers of one name an id of its own", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect();
    for (let n = 0; n < 3; n++) {
      stage.start(docket, { name: "web #1: é" });
      stage.start(other, { name: "web #1: é" });
    }

    const workers = await until(stage, docket, 6);

    equal(new Set(workers.map(({ id }) => id)).size, 6);
    deepEqual(new Set(workers.map(({ name }) => name)), new Set(["web #1: é"]));
  });

  test("lists who has worked longest first", async (stage) => {
    const docket = await stage.connect();
    for (const name of ["c", "a", "b"]) {
      stage.start(docket, { name });
      await stage.eventually(async () =>
        (await docket.workers()).some((worker) => worker.name === name)
      );
      await stage.advance(5);
    }

    deepEqual((await docket.workers()).map(({ name }) => name), ["c", "a", "b"]);
  });

  // 5, 69: one that cannot be read never hides the others
  test("passes over what strangers say", async (stage) => {
    const docket = await stage.connect({ tasks: [greet] });
    const storage = await stage.open();
    stage.start(docket, { name: "web" });
    await until(stage, docket, 1);
    const strange = [
      "",
      "{",
      "null",
      "42",
      "{}",
      "[]",
      `[1,1]`,
      `[1,1,null]`,
      `[1,1,[1]]`,
      `["soon",1,[]]`,
      `[1,"many",[]]`,
      `[1,1,["ab"]]`,
      `[1,1,[["a"]]]`,
      `[1,1,[["a","bc"]]]`,
      `[1,1,[[1,["a"]]]]`,
    ];
    stage.afterwards(() => {
      for (const text of strange) void storage.withdraw(`stranger~${text}`);
    });
    for (const text of strange) await storage.advertise(`stranger~${text}`, 60_000, text);

    const workers = await docket.workers();
    const able = await docket.taskWorkers(greet);
    // Who strikes asks them all which parameters they know
    const struck = await docket.strike({ task: "nobody", parameter: "x", value: 1 });

    deepEqual(workers.map(({ name }) => name), ["web"]);
    deepEqual(able.map(({ name }) => name), ["web"]);
    equal(struck, true);
  });

  test("reads what a later version says more", async (stage) => {
    const docket = await stage.connect();
    const storage = await stage.open();
    const text = `[1700000000000,3,[["greet",["name"],{"new":true}]],"more"]`;
    await storage.advertise("later~1", 60_000, text);
    stage.afterwards(() => void storage.withdraw("later~1"));

    const [{ name, startedAt, concurrency, tasks }] = await docket.workers();

    deepEqual([name, startedAt, concurrency], ["later", new Date(1_700_000_000_000), 3]);
    deepEqual({ ...tasks }, { greet: ["name"] });
  });
});

onEveryStorage("Docket.taskWorkers()", (test) => {
  test("shows the workers that know a task, by its name or the task itself", async (stage) => {
    const both = await stage.connect({ tasks: [greet, ship] });
    const one = await stage.connect({ tasks: [ship] });
    const none = await stage.connect();
    stage.start(both, { name: "both" });
    stage.start(one, { name: "one" });
    stage.start(none, { name: "none" });
    await until(stage, none, 3);
    const namesOf = (workers: WorkerInfo[]) => workers.map(({ name }) => name).sort();

    deepEqual(namesOf(await none.taskWorkers(greet)), ["both"]);
    deepEqual(namesOf(await none.taskWorkers("greet")), ["both"]);
    deepEqual(namesOf(await none.taskWorkers(ship)), ["both", "one"]);
    deepEqual(namesOf(await none.taskWorkers("ship")), ["both", "one"]);
    deepEqual(await none.taskWorkers("unknown"), []);
    deepEqual(none.tasks, []); // asking registers nothing
  });

  // 13: a task may have any name
  test("knows odd names from what every object has", async (stage) => {
    const docket = await stage.connect();
    docket.register(task("__proto__", (): void => {}));
    docket.register(task("a|b~\n", (): void => {}));
    stage.start(docket);
    await until(stage, docket, 1);

    equal((await docket.taskWorkers("__proto__")).length, 1);
    equal((await docket.taskWorkers("a|b~\n")).length, 1);
    deepEqual(await docket.taskWorkers("constructor"), []);
    deepEqual(await docket.taskWorkers("toString"), []);
  });

  test("knows a function by the name it is registered under", async (stage) => {
    const docket = await stage.connect({ tasks: { hello: greet } });
    stage.start(docket);
    await until(stage, docket, 1);

    equal((await docket.taskWorkers(greet)).length, 1);
    equal((await docket.taskWorkers("hello")).length, 1);
    deepEqual(await docket.taskWorkers("greet"), []);
  });

  test("refuses what can be no task", async (stage) => {
    const docket = await stage.connect();

    await rejects(docket.taskWorkers(undefined as never), TypeError);
    await rejects(docket.taskWorkers([() => {}][0]), TypeError);
  });
});

onMemory("A worker's advertisement", (test) => {
  test("holds for as many heartbeats as may be missed, and not longer", async (stage) => {
    const { docket, freezer } = await mortal(stage);
    stage.start(docket);
    const [{ lastSeen }] = await until(stage, docket, 1);

    freezer.freeze();
    const silence = () => stage.clock.now() - lastSeen.getTime();
    await stage.advance(59 - silence());
    equal((await docket.workers()).length, 1);
    await stage.advance(60 - silence());

    deepEqual(await docket.workers(), []);
  });

  test("is renewed every two seconds, and holds for ten, if nothing else is said", async (stage) => {
    const storage = await stage.open();
    const beats: [at: number, span: number, told: boolean][] = [];
    const docket = await stage.connect({
      storage: altered(storage, {
        advertise(consumer, span, text, options) {
          beats.push([stage.clock.monotonic(), span, text !== undefined]);
          return storage.advertise(consumer, span, text, options);
        },
      }),
    });
    stage.start(docket);

    await stage.advance(6_000);

    const [[start]] = beats;
    deepEqual(beats, [
      [start, 10_000, true],
      [start + 2_000, 10_000, false], // what it says of itself travels once
      [start + 4_000, 10_000, false],
      [start + 6_000, 10_000, false],
    ]);
  });

  test("says everything again when the storage has forgotten it", async (stage) => {
    const docket = await stage.connect({ tasks: [greet] });
    const storage = await stage.open();
    stage.start(docket);
    const [{ id }] = await until(stage, docket, 1);
    await storage.withdraw(id); // a storage that lost its data
    deepEqual(await docket.workers(), []);

    await stage.advance(2_000);

    const [worker] = await docket.workers();
    deepEqual([worker.id, Object.keys(worker.tasks)], [id, ["greet"]]);
  });
});
