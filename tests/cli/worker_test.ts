/**
 * `docket worker`: which tasks it loads, and how it logs. How it stops is in `stopping_test.ts`.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { cliTest, refusalOf } from "./_docket.ts";

const GREET = `
import { task } from "@docket/docket";
export const greet = task("greet", ({ log }, name: string) => {
  log.info("Hello, {name}!", { name });
});
export const all = [greet, function leave(name) {}];
export const number = 5;
`;
const PLAIN = `
export function plain(a, b) { console.log("plain got", a + b); }
`;
const AUTOMATIC = `
import { Perpetual, task } from "@docket/docket";
export const tick = task("tick", { again: new Perpetual({ automatic: true }) }, ({ again }) => {
  console.log("ticked");
  again.cancel();
});
`;
const FALLBACK = `
export function rescue(execution) { console.log("rescued", execution.task, ...execution.args); }
`;

cliTest(
  "docket worker runs tasks of files outside of any project, until there is nothing left",
  async (scene) => {
    const docket = await scene.connect();
    const greeting = await docket.add("greet")("Jane\x1b[31m");
    const addition = await docket.add("plain")(40, 2);
    const greet = await scene.file("greet.ts", GREET);
    const plain = await scene.file("plain.js", PLAIN);

    const { code, stdout, stderr } = await scene.run(
      ...["worker", "--until-finished", "--tasks", greet, `--tasks=./${plain}`, "--name", "me"],
    );

    deepEqual([code, stdout], [0, "plain got 42\n"]);
    match(stderr, /^\S+Z \[INFO\] \S*task: Hello, Jane\\u001b\[31m!$/m);
    ok(knownIn(stderr).includes("greet, leave, plain") || knownIn(stderr).includes("greet, plain"));
    equal((await greeting.refresh()).state, "completed");
    deepEqual([(await addition.refresh()).state, addition.worker], ["completed", "me"]);
  },
);

cliTest("docket worker knows the standard tasks, and what it was told to load", async (scene) => {
  await scene.file("greet.ts", GREET);
  await scene.file("plain.js", PLAIN);
  const known = async (variable: string | undefined, ...args: readonly string[]) => {
    const env = { DOCKET_TASKS: variable };
    const { code, stderr } = await scene.runWith({ env }, "worker", "--until-finished", ...args);
    equal(code, 0, stderr);
    return knownIn(stderr);
  };

  equal(await known(undefined), "trace, fail, sleep");
  equal(await known(undefined, "--tasks", "greet.ts:all"), "trace, fail, sleep, greet, leave");
  equal(await known(undefined, "--tasks=greet.ts:greet"), "trace, fail, sleep, greet");
  equal(await known(" plain.js, greet.ts:greet,"), "trace, fail, sleep, plain, greet");
  equal(await known("plain.js", "--tasks", "greet.ts:greet"), "trace, fail, sleep, greet");
  const absolute = `${scene.directory}/plain.js:plain`;
  equal(await known(undefined, "--tasks", absolute), "trace, fail, sleep, plain");
});

cliTest("docket worker that cannot load its tasks says why", async (scene) => {
  await scene.file("greet.ts", GREET);
  await scene.file("throws.ts", `throw new Error("whoops\\x1b[31m\\nand more");`);
  await scene.file("broken.ts", `export const = 5;`);
  await scene.file("numbers.ts", `export const a = 1, b = 2;`);
  await scene.file("clash.ts", `export function sleep() {}`);
  const refused = (...args: readonly string[]) => scene.refuses("worker", ...args);
  const failed = (...args: readonly string[]) => scene.complains("worker", ...args);

  equal(await refused("--tasks", "nope.ts"), 'Cannot find the file "nope.ts"');
  equal(await refused("--tasks", "./nope"), 'Cannot find the file "./nope"');
  match(
    await refused("--tasks", "a.ts b.ts"),
    /"a\.ts b\.ts"; repeat --tasks for several, or put commas in DOCKET_TASKS$/,
  );
  match(await refused("--tasks", "greet.ts:nope"), /nope .*it exports all, greet, number$/);
  match(await refused("--tasks", "greet.ts:number"), /number is no task, list or record of them$/);
  match(
    await refused("--tasks", "numbers.ts"),
    /name an export that is a list, as in numbers\.ts:/,
  );
  match(await refused("--tasks", "clash.ts"), /"sleep"/);
  match(await refused("--fallback", "greet.ts"), /name its export, as in greet\.ts:run$/);
  match(await refused("--fallback", "greet.ts:number"), /number is none$/);
  match(await failed("--tasks", "no-such-package"), /^Cannot load "no-such-package": /);
  match(
    await failed("--tasks", "throws.ts"),
    /^Cannot load "throws\.ts": whoops\\u001b\[31m\\nand more$/,
  );
  match(await failed("--tasks", "broken.ts"), /^Cannot load "broken\.ts": /);
});

cliTest("docket worker runs what nobody registered with its fallback", async (scene) => {
  const docket = await scene.connect();
  const execution = await docket.add("legacy")(1, "two");
  const fallback = `${await scene.file("fallback.ts", FALLBACK)}:rescue`;

  const { code, stdout } = await scene.run("worker", "--until-finished", "--fallback", fallback);

  deepEqual([code, stdout], [0, "rescued legacy 1 two\n"]);
  equal((await execution.refresh()).state, "completed");
});

cliTest("docket worker runs automatic tasks in memory, unless it is told not to", async (scene) => {
  const tasks = await scene.file("automatic.ts", AUTOMATIC);
  const args = ["worker", "--url", "memory://", "--until-finished", "--tasks", tasks];

  const automatic = await scene.run(...args);
  const manual = await scene.run(...args, "--no-schedule-automatic-tasks");

  deepEqual([automatic.code, automatic.stdout], [0, "ticked\n"]);
  deepEqual([manual.code, manual.stdout], [0, ""]);
});

cliTest("docket worker works until it is told to stop", async (scene) => {
  const child = scene.live("worker", "--name", "stays");
  await child.says("Working on ");
  await scene.prints("tasks", "trace", "first");
  await child.says(": first");
  await scene.prints("tasks", "trace", "second");
  await child.says(": second");

  child.kill("SIGTERM");

  equal(await child.ends(), 0);
  match(child.output, /Stopped working on .*\n$/);
});

cliTest("docket worker logs what is asked for", async (scene) => {
  const lines = async (...args: readonly string[]) => {
    await scene.prints("tasks", "fail", "whoops");
    const { code, stdout, stderr } = await scene.run("worker", "--until-finished", ...args);
    deepEqual([code, stdout], [0, ""]);
    return stderr.split("\n").slice(0, -1);
  };

  for (const line of await lines("--logging-format", "json")) {
    const { level, message, logger } = JSON.parse(line);
    deepEqual([level, message, logger].map((one) => typeof one), ["string", "string", "string"]);
  }
  for (const line of await lines("--logging-format=plain")) {
    match(line, /^(\d{4}-\d{2}-\d{2}T[\d:.]+Z \[(INFO|ERROR)\] docket·[a-z]+: \S| {4}at \S)/);
  }
  const failure = (await lines("--logging-level", "error")).join("\n");
  match(failure, /^\S+ \[ERROR\] [^\n]+: whoops\n {4}at \S+standard_tasks\.ts:[\d:]+$/);
  deepEqual(await lines("--logging-level", "FATAL"), []);
  match((await lines()).join("\n"), / \[INFO\] /);
});

cliTest("docket worker tells where something was thrown, and what caused it", async (scene) => {
  const tasks = await scene.file(
    "throwing.ts",
    `export function deep() {
       throw new Error("top", { cause: new TypeError("below\\x1b[2J\\nforged") });
     }
     export function endless() {
       let error = new Error("round");
       for (let n = 0; n < 100; n++) error = new Error("round", { cause: error });
       throw error;
     }`,
  );
  const docket = await scene.connect();
  await docket.add("deep", { key: "k" })();
  await docket.add("endless", { key: "l" })();

  const { stderr } = await scene.run("worker", "--until-finished", "--tasks", tasks);

  match(
    stderr,
    /\[ERROR\] \S+ deep k failed [^\n]+: top\n {4}at deep \(\S+throwing\.ts:2:14\)\n {4}caused by TypeError: below\\u001b\[2J\\nforged\n {4}at deep /,
  );
  match(stderr, / endless l failed [^\n]+: round\n( {4}\S[^\n]+\n){30}\S/);
  ok(!stderr.includes("runner.ts"), stderr);
});

cliTest("docket worker logs in colours in a terminal, and not with NO_COLOR", async (scene) => {
  const shown = async (env: Record<string, string>) => {
    const child = scene.terminal(["worker", "--until-finished"], { env });
    equal(await child.ends(), 0);
    return logIn(child.output);
  };

  ok((await shown({})).includes("\x1b["));
  ok(!(await shown({ NO_COLOR: "1" })).includes("\x1b"));
  ok(!(await shown({ DOCKET_LOGGING_FORMAT: "plain" })).includes("\x1b"));
});

cliTest("docket worker leaves logging to the tasks that configure it", async (scene) => {
  const tasks = await scene.file(
    "logging.ts",
    `import { configureSync } from "@logtape/logtape";
     configureSync({
       sinks: { own: (record) => console.log("OWN", record.level) },
       loggers: [{ category: ["docket"], sinks: ["own"], lowestLevel: "info" },
         { category: ["logtape", "meta"], lowestLevel: "error" }],
     });
     export function work() {}`,
  );

  const { code, stdout, stderr } = await scene.run("worker", "--until-finished", "--tasks", tasks);

  deepEqual([code, stderr], [0, ""]);
  match(stdout, /^(OWN info\n)+$/);
});

cliTest("docket worker refuses names and settings that cannot be", async (scene) => {
  match(await scene.refuses("worker", "--docket", "a b"), /"a b".*docket's name/);
  match(await scene.refuses("worker", "--name", "a|b\x1b"), /"a\|b\\u001b" as a worker's name/);
  match(await scene.refuses("worker", "--redelivery-timeout", "1ms"), /"redeliveryTimeout"/);
  match(await scene.refuses("worker", "--logging-level", "loud"), /^`--logging-level`: .*"loud"/);
  const { code } = await scene.runWith({ env: { DOCKET_NAME: "a b" } }, "snapshot");
  equal(code, 2);
});

cliTest("docket refuses memory:// where it makes no sense, and says why", async (scene) => {
  const url = "memory://anything";
  const output = await scene.runWith({ env: { DOCKET_URL: ` ${url}` } }, "snapshot");

  match(refusalOf(output), /^A memory:\/\/ docket lives inside one process/);
  match(await scene.refuses("add", "a", "--url", url), /^A memory:\/\/ docket lives inside/);
});

/** The tasks that it says it knows. */
function knownIn(log: string): string {
  return /; tasks: (.*)$/m.exec(log)?.[1] ?? "";
}

/** From its first own words: before, Deno clears its line. */
function logIn(output: string): string {
  const from = output.lastIndexOf("\x1b[J");
  return from < 0 ? output : output.slice(from + 3);
}
