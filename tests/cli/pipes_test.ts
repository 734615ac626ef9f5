/**
 * Pipes: what reads the output may stop reading.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import { Worker } from "../../mod.ts";
import { cliTest } from "./_docket.ts";

cliTest("docket … | head -1 ends without a word", async (scene) => {
  const docket = await scene.connect();
  const calls = Array.from({ length: 1_000 }, () => docket.call("nobody", { delay: "1h" })());
  await docket.addAll(calls); // more than fits in a pipe

  for (const command of ["snapshot", "snapshot --json"]) {
    const { code, stdout, stderr } = await scene.shell(`docket ${command} | head -1`);

    deepEqual([code, stderr], [0, ""]);
    match(stdout, command === "snapshot" ? /^\S+: 1000 scheduled, .*\n$/ : /^\{\n$/);
  }
});

cliTest("docket failed rm --all | head -1 does all that it was asked for", async (scene) => {
  const docket = await scene.connect();
  docket.register({
    fail: (): never => {
      throw new Error("no");
    },
  });
  await docket.addAll(Array.from({ length: 1_000 }, () => docket.call("fail")()));
  const worker = new Worker(docket);
  await worker.runUntilFinished();
  await worker.close();
  equal((await docket.failed()).length, 1_000);

  const { code, stderr } = await scene.shell("docket failed rm --all | head -1");

  deepEqual([code, stderr], [0, ""]);
  equal((await docket.failed()).length, 0);
});

cliTest("docket worker goes on where nobody reads what it logs any more", async (scene) => {
  const docket = await scene.connect();
  for (let n = 0; n < 3; n++) await docket.add("trace", { key: `${n}` })("hello");
  const worker = "docket worker --until-finished --concurrency 1";

  const { code, stdout } = await scene.shell(`{ { ${worker}; echo $? >&3; } 2>&1 | true; } 3>&1`);

  deepEqual([code, stdout], [0, "0\n"]);
  for (let n = 0; n < 3; n++) equal((await docket.execution(`${n}`))?.state, "completed");
});

cliTest("docket … into a pipe is whole, however long it is", async (scene) => {
  const docket = await scene.connect();
  const calls = Array.from({ length: 1_000 }, () => docket.call("nobody", { delay: "1h" })());
  await docket.addAll(calls);

  const { stdout: rows } = await scene.shell("docket snapshot | (sleep 0.1; wc -l)");
  const { executions } = JSON.parse(await scene.prints("snapshot", "--json"));

  equal(rows.trim(), "1002");
  equal(executions.length, 1_000);
});

cliTest("docket snapshot says the same in each pipe", async (scene) => {
  const docket = await scene.connect();
  await docket.add("nobody", { key: "é👍", when: new Date("2100-01-31T09:00Z") })();

  const env = { COLUMNS: "20", FORCE_COLOR: "1", TERM: "xterm-256color" };
  const first = await scene.run("snapshot");

  deepEqual(await scene.runWith({ env }, "snapshot"), first);
  match(first.stdout, / nobody {2}é👍 /);
});
