/**
 * `docket tasks`: what is put on the docket is run by a worker that knows no other tasks.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import { cliTest } from "./_docket.ts";

cliTest("docket tasks are run by any docket worker", async (scene) => {
  const docket = await scene.connect();
  for (
    const args of [
      ["trace"],
      ["trace", "hello\x1b[31m you"],
      ["fail"],
      ["fail", "whoops"],
      ["sleep", "0.001"],
    ]
  ) {
    match(await scene.prints("tasks", ...args), /^Scheduled "[a-z]+" under "[^"]+"\n$/);
  }
  const { queued } = await docket.snapshot();
  deepEqual(queued.map(({ task, args }) => [task, args]), [
    ["trace", ["Howdy!"]],
    ["trace", ["hello\x1b[31m you"]],
    ["fail", ["Howdy!"]],
    ["fail", ["whoops"]],
    ["sleep", [0.001]],
  ]);

  const { code, stdout, stderr } = await scene.run("worker", "--until-finished");

  deepEqual([code, stdout], [0, ""]);
  match(stderr, /\[INFO\] \S*task: Howdy!$/m);
  match(stderr, /\[INFO\] \S*task: hello\\u001b\[31m you$/m);
  match(stderr, /\[ERROR\] .*\bfail .*: Howdy!$/m);
  match(stderr, /\[ERROR\] .*\bfail .*: whoops$/m);
  const states = await Promise.all(queued.map(async (one) => (await one.refresh()).state));
  deepEqual(states, ["completed", "completed", "failed", "failed", "completed"]);
});

cliTest("docket tasks sleep sleeps for a second, if it is not told how long", async (scene) => {
  const docket = await scene.connect();
  await scene.prints("tasks", "sleep", "--delay", "1h");

  const { scheduled } = await docket.snapshot();

  deepEqual(scheduled.map(({ task, args }) => [task, args]), [["sleep", [1]]]);
});

for (
  const [args, reason] of [
    [["sleep", "x"], /"x"/],
    [["sleep", "--", "-1"], /-1/],
    [["trace", "two", "words"], /"words"/],
    [["trace", "--delay", "soon"], /"soon" is not a duration/],
  ] as const
) {
  cliTest(`docket tasks ${args.join(" ")} is refused`, async (scene) => {
    match(await scene.refuses("tasks", ...args), reason);
    equal(await scene.prints("failed", "ls"), `Nothing failed on ${scene.name}\n`);
  });
}
