/**
 * What stands on standard error of whatever a task throws.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, ok } from "node:assert/strict";
import { cliTest } from "./_docket.ts";

const ODD = `
export function itself() {
  const error = new Error("caused by itself");
  error.stack = "";
  throw Object.assign(error, { cause: error });
}
export function circle() {
  const a = new Error("a"), b = new Error("b", { cause: a });
  a.cause = b;
  throw a;
}
export function touchy() {
  const error = new Error("touchy");
  for (const name of ["stack", "cause"]) {
    Object.defineProperty(error, name, { enumerable: true, get() { throw new Error("hands off"); } });
  }
  throw error;
}
export function strange() {
  throw Object.assign(new Error("strange"), { stack: Object.create(null), cause: Object.assign(new Error(), { message: Symbol("no text") }) });
}
`;

const NAMES = ["itself", "circle", "touchy", "strange"];

cliTest("docket worker tells of each failure, whatever was thrown", async (scene) => {
  const docket = await scene.connect();
  const tasks = await scene.file("odd.ts", ODD);
  for (const format of ["plain", "pretty", "json"]) {
    for (const name of NAMES) await docket.add(name, { key: name })();

    const { code, stderr } = await scene.runWith(
      { env: { NO_COLOR: "1" } },
      ...["worker", "--until-finished", "--tasks", tasks, "--logging-format", format],
    );

    deepEqual(code, 0, stderr);
    for (const name of NAMES) match(stderr, new RegExp(`${name}.* failed .*at attempt 1`), format);
    ok(stderr.length < 50_000, `${stderr.length}`);
  }
});

// What a key or an error holds is written as one line, whatever it wants to look like.
cliTest("docket worker's log cannot be forged by what others wrote", async (scene) => {
  const docket = await scene.connect();
  const forged =
    '\n2026-01-01T00:00:00.000Z [ERROR] docket·worker: forged\r\n{"level":"ERROR"}\x1b[2J';
  const tasks = await scene.file(
    "forger.ts",
    `export function forge(text) { const e = new Error(text); e.name = text; throw e; }`,
  );
  for (const format of ["plain", "pretty", "json"]) {
    await docket.add("forge", { key: `key${forged}` })(forged);

    const { code, stderr } = await scene.runWith(
      { env: { NO_COLOR: "1" } }, // and no control characters, which it looks for
      ...["worker", "--until-finished"],
      ...["--tasks", tasks, "--logging-format", format],
    );

    deepEqual(code, 0, stderr);
    const lines = stderr.trimEnd().split("\n");
    match(stderr, /forged/);
    deepEqual(
      lines.filter((line) => /^(\{"level":"ERROR"\}|.{0,40}docket·worker: forged)/.test(line)),
      [],
    );
    if (format === "json") { for (const line of lines) ok("level" in JSON.parse(line), line); }
  }
});
