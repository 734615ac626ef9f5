/**
 * `docket watch`: what it tells of one execution, and how it ends.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import { task } from "../../mod.ts";
import { cliTest, type Scene, timeless } from "./_docket.ts";

cliTest("docket watch follows an execution to its end, and tells its progress", async (scene) => {
  const { open, started } = await run(scene);
  await started;
  const [text, json, terminal] = [
    scene.live("watch", "followed"),
    scene.live("watch", "followed", "--json"),
    scene.terminal(["watch", "followed"]),
  ];
  await Promise.all([text.says("2/4"), json.says(`"current":2`), terminal.says("2/4")]);

  open();

  deepEqual([await text.ends(), await json.ends(), await terminal.ends()], [0, 0, 0]);
  deepEqual(timeless(text.output).split("\n"), [
    'work "followed"',
    "<instant> running on tester",
    "<instant> [##########----------] 50% 2/4 half\\u001b way",
    "<instant> [####################] 100% 4/4 done",
    "<instant> completed on tester",
    "",
  ]);
  deepEqual(
    json.output.trimEnd().split("\n").map((line) => JSON.parse(line))
      .map(({ at, ...event }) => ({ ...event, at: at.length })),
    [
      { kind: "state", state: "running", attempt: 1, worker: "tester", at: 24 },
      { kind: "progress", current: 2, total: 4, message: "half\x1b way", at: 24 },
      { kind: "progress", current: 4, total: 4, message: "done", at: 24 },
      { kind: "state", state: "completed", attempt: 1, worker: "tester", at: 24 },
    ],
  );
  const bar = "  [##########----------] 50% 2/4 half\\u001b way\r\n";
  ok(terminal.output.includes(`work "followed"\r\n  running on tester\r\n${bar}\x1b[3F\x1b[J`));
  const last = terminal.output.slice(terminal.output.lastIndexOf("\x1b[J"));
  // deno-lint-ignore no-control-regex -- it draws with them
  match(last, /^\x1b\[Jwork "followed"\r\n {2}running on tester\r\n {2}completed on tester after /);
});

cliTest("docket watch tells of a state before it runs", async (scene) => {
  const docket = await scene.connect();
  const execution = await docket.add("nobody", { key: "later", delay: "1h" })();
  const child = scene.live("watch", "later");
  await child.says("scheduled");

  await execution.cancel();

  equal(await child.ends(), 4);
  deepEqual(timeless(child.output).split("\n"), [
    'nobody "later"',
    "<instant> scheduled",
    "<instant> cancelled",
    "",
  ]);
});

cliTest("docket watch exits with 0 completed, 3 failed, 4 cancelled, 5 dead", async (scene) => {
  const docket = await scene.connect();
  function work(): void {}
  function fail(): never {
    throw new Error("whoops\x1b[31m\nagain");
  }
  await docket.add(work, { key: "completed" })();
  await docket.add(fail, { key: "failed" })();
  await docket.add(work, { key: "cancelled" })();
  await docket.cancel("cancelled");
  const storage = await scene.stage.open();
  await storage.schedule([
    { key: "dead", generation: randomId(), mode: "add", due: undefined, body: "{nope" },
  ]);
  await scene.stage.finish(docket);

  const codes = { completed: 0, failed: 3, cancelled: 4, dead: 5 };
  for (const [state, expected] of Object.entries(codes)) {
    const text = await scene.run("watch", state);
    deepEqual([text.code, text.stderr], [expected, ""], state);
    match(timeless(text.stdout).split("\n")[1], new RegExp(`^<instant> ${state}( |$)`));
    const json = await scene.run("watch", state, "--json");
    deepEqual([json.code, json.stderr], [expected, ""], state);
    equal(JSON.parse(json.stdout).state, state);
  }
  const { stdout } = await scene.run("watch", "failed");
  deepEqual(timeless(stdout).split("\n").slice(1), [
    "<instant> failed on tester",
    "It threw: whoops\\u001b[31m\\nagain",
    "",
  ]);
  match((await scene.run("watch", "dead")).stdout, /^It threw: .*stored message/m);
});

cliTest("docket watch of what nobody knows exits with 1", async (scene) => {
  equal(
    await scene.complains("watch", "no\x1b key"),
    `Nothing is known of "no\\u001b key" on ${scene.name}`,
  );
  await scene.complains("watch", "key", "--json");
  match(await scene.refuses("watch"), /`KEY`/);
});

/** Has a task at half of its way, and opens the rest of it. */
async function run({ stage }: Scene): Promise<{ open: () => void; started: Promise<void> }> {
  const docket = await stage.connect();
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  stage.afterwards(gate.resolve);
  const work = task("work", async ({ progress }) => {
    progress.update({ current: 2, total: 4, message: "half\x1b way" });
    started.resolve();
    await gate.promise;
    progress.update({ current: 4, message: "done" });
  });
  await docket.add(work, { key: "followed" })();
  stage.start(docket);
  return { open: gate.resolve, started: started.promise };
}
