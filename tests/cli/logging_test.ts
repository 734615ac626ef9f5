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
