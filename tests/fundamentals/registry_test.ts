/**
 * Which tasks a docket knows, and under which names.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { Docket, task } from "../../mod.ts";
import { onEveryStorage } from "../_harness.ts";

function one(): number {
  return 1;
}

function two(): number {
  return 2;
}

const three = task("numbers.three", (): number => 3);

onEveryStorage("Docket.register()", (test) => {
  test("takes a task, a list, or a record whose keys name plain functions", async (stage) => {
    const docket = await stage.connect();

    docket.register(one);
    docket.register([two, three]);
    docket.register({ uno: one, four: () => 4, three });

    deepEqual(docket.tasks, ["one", "two", "numbers.three", "uno", "four"]);
    const names = docket.tasks;
    const executions = await Promise.all(
      names.map((name) => docket.add<() => number>(name)()),
    );
    await stage.finish(docket);
    deepEqual(
      await Promise.all(executions.map((execution) => execution.result())),
      [1, 2, 3, 1, 4],
    );
  });

  test("takes a module namespace, of which it leaves what is no task", async (stage) => {
    const docket = await stage.connect();
    const module = {
      default: one,
      send: () => "sent",
      three,
      LIMIT: 10,
      settings: { retries: 3 },
      Mailer: class Mailer {},
      nothing: undefined,
    };

    docket.register(module);

    deepEqual([...docket.tasks].sort(), ["numbers.three", "one", "send"]);
  });

  test("may be told the same task again", async (stage) => {
    const docket = await stage.connect();

    docket.register([one, one, three]);
    docket.register({ one, three });
    docket.register(three);

    deepEqual(docket.tasks, ["one", "numbers.three"]);
  });

  test("refuses another function under a name that is taken", async (stage) => {
    const docket = await stage.connect();
    docket.register([one, three]);
    const other = { one: () => 11 };

    throws(() => docket.register(other), { name: "TypeError", message: /"one"/ });
    throws(() => docket.register(task("numbers.three", () => 33)), /"numbers.three"/);

    const execution = await docket.add<typeof one>("one")();
    await stage.finish(docket);
    equal(await execution.result(), 1);
  });

  test("refuses anonymous functions and what is no task", async (stage) => {
    const docket = await stage.connect();

    for (const nothing of [() => {}, [() => {}], [42], 42, "one", null, undefined]) {
      throws(() => docket.register(nothing as never), TypeError);
    }
    deepEqual(docket.tasks, []);
  });

  test("tells workers that run already", async (stage) => {
    const docket = await stage.connect();
    stage.start(docket);
    await stage.advance(5);

    docket.register(one);
    const execution = await docket.add<typeof one>("one")();

    equal(await stage.soon(execution.result()), 1);
  });

  test("is done by add() and replace() of a function, and by connect()", async (stage) => {
    const docket = await stage.connect({ tasks: [one] });

    await docket.add(two, { delay: "1h" })();
    await docket.replace(three, { key: "three", delay: "1h" })();

    deepEqual(docket.tasks, ["one", "two", "numbers.three"]);
  });

  // 13: a name is no property of anything
  test("knows no task that nobody registered", async (stage) => {
    const docket = await stage.connect({ executionTtl: 0 });
    const execution = await docket.add("constructor")();
    stage.start(docket);

    await stage.eventually(async () => (await execution.refresh()).state === "scheduled");

    deepEqual(docket.tasks, []);
  });
});

onEveryStorage("Docket.connect()", (test) => {
  test("refuses tasks that cannot be before it opens anything", async (stage) => {
    const { name, clock } = stage;
    const url = "redis://127.0.0.1:1/0"; // where nobody answers

    for (const tasks of [() => {}, [one, { one: two }], { one: task("x", one), x: two }]) {
      await rejects(Docket.connect({ name, url, clock, tasks: tasks as never }), TypeError);
    }
  });
});
