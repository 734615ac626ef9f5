/**
 * What all executions of a worker share: invariant 63.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { Depends, Shared, type SharedContext, task, Worker } from "../../mod.ts";
import { failureOf, onEveryStorage, onMemory } from "../_harness.ts";
import { captureLogs } from "../_logs.ts";

const logged = captureLogs();

onEveryStorage("Shared", (test) => {
  test("is opened once for a worker, by the first who needs it, and closed with it", async (stage) => {
    const story: string[] = [];
    let opened = 0;
    const pool = new Shared(async function* ({ signal }: SharedContext) {
      story.push("opened");
      yield { number: ++opened, signal };
      story.push(signal.aborted ? "closed" : "closed too soon");
    });
    const lazy = new Shared(() => void story.push("never"));
    const use = task("use", { pool }, ({ pool }): number => {
      story.push("used");
      return pool.number;
    });
    const other = task("other", { lazy }, (): void => {});
    const docket = await stage.connect({ tasks: [use, other] });
    const worker = stage.worker(docket);
    const executions = [await docket.add(use)(), await docket.add(use)()];

    await stage.soon(worker.runUntilFinished());
    deepEqual(story, ["opened", "used", "used"]);
    deepEqual(await Promise.all(executions.map((one) => one.result())), [1, 1]);
    await stage.soon(worker.runUntilFinished()); // it may run once more
    await worker.close();
    await worker.close();

    deepEqual(story, ["opened", "used", "used", "closed"]);
    await docket.add(use)();
    await stage.finish(docket);
    equal(opened, 2); // another worker has another one
  });

  test("is made from others that are shared, and the last opened is closed first", async (stage) => {
    const story: string[] = [];
    const disposable = (name: string) => ({
      name,
      [Symbol.asyncDispose]: () => Promise.resolve(void story.push(`close ${name}`)),
    });
    const first = new Shared(() => Promise.resolve(disposable("first")));
    const second = new Shared({ first }, ({ first }) => disposable(`second of ${first.name}`));
    const connection = new Depends({ second }, ({ second }) => second.name.length);
    const use = task("use", { connection, first }, ({ connection, first }): string => {
      return `${connection} ${first.name}`;
    });
    const docket = await stage.connect();
    const execution = await docket.add(use)();

    await stage.finish(docket);

    equal(await execution.result(), "15 first");
    deepEqual(story, ["close second of first", "close first"]);
  });

  test("that cannot be opened fails the execution, and the next one tries again", async (stage) => {
    let tries = 0;
    const story: string[] = [];
    const flaky = new Shared(async function* () {
      tries++;
      if (tries === 1) throw new Error("not yet");
      yield tries;
      story.push("closed");
    });
    const use = task("use", { flaky }, ({ flaky }): number => flaky);
    const docket = await stage.connect();
    const first = await docket.add(use)();
    await stage.finish(docket, { concurrency: 1 });
    const worker = stage.worker(docket, { concurrency: 1 });
    tries = 0;
    const second = [await docket.add(use)(), await docket.add(use)()];
    await stage.soon(worker.runUntilFinished());
    await worker.close();

    ok(/Cannot open dependencies: flaky \(not yet\)/.test((await failureOf(first)).message));
    await failureOf(second[0]);
    equal(await second[1].result(), 2);
    deepEqual(story, ["closed"]);
  });

  test("that cannot be closed is logged, and the others are closed all the same", async (stage) => {
    const story: string[] = [];
    const sound = new Shared(function* () {
      yield 1;
      story.push("closed");
    });
    const broken = new Shared({ sound }, function* () {
      yield 2;
      throw new Error("stuck");
    });
    const use = task("use", { broken }, ({ broken }): number => broken);
    const docket = await stage.connect();
    const execution = await docket.add(use)();

    await stage.finish(docket);

    equal(await execution.result(), 2);
    deepEqual(story, ["closed"]);
    deepEqual(logged.map(({ properties }) => properties.reason), ["stuck"]);
  });

  test("lets no body begin whose execution was cancelled while it was opened", async (stage) => {
    let open = () => {};
    let runs = 0;
    const opened = new Promise<void>((resolve) => open = resolve);
    const slow = new Shared(() => opened);
    const use = task("use", { slow }, (): void => void runs++);
    const docket = await stage.connect();
    const execution = await docket.add(use)();
    stage.start(docket, { redeliveryTimeout: 100 });
    await stage.eventually(async () => (await execution.refresh()).state === "running");

    await execution.cancel();
    await stage.advance(60); // it hears of it
    open();
    await stage.eventually(async () => (await execution.refresh()).state === "cancelled");

    equal(runs, 0); // invariant 28
  });

  test("lets no body begin that was given back while it was opened", async (stage) => {
    let open = () => {};
    let runs = 0;
    const opened = new Promise<void>((resolve) => open = resolve);
    const slow = new Shared(() => opened);
    const use = task("use", { slow }, (): void => void runs++);
    const docket = await stage.connect();
    const execution = await docket.add(use)();
    const worker = stage.start(docket, { gracePeriod: 0 });
    await stage.eventually(async () => (await execution.refresh()).state === "running");

    await stage.soon(worker.close());
    open();
    await stage.advance(10);

    equal((await execution.refresh()).state, "queued");
    equal(runs, 0);
  });

  test("is closed in order by whoever closes first, and waited for by the others", async (stage) => {
    const story: string[] = [];
    const closing = (name: string) => ({
      async [Symbol.asyncDispose]() {
        await stage.sleep(5);
        story.push(name);
      },
    });
    const db = new Shared(() => closing("db"));
    const repo = new Shared({ db }, () => closing("repo"));
    const docket = await stage.connect();
    await docket.add(task("use", { repo }, (): void => {}))();
    const worker = stage.worker(docket);
    await stage.soon(worker.runUntilFinished());

    await stage.soon(
      Promise.all([worker.close(), docket.close().then(() => story.push("docket"))]),
    );

    deepEqual(story, ["repo", "db", "docket"]);
  });

  test("outlives the executions that a stopping worker still waits for", async (stage) => {
    let closed = false;
    const pool = new Shared(function* () {
      yield { use: () => closed };
      closed = true;
    });
    const slow = task("slow", { pool }, async ({ pool }): Promise<boolean> => {
      await stage.sleep(30);
      return pool.use();
    });
    const docket = await stage.connect();
    const execution = await docket.add(slow)();
    const worker = stage.start(docket, { gracePeriod: 10_000 });
    await stage.eventually(async () => (await execution.refresh()).state === "running");

    await stage.soon(worker.close());

    equal(await execution.result(), false);
    equal(closed, true);
  });
});

onMemory("Shared", (test) => {
  test("is a task's own when it is called directly", async () => {
    const story: string[] = [];
    const pool = new Shared(function* () {
      story.push("opened");
      yield 7;
      story.push("closed");
    });
    const use = task("use", { pool }, ({ pool }): number => pool);

    equal(await use(), 7);
    equal(await use.with({}, [pool, () => 8])(), 8);
    equal(await use.with({ pool: 9 })(), 9);

    deepEqual(story, ["opened", "closed"]);
  });

  test("is closed when a direct call throws", async () => {
    const story: string[] = [];
    const pool = new Shared(function* () {
      yield 7;
      story.push("closed");
    });
    const use = task("use", { pool }, (): never => {
      throw new RangeError("no");
    });

    await rejects(use(), RangeError);

    deepEqual(story, ["closed"]);
  });

  test("fails a direct call when it cannot be closed", async () => {
    const stuck = new Shared(function* () {
      yield 1;
      throw new RangeError("stuck");
    });

    await rejects(task("use", { stuck }, ({ stuck }): number => stuck)(), RangeError);
  });

  test("that never opens, or never closes, keeps no worker from closing", async (stage) => {
    const never = () => new Promise<void>(() => {});
    const stuck = new Shared(async function* () {
      yield 1;
      await never();
    });
    const docket = await stage.connect();
    for (const [name, shared] of Object.entries({ opening: new Shared(never), closing: stuck })) {
      await docket.add(task(name, { shared }, (): void => {}), { key: "use" })();
      const worker = stage.start(docket, { gracePeriod: 0 });
      await stage.advance(30);

      await stage.soon(worker.close()); // invariant 74
      await docket.cancel("use");
    }
  });

  test("is made of nothing that lives shorter", async () => {
    const connection = new Depends(() => 1);

    // @ts-expect-error a Depends is one execution's
    throws(() => new Shared({ connection }, () => 1), TypeError);
    throws(() => new Shared("nope" as never), TypeError);
    await Promise.resolve();
  });

  test("can be replaced for a whole worker, wherever it is nested", async (stage) => {
    const url = new Shared(() => "the real one");
    const pool = new Shared({ url }, ({ url }) => `a pool for ${url}`);
    const clock = new Depends(() => "noon");
    const use = task("use", { pool, clock }, ({ pool, clock }): string => `${pool} at ${clock}`);
    const docket = await stage.connect();
    let given = 0;
    const declared = new Shared(() => 0);
    const count = task("count", { declared }, ({ declared }): number => declared);
    const executions = [await docket.add(count)(), await docket.add(count)()];
    await stage.finish(docket, { replace: [[declared, () => ++given]] });
    deepEqual(await Promise.all(executions.map((one) => one.result())), [1, 1]); // once for all
    const execution = await docket.add(use)();
    const replace = [[url, () => "a fake"], [clock, () => "midnight"]] as const;

    await stage.finish(docket, { replace });

    equal(await execution.result(), "a pool for a fake at midnight");
    for (const wrong of [[[url]], [["url", () => 1]], "nope"]) {
      throws(() => new Worker(docket, { replace: wrong as never }), TypeError);
    }
  });
});
