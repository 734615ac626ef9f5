/**
 * `docket top`, as a process in a terminal.
 *
 * @module
 */

import { match, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { cliTest, refusalOf, run } from "./_docket.ts";

cliTest(
  "docket top shows what runs, who works and what has failed, until Ctrl-C",
  async (scene) => {
    const docket = await scene.connect();
    const gate = Promise.withResolvers<void>();
    scene.stage.afterwards(gate.resolve);
    async function hold(): Promise<void> {
      await gate.promise;
    }
    function explode(): never {
      throw new Error("whoops\x1b[31m");
    }
    await docket.add(hold, { key: "runs" })();
    await docket.add(explode, { key: "breaks" })();
    scene.stage.start(docket);

    const child = scene.terminal(["top", "--interval", "200ms"]);
    await child.says(`${scene.name} at redis://`);
    await child.says(/\r\ntester +1\/10 .* explode\r\n/);
    await child.says(/\r\nhold +runs +[1-9]\d*s +tester\r\n/); // its age is told in each drawing
    await child.says(/\r\nexplode +breaks +\S.* {2}whoops\\u001b\[31m\r\n/);
    await child.says(/ queued 0 .* running 1 /);
    await child.says(" queued 0.0  started 0.0 "); // it counts from now on
    await docket.add(hold, { key: "later" })();
    await child.says(/ queued (0\.[1-9]|1\.0) {2}started (0\.[1-9]|1\.0) /);
    await child.type("\x03");

    equal(await child.ends(), 130);
  },
);

test("docket top is refused where nobody watches", async () => {
  match(refusalOf(await run(["top"])), /^Cannot watch here: top draws on a terminal/);
});

test("docket top is refused with an interval that nobody can mean", async () => {
  for (const interval of ["0", "99ms", "2h"]) {
    match(refusalOf(await run(["top", "--interval", interval])), /--interval: .* 100ms to 1h$/);
  }
});
