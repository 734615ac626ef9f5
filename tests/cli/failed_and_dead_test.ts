/**
 * `docket failed` and `docket dead`: what ended badly, and what can be done about it.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import type { Docket } from "../../mod.ts";
import { cliTest, type Scene, timeless } from "./_docket.ts";

for (const which of ["failed", "dead"] as const) {
  const again = which === "failed" ? "retry" : "requeue";
  const fill = which === "failed" ? fail : die;
  const nothing = which === "failed" ? "Nothing failed" : "Nothing is dead";
  // deno-lint-ignore no-control-regex -- errors may hold anything
  const thrown = which === "failed" ? /^whoops \x1b\[31mred\nand more$/ : /^\S.*"broken"/;
  const shown = which === "failed" ? /^whoops \\u001b\[31mred\\nand more$/ : thrown;

  const keysOf = async (docket: Docket) => (await docket[which]()).map(({ key }) => key).sort();

  cliTest(`docket ${which} ls lists what is ${which}, the newest first`, async (scene) => {
    equal(await scene.prints(which, "ls"), `${nothing} on ${scene.name}\n`);
    equal(await scene.prints(which, "ls", "--json"), "[]\n");
    const docket = await fill(scene, "first", "second\x1b[2J\n");
    const order = (await docket[which]()).map(({ key }) => key);

    const lines = timeless(await scene.prints(which, "ls")).trimEnd().split("\n");

    const [header, ...rows] = lines.map((line) => line.split(/ {2,}/));
    deepEqual(header, ["ENDED", "TASK", "KEY", "ATTEMPT", "WORKER", "ERROR"]);
    deepEqual(rows.map(([ended]) => ended.replace("<span> ago", "now")), ["now", "now"]);
    deepEqual(
      rows.map(([, task, key, ...rest]) => [task, key, rest.slice(0, 2)]),
      order.map((
        key,
      ) => ["broken", key === "first" ? key : "second\\u001b[2J\\n", ["1", "tester"]]),
    );
    for (const [, , , , , error] of rows) match(error, shown);
  });

  cliTest(`docket ${which} ls --json is for programs`, async (scene) => {
    await fill(scene, "first", "second\x1b[2J\n");

    const all = JSON.parse(await scene.prints(which, "ls", "--json"));
    const newest = JSON.parse(await scene.prints(which, "ls", "--json", "--limit", "1"));

    deepEqual(newest, all.slice(0, 1));
    const [second, first] = all.sort((a: { key: string }, b: { key: string }) =>
      a.key > b.key ? -1 : 1
    );
    equal(first.key, "first");
    const { startedAt, completedAt, error, ...rest } = second;
    deepEqual(rest, {
      state: which,
      task: "broken",
      key: "second\x1b[2J\n",
      attempt: 1,
      worker: "tester",
    });
    match(`${startedAt} ${completedAt}`, /^\d{4}-\S+Z \d{4}-\S+Z$/);
    deepEqual(Object.keys(error), ["name", "message"]);
    match(error.message, thrown);
  });

  cliTest(`docket ${which} ${again} runs it again, one or all`, async (scene) => {
    const docket = await fill(scene, "a", "b", "c");

    equal(await scene.prints(which, again, "b"), '"b": runs again\n');

    deepEqual(await keysOf(docket), ["a", "c"]);
    const { queued } = await docket.snapshot();
    deepEqual(queued.map(({ key, task, args }) => [key, task, args]), [["b", "broken", [
      1,
      "two",
    ]]]);
    const printed = (await scene.prints(which, again, "--all")).split("\n");
    deepEqual(printed.sort(), ["", '"a": runs again', '"c": runs again', "2 executions"]);
    deepEqual(await docket[which](), []);
    equal((await docket.snapshot()).counts.queued, 3);
  });

  cliTest(`docket ${which} ${again} leaves alone what is live under the key`, async (scene) => {
    const docket = await fill(scene, "a");
    await docket.add("other", { key: "a", delay: "1h" })();

    const { code, stdout } = await scene.run(which, again, "a");

    deepEqual([code, stdout], [1, '"a": a task exists under its key; nothing done\n']);

    equal((await docket[which]()).length, 1);
    equal((await docket.execution("a"))?.task, "other");
  });

  cliTest(`docket ${which} rm forgets it, one or all`, async (scene) => {
    const docket = await fill(scene, "a", "b", "c");

    equal(await scene.prints(which, "rm", "b"), '"b": forgotten\n');
    deepEqual(await keysOf(docket), ["a", "c"]);
    const printed = (await scene.prints(which, "rm", "--all")).split("\n");
    deepEqual(printed.sort(), ["", '"a": forgotten', '"c": forgotten', "2 executions"]);
    deepEqual(await docket[which](), []);
    equal(await scene.prints(which, "rm", "--all"), "0 executions\n");
    equal((await docket.snapshot()).counts.queued, 0);
  });

  cliTest(`docket ${which} ${again} and rm need to know of what`, async (scene) => {
    for (const action of [again, "rm"]) {
      equal(await scene.refuses(which, action), "Give either a key or --all");
      equal(await scene.refuses(which, action, "a", "--all"), "Give either a key or --all");
      equal(
        await scene.complains(which, action, "no\x1b key"),
        `"no\\u001b key" is not on that list of ${scene.name}`,
      );
    }
  });
}

cliTest("docket dead lists what no docket could have written, and forgets it", async (scene) => {
  const docket = await scene.connect();
  const storage = await scene.stage.open();
  const bad = { generation: randomId(), mode: "add", due: undefined, body: "{nope" } as const;
  await storage.schedule([{ key: "malformed", ...bad }]);
  await scene.stage.finish(docket);

  const text = await scene.prints("dead", "ls");
  match(text, / {2}\? {5}malformed {2}1 {8}tester {2}\S.* stored message/);
  const [{ task, error }] = JSON.parse(await scene.prints("dead", "ls", "--json"));
  equal(task, "");
  equal(error.name, "ProtocolError");
  equal(await scene.prints("dead", "rm", "malformed"), '"malformed": forgotten\n');
});

/** Has executions that failed. */
async function fail({ stage }: Scene, ...keys: readonly string[]): Promise<Docket> {
  const docket = await stage.connect();
  function broken(..._args: unknown[]): never {
    throw new Error("whoops \x1b[31mred\nand more");
  }
  for (const key of keys) await docket.add(broken, { key })(1, "two");
  await stage.finish(docket);
  return docket;
}

/** Has executions that died: of a task that nobody knows. */
async function die({ stage }: Scene, ...keys: readonly string[]): Promise<Docket> {
  const docket = await stage.connect();
  for (const key of keys) await docket.add("broken", { key })(1, "two");
  const worker = stage.start(docket, { unknownTaskTtl: 1 });
  await stage.eventually(async () => (await docket.dead()).length === keys.length);
  await worker.close();
  return docket;
}
