/**
 * `docket clear`: it asks first.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { cliTest, type Scene } from "./_docket.ts";

cliTest("docket clear --yes cancels everything that waits", async (scene) => {
  await fill(scene);

  equal(await scene.prints("clear", "--yes"), `Cleared 2 tasks from ${scene.name}\n`);
  equal(await scene.prints("clear", "-y"), `Cleared 0 tasks from ${scene.name}\n`);

  equal(await left(scene), 0);
});

cliTest("docket clear without a terminal and without --yes is refused", async (scene) => {
  await fill(scene);

  match(await scene.refuses("clear"), /there is no terminal; give --yes$/);
  equal((await scene.shell("echo y | docket clear")).code, 2);

  equal(await left(scene), 2);
});

for (const answer of ["y", "yes", "Y"]) {
  cliTest(`docket clear clears when it is answered ${answer}`, async (scene) => {
    await fill(scene);
    const child = scene.terminal(["clear"]);
    await child.says(`Cancel 2 tasks on ${scene.name}? [y/N] `);

    await child.type(`${answer}\r`);

    equal(await child.ends(), 0);
    ok(child.output.endsWith(`\nCleared 2 tasks from ${scene.name}\r\n`), child.output);
    equal(await left(scene), 0);
  });
}

for (
  const [answer, typed] of [
    ["n", "n\r"],
    ["nothing", "\r"],
    ["yippie", "yippie\r"],
    ["Ctrl-D", "\x04"],
    ["Ctrl-C", "\x03"],
  ] as const
) {
  cliTest(`docket clear clears nothing when it is answered ${answer}`, async (scene) => {
    await fill(scene);
    const child = scene.terminal(["clear"]);
    await child.says("[y/N] ");

    await child.type(typed);

    equal(await child.ends(), 1);
    ok(child.output.endsWith("Nothing cleared\r\n"), child.output);
    equal(await left(scene), 2);
  });
}

async function fill({ stage }: Scene): Promise<void> {
  const docket = await stage.connect();
  const executions = await docket.addAll([
    docket.call("nobody")(),
    docket.call("nobody", { delay: "1h" })(),
  ]);
  deepEqual(executions.map(({ disposition }) => disposition), ["scheduled", "scheduled"]);
}

async function left({ stage }: Scene): Promise<number> {
  const docket = await stage.connect();
  const { counts } = await docket.snapshot();
  return counts.scheduled + counts.queued;
}
