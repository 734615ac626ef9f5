/**
 * Every test file runs in Node too, or is left out for a reason.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, ok } from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { divide, divideTests, leftOut } from "../../scripts/node/suite.ts";
import { withoutComments } from "../imports.ts";

test("What is left out of the tests in Node exists, and says why", async () => {
  const { stale } = await divideTests();

  deepEqual(stale, []);
  for (const [path, reason] of Object.entries(leftOut)) ok(reason.length > 10, path);
});

test("What runs in Node uses no global of Deno", async () => {
  const { runs } = await divideTests();
  const using: string[] = [];
  for (const file of runs) {
    const source = await readFile(new URL(`../../${file}`, import.meta.url), "utf8");
    if (/\bDeno\s*(\.|\?\.)/.test(withoutComments(source))) using.push(file);
  }

  deepEqual(using, [], "use what both runtimes have, or name the file in scripts/node/suite.ts");
});

test("divide() runs whatever no entry names, and tells of entries that name nothing", () => {
  const files = ["tests/a_test.ts", "tests/b/c_test.ts", "tests/b_test.ts", "tests/d/e_test.ts"];
  const leftOut = ["tests/b/", "tests/a_test.ts", "tests/e/", "tests/d"];

  deepEqual(divide(files, leftOut, ["tests/d/", "tests/b/"]), {
    runs: ["tests/b_test.ts", "tests/d/e_test.ts"],
    essential: ["tests/d/e_test.ts"],
    stale: ["tests/e/", "tests/d", "tests/b/"],
  });
});
