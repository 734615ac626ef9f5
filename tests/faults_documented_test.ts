/** Every fault is shown by a test, and docs/faults.md says by which. */

import { deepStrictEqual as deepEqual, ok } from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

/** F51 is about a dashboard, which there is not. */
const FAULTS = Array.from({ length: 62 }, (_, n) => `F${String(n + 1).padStart(2, "0")}`)
  .filter((fault) => fault !== "F51");

test("docs/faults.md has each fault once, with tests that cite its number", async () => {
  const docs = new URL("../docs/", import.meta.url);
  const page = await readFile(new URL("faults.md", docs), "utf8");
  const rows = [...page.matchAll(/^\| (F\d\d) .*$/gm)];

  deepEqual(rows.map(([, fault]) => fault), FAULTS);
  for (const [row, fault] of rows) {
    const shown = [...row.matchAll(/\]\((\.\.\/tests\/[^)]+)\)/g)];
    ok(shown.length > 0, `${fault} names no test`);
    for (const [, path] of shown) {
      const source = await readFile(new URL(path, docs), "utf8");
      ok(new RegExp(`\\b${fault}\\b`).test(source), `${path} does not cite ${fault}`);
    }
  }
});
