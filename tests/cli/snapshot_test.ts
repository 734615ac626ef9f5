/**
 * `docket snapshot`: what it shows, for people and for programs.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { randomId } from "../../src/base/ids.ts";
import type { Docket } from "../../mod.ts";
import { cliTest, expectPlain, type Scene, timeless } from "./_docket.ts";

/** A key that would clear a terminal, ring its bell, break a line and turn the rest of it around. */
const HOSTILE = "a\x1b[2J\x07\nb\r\u202ec\x9b31m\u2066\u2028\x7f";

cliTest("docket snapshot of an empty docket is its counts", async (scene) => {
  const counts = "0 scheduled, 0 queued, 0 running, 0 waiting, 0 dead";
  equal(await scene.prints("snapshot"), `${scene.name}: ${counts}\n`);

  const { takenAt, ...rest } = JSON.parse(await scene.prints("snapshot", "--json"));
  match(takenAt, /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/);
  deepEqual(rest, {
    counts: { scheduled: 0, queued: 0, running: 0, waiting: 0, dead: 0 },
    executions: [],
  });
});

cliTest(
  "docket snapshot shows what runs, then what is due, then what is to come",
  async (scene) => {
    await fill(scene);

    const printed = timeless(await scene.prints("snapshot")).replaceAll("<span> ago", "now");
    const lines = printed.trimEnd().split("\n");

    equal(lines[0], `${scene.name}: 1 scheduled, 1 queued, 1 running, 1 waiting, 0 dead`);
    deepEqual(lines.slice(1).map((line) => line.split(/ {2,}/)), [
      ["STATE", "WHEN", "TASK", "KEY", "WORKER", "STARTED", "ATTEMPT"],
      ["running", "hold", "runs", "tester", "now", "1"],
      ["queued", "now", "hold", "is due", "1"],
      ["waiting", "hold", "runs", "1"],
      ["scheduled", "in <span>", "hold", "is to come", "1"],
    ]);
  },
);

cliTest("docket snapshot --json is for programs", async (scene) => {
  await fill(scene);

  const { counts, executions } = JSON.parse(await scene.prints("snapshot", "--json"));

  deepEqual(counts, { scheduled: 1, queued: 1, running: 1, waiting: 1, dead: 0 });
  const [running, queued, waiting, scheduled] = executions;
  equal(executions.length, 4);
  const common = { task: "hold", worker: null, startedAt: null, attempt: 1, progress: null };
  deepEqual(
    { ...running, when: null, startedAt: running.startedAt.length },
    { ...common, state: "running", key: "runs", when: null, worker: "tester", startedAt: 24 },
  );
  deepEqual(queued, { ...common, state: "queued", key: "is due", when: null });
  deepEqual({ ...waiting, when: null }, { ...common, state: "waiting", key: "runs", when: null });
  deepEqual(scheduled, {
    ...common,
    state: "scheduled",
    key: "is to come",
    when: "2100-01-31T09:00:00.000Z",
  });
});

cliTest("docket snapshot --limit lists some, and counts all", async (scene) => {
  const docket = await scene.connect();
  for (let i = 0; i < 5; i++) await docket.add("nobody", { key: `key ${i}` })();

  const lines = (await scene.prints("snapshot", "--limit", "2")).trimEnd().split("\n");
  const { counts, executions } = JSON.parse(
    await scene.prints("snapshot", "--json", "--limit=3"),
  );

  ok(lines[0].includes(" 5 queued,"), lines[0]);
  deepEqual(lines.slice(2).map((line) => line.match(/key \d|….*/)?.[0]), [
    "key 0",
    "key 1",
    "… and 3 more",
  ]);
  equal(counts.queued, 5);
  deepEqual(executions.map(({ key }: { key: string }) => key), ["key 0", "key 1", "key 2"]);
});

