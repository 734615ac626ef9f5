/**
 * `docket add`, `docket replace` and `docket cancel`: what is typed arrives.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { cliTest, type Scene } from "./_docket.ts";

cliTest("docket add gives the task its arguments, each of its type", async (scene) => {
  const typed: readonly (readonly [string, unknown])[] = [
    ["word", "word"],
    ["two words", "two words"],
    ["", ""],
    ["42", 42],
    ["str:42", "42"],
    ["int:42", 42],
    ["1.5", 1.5],
    ["float:.5", 0.5],
    ["bigint:123456789012345678901234567890", 123456789012345678901234567890n],
    ["true", true],
    ["bool:false", false],
    ["null", null],
    ['"true"', "true"],
    ['{"a":[1,"b"]}', { a: [1, "b"] }],
    ["json:[1]", [1]],
    ["date:2026-01-31T09:00+01:00", new Date("2026-01-31T08:00Z")],
    ["https://example.org/", "https://example.org/"],
    ["str:null", "null"],
  ];
  const written = typed.map(([text]) => text);

  const printed = await scene.prints(
    "add",
    "echo",
    "--key",
    "typed",
    ...written,
    "--",
    "-5",
    "--x",
  );

  equal(printed, 'Scheduled "echo" under "typed"\n');
  const docket = await scene.connect();
  const execution = await docket.execution("typed");
  equal(execution?.task, "echo");
  deepEqual(execution?.args, [...typed.map(([, value]) => value), -5, "--x"]);
});

cliTest(
  "docket add without arguments adds without arguments, under a key of its own",
  async (scene) => {
    const printed = await scene.prints("add", "echo");

    const [, key] = /^Scheduled "echo" under "([^"]{20})"\n$/.exec(printed) ?? [];
    const docket = await scene.connect();
    deepEqual((await docket.execution(key))?.args, []);
  },
);

cliTest("docket add takes an instant or a delay", async (scene) => {
  const docket = await scene.connect();
  const at = async (key: string) => (await docket.execution(key))?.when?.getTime() ?? NaN;

  const dated = await scene.prints("add", "a", "--key", "when", "--when", "2100-01-31T09:00+01:00");
  const before = Date.now();
  const delayed = await scene.prints("add", "--delay", "1:30:45", "a", "--key", "delay");
  const after = Date.now();

  match(dated, /^Scheduled "a" under "when", due in \d+d( \d+h)?\n$/);
  match(delayed, /^Scheduled "a" under "delay", due in 1h 30m\n$/);
  equal(await at("when"), Date.parse("2100-01-31T08:00Z"));
  const delay = 5_445_000;
  ok(await at("delay") >= before + delay && await at("delay") <= after + delay);
});

cliTest("docket add of a bare number delays by seconds", async (scene) => {
  match(await scene.prints("add", "a", "--delay=123"), /, due in 2m 3s\n$/);
  match(await scene.prints("add", "a", "--delay=123s"), /, due in 2m 3s\n$/);
});

cliTest("docket add finds what exists under the key", async (scene) => {
  await scene.prints("add", "first", "--key", "same", "1");

  const printed = await scene.prints("add", "second", "--key", "same", "2");

  equal(printed, 'Nothing added: a task exists under "same"\n');
  const docket = await scene.connect();
  const execution = await docket.execution("same");
  deepEqual([execution?.task, execution?.args], ["first", [1]]);
});

cliTest("docket add and replace tell that a task is struck", async (scene) => {
  const docket = await scene.connect();
  await docket.strike({ task: "struck" });

  equal(await scene.prints("add", "struck", "--key", "k"), 'Nothing added: "struck" is struck\n');
  equal(
    await scene.prints("replace", "struck", "--key", "k"),
    'Nothing added: "struck" is struck\n',
  );
  equal(await docket.execution("k"), undefined);
});

cliTest("docket add warns of a task that no live worker knows", async (scene) => {
  const docket = await scene.connect();
  function greet(): void {}
  function leave(): void {}
  docket.register([greet, leave]);

  equal((await scene.run("add", "gret", "--delay", "1h")).stderr, ""); // nobody is there to know it
  scene.stage.start(docket);
  await scene.stage.eventually(async () => (await docket.workers()).length > 0);
  const { code, stdout, stderr } = await scene.run(
    "add",
    "gret\x1b",
    "--delay",
    "1h",
    "--key",
    "k",
  );

  deepEqual([code, stdout], [0, 'Scheduled "gret\\u001b" under "k", due in 1h\n']);
  equal(stderr, 'Warning: no live worker knows "gret\\u001b"; they know greet, leave\n');
  await scene.prints("add", "greet", "--delay", "1h");
});

cliTest("docket replace puts a task in the place of another", async (scene) => {
  const docket = await scene.connect();
  await docket.add("old", { key: "same", delay: "1h" })();

  const printed = await scene.prints("replace", "new", "--key=same", "2", "--delay=2h");

  equal(printed, 'Scheduled "new" under "same", due in 2h\n');
  const execution = await docket.execution("same");
  deepEqual([execution?.task, execution?.args], ["new", [2]]);
  equal((await docket.snapshot()).counts.scheduled, 1);
});

cliTest("docket replace of what runs is deferred; docket cancel asks it to stop", async (scene) => {
  await hold(scene, "runs");

  const { stdout: replaced } = await scene.run("replace", "next", "--key", "runs");
  const docket = await scene.connect();
  const { waiting } = await docket.snapshot();
  const cancelled = await scene.prints("cancel", "runs");

  equal(replaced, 'Deferred "next" under "runs" until the one that runs has ended\n');
  deepEqual(waiting.map(({ task }) => task), ["next"]);
  equal(cancelled, 'Asked "runs" to stop: it runs\n');
  equal((await docket.snapshot()).counts.waiting, 0);
});

cliTest("docket cancel cancels what waits, and exits with 1 where nothing is", async (scene) => {
  const docket = await scene.connect();
  const execution = await docket.add("a", { key: "k\x1b", delay: "1h" })();

  equal(await scene.prints("cancel", "k\x1b"), 'Cancelled "k\\u001b"\n');
  equal((await execution.refresh()).state, "cancelled");
  const { code, stdout, stderr } = await scene.run("cancel", "k\x1b");
  deepEqual([code, stdout, stderr], [1, 'Nothing is live under "k\\u001b"\n', ""]);
});

for (
  const [args, reason] of [
    [["add"], /`TASK`/],
    [["add", "a", "--when", "2026-01-31", "--delay", "1h"], /"when" and "delay" together/],
    [["add", "a", "--when", "2026-02-30"], /^`--when`: "2026-02-30" is not an instant: write /],
    [["add", "a", "--when", "tomorrow"], /^`--when`: "tomorrow" is not an instant: write /],
    [["add", "a", "--when", "2026-01-31T09:00"], /is not an instant: write /], // of which place?
    [["add", "a", "--delay", "5x"], /^`--delay`: "5x" is not a duration: write 90 \(seconds\), /],
    [["add", "a", "--delay", "-5"], /--delay/],
    [["add", "a", "-5"], /"-5"/],
    [["add", "a", "int:x"], /"x" is not a whole number/],
    [["add", "a", "9007199254740993"], /too large for a number: write bigint:9007199254740993/],
    [["add", "a", "{broken"], /"{broken" is not JSON: write str: before it if it is text/],
    [["add", "a", "date:2026-02-30"], /not an instant/],
    [["add", ""], /name/],
    [["replace", "a"], /`--key`/],
    [["replace", "--key", "k"], /`TASK`/],
    [["add", "a", "--key", "k".repeat(3_000)], /key/],
    [["cancel", "k".repeat(3_000)], /key/],
  ] as const
) {
  cliTest(`docket ${args.join(" ").slice(0, 60)} is refused`, async (scene) => {
    match(await scene.refuses(...args), reason);
  });
}

/** Has a task that runs until it is told to stop. */
async function hold({ stage }: Scene, key: string): Promise<void> {
  const docket = await stage.connect();
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  stage.afterwards(gate.resolve);
  async function held(): Promise<void> {
    started.resolve();
    await gate.promise;
  }
  await docket.add(held, { key })();
  stage.start(docket);
  await started.promise;
}
