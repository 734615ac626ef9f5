/**
 * Which modules and exports are tasks.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
} from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { CommandError, UsageError } from "../../src/cli/errors.ts";
import { loadFunction, loadTasks } from "../../src/cli/load.ts";

/** A module of ours, as the runtime loads it. */
function moduleOf(name: string): string {
  const extension = import.meta.url.slice(-3); // in Node this is compiled
  return fileURLToPath(new URL(`../../src/cli/${name}${extension}`, import.meta.url));
}

const text = moduleOf("render");

test("loadTasks() gives a whole module, or one export of it", async () => {
  ok("span" in await loadTasks(text));
  equal(typeof await loadTasks(`${text}:span`), "function");
  equal(await loadTasks(`file://${text}:span`), await loadTasks(`${text}:span`));
  equal(typeof await loadTasks("node:path:join"), "function");
});

test("loadTasks() takes no name from behind a colon that is none", async () => {
  await rejects(loadTasks("C:\\nope.ts"), { message: /Cannot find the file "C:\\\\nope\.ts"/ });
  await rejects(loadTasks("c:/nope.js"), UsageError);
  await rejects(loadTasks(`${text}:not a name`), { message: /not a name/ });
});

test("loadTasks() gives nothing that is only inherited", async () => {
  await rejects(loadTasks(`${text}:toString`), {
    message: /^Cannot find toString in .*bar, count/,
  });
  await rejects(loadTasks(`${text}:constructor`), UsageError);
});

test("loadTasks() tells what is missing from what is broken", async () => {
  await rejects(loadTasks("./nope.ts"), UsageError);
  await rejects(loadTasks("nope/nope.mjs"), UsageError);
  await rejects(loadTasks("no-such-package"), CommandError);
  await rejects(loadTasks("no-such-package:tasks"), {
    name: "CommandError",
    message: /^Cannot load "no-such-package": /,
  });
});

test("loadFunction() gives a function, and nothing else", async () => {
  const loaded = await loadFunction(`${text}:count`);

  deepEqual(loaded(3, "task"), "3 tasks");
  await rejects(loadFunction(text), { message: /name its export, as in .*render\.[tj]s:run$/ });
  await rejects(loadFunction(`${text}:nope`), UsageError);
  await rejects(loadFunction(`${moduleOf("version")}:VERSION`), { message: /VERSION is none$/ });
});