cliTest(
  "docket snapshot shows tasks that no worker knows, and what nobody can read",
  async (scene) => {
    const docket = await scene.connect();
    const unknown = await docket.add("nobody knows", { key: "unknown" })();
    scene.stage.start(docket);
    await scene.stage.eventually(async () => (await unknown.refresh()).state === "scheduled");
    const bodies = ["{nope", `{"task":["odd"],"args":[]}`, "\u0000\u001b"];
    const due = Date.now() + 3_600_000;
    const storage = await scene.stage.open();
    await storage.schedule(bodies.map((body, i) => (
      { key: `odd ${i}`, generation: randomId(), mode: "add", due: { at: due }, body }
    )));

    const text = await scene.prints("snapshot");
    const { executions } = JSON.parse(await scene.prints("snapshot", "--json"));

    match(text, /^scheduled .* nobody knows {2}unknown {2,}1$/m);
    for (const i of bodies.keys()) match(text, new RegExp(`^scheduled .* \\? +odd ${i} +1$`, "m"));
    const names = executions.map(({ key, task }: Record<string, string>) => [key, task]);
    deepEqual(names.sort(), [["odd 0", ""], ["odd 1", ""], ["odd 2", ""], [
      "unknown",
      "nobody knows",
    ]]);
  },
);

cliTest("docket snapshot lets no key or name drive a terminal", async (scene) => {
  const docket = await scene.connect();
  await docket.add(`task ${HOSTILE}`, { key: HOSTILE })();

  const text = await scene.prints("snapshot"); // which looks for control characters as well
  const json = await scene.prints("snapshot", "--json");
  const shown = await scene.shows("snapshot");

  expectPlain(text);
  expectPlain(json);
  expectPlain(shown.slice(shown.indexOf(scene.name)).replaceAll("\r\n", "\n"));
  const escaped = "a\\u001b[2J\\u0007\\nb\\r\\u202ec\\u009b31m\\u2066\\u2028\\u007f";
  ok(text.includes(` task ${escaped}  ${escaped}  `), text);
  equal(text.split("\n").length, 4); // also the line breaks of a key are escaped
  const [execution] = JSON.parse(json).executions;
  deepEqual([execution.key, execution.task], [HOSTILE, `task ${HOSTILE}`]);
});

cliTest("docket snapshot is cut to the width of a terminal, and whole in a pipe", async (scene) => {
  const docket = await scene.connect();
  const key = "long".repeat(30);
  await docket.add("nobody", { key })();

  const child = scene.terminal(["snapshot"], { stty: "cols 50" });
  equal(await child.ends(), 0);
  const shown = child.output.slice(child.output.indexOf(scene.name)).trimEnd().split("\r\n");

  ok((await scene.prints("snapshot")).includes(` ${key} `));
  equal(shown.length, 3);
  equal(shown[2].length, 50);
  match(shown[2], /^queued {2}now {3}nobody {2}(long)+l?o?n?…$/);
});

cliTest("docket snapshot --watch draws again what has changed, until Ctrl-C", async (scene) => {
  const docket = await scene.connect();
  const child = scene.terminal(["snapshot", "--watch"]);
  await child.says("0 queued");
  const task = await docket.add("nobody", { key: "seen" })();
  // deno-lint-ignore no-control-regex -- it draws with them
  await child.says(/\x1b\[1F\x1b\[J[^\r]* 1 queued.*\r\n.*\r\n.* seen /); // over the one line
  await task.cancel();
  // deno-lint-ignore no-control-regex -- it draws with them
  await child.says(/\x1b\[3F\x1b\[J[^\r]* 0 queued/); // over the three

  await child.type("\x03");

  equal(await child.ends(), 130);
});

cliTest("docket snapshot --watch is refused where nobody watches", async (scene) => {
  match(await scene.refuses("snapshot", "--watch"), /--watch draws on a terminal/);
  match(await scene.refuses("snapshot", "--watch", "--json"), /--watch together with --json/);
});

/** One task of each state in which nothing has ended. */
async function fill({ stage }: Scene): Promise<Docket> {
  const docket = await stage.connect();
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  stage.afterwards(gate.resolve);
  async function hold(): Promise<void> {
    started.resolve();
    await gate.promise;
  }
  await docket.add(hold, { key: "runs" })();
  stage.start(docket, { concurrency: 1 });
  await started.promise;
  await docket.add(hold, { key: "is due" })();
  equal((await docket.replace(hold, { key: "runs" })()).disposition, "deferred");
  await docket.add(hold, { key: "is to come", when: new Date("2100-01-31T09:00Z") })();
  return docket;
}
