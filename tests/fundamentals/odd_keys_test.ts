/**
 * Any string is a safe key, and any text a safe name of a task (invariant 13).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { task } from "../../mod.ts";
import { aborted, onEveryStorage } from "../_harness.ts";

/** F44: what somebody's parser, pattern, prototype or script might trip over. */
const odd: readonly string[] = [
  "",
  " ",
  "stream",
  "state",
  "tasks",
  "due",
  "next",
  "calls",
  "dead",
  "graves",
  "workers",
  "strikes",
  "events",
  "wake",
  "@watch",
  "r:",
  "r:other",
  "{x}",
  "}{",
  "{}:state",
  "a|b",
  "|||",
  "a:b::c",
  "a.b",
  "*",
  "?[a-z]",
  "\\",
  "\\x00",
  "\0",
  "\n",
  "a\r\nb",
  "\t",
  "'",
  '"',
  "`",
  "%7C%",
  "${key}",
  "%s",
  "~",
  "-",
  "+",
  "(",
  "$",
  ">",
  "0",
  "-1",
  "1e3",
  "NaN",
  "null",
  "undefined",
  "false",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "toString",
  "then",
  "é", // one character
  "e\u0301", // and the same to the eye, in two
  "ß",
  "SS",
  "İ",
  "🎈",
  "👩‍👩‍👧‍👦",
  "\u{10FFFF}",
  "\uFEFF",
  "\u202Eright to left",
  "x".repeat(1_024),
  "é".repeat(512),
  "🎈".repeat(256),
];

onEveryStorage("A key", (test) => {
  // 13. All at once in one docket: none is taken for another. 66: waiting for each works.
  test("may be any string: it runs, dedupes and gives its own result", async (stage) => {
    const docket = await stage.connect();
    const other = await stage.connect();
    function echo(index: number): number {
      return index;
    }
    const first = await Promise.all(odd.map((key, index) => docket.add(echo, { key })(index)));
    const second = await Promise.all(odd.map((key) => docket.add(echo, { key })(-1)));
    const results = Promise.all(first.map((execution) => execution.result()));

    await stage.finish(docket);

    deepEqual(first.filter(({ disposition }) => disposition !== "scheduled"), []);
    deepEqual(second.filter(({ disposition }) => disposition !== "exists"), []);
    deepEqual(await stage.soon(results), odd.map((_, index) => index));
    for (const [index, key] of odd.entries()) {
      const found = await other.execution<typeof echo>(key);
      equal(found?.key, key);
      equal(found?.state, "completed");
      equal(await found?.result(), index);
    }
  });

  test("may be any string: it is replaced and cancelled alone", async (stage) => {
    const docket = await stage.connect();
    const seen: number[] = [];
    function note(index: number): void {
      seen.push(index);
    }
    await Promise.all(odd.map((key) => docket.add(note, { key, delay: "1h" })(-1)));
    const replaced = odd.filter((_, index) => index % 2 === 0);
    const cancelled = odd.filter((_, index) => index % 2 === 1);

    await Promise.all(replaced.map((key) => docket.replace(note, { key })(odd.indexOf(key))));
    const answers = await Promise.all(cancelled.map((key) => docket.cancel(key)));
    await stage.finish(docket);

    deepEqual(answers, cancelled.map(() => "cancelled"));
    deepEqual(seen.sort((a, b) => a - b), replaced.map((key) => odd.indexOf(key)));
  });

  test("may be any string while its task runs, is cancelled and is replaced", async (stage) => {
    const docket = await stage.connect();
    const release = Promise.withResolvers<void>();
    const seen = new Map<string, string[]>();
    const hold = task("hold", async ({ key, signal }, text: string): Promise<void> => {
      seen.set(key, [...seen.get(key) ?? [], text]);
      if (text === "old") await Promise.race([release.promise, aborted(signal)]);
      signal.throwIfAborted();
    });
    await Promise.all(odd.map((key) => docket.add(hold, { key })("old")));
    stage.start(docket, { concurrency: odd.length, redeliveryTimeout: "1s" });
    await stage.eventually(() => seen.size === odd.length);

    const answers = await Promise.all(
      odd.map(async (key, index) => {
        if (index % 2 === 0) return await docket.cancel(key);
        return (await docket.replace(hold, { key })("new")).disposition;
      }),
    );
    await stage.eventually(async () => {
      const found = await Promise.all(odd.map((key) => docket.execution(key)));
      return found.filter((execution) => execution?.state === "cancelled").length ===
        Math.ceil(odd.length / 2);
    });
    release.resolve();

    deepEqual(answers, odd.map((_, index) => index % 2 === 0 ? "requested" : "deferred"));
    await stage.eventually(async () => {
      const found = await Promise.all(odd.map((key) => docket.execution(key)));
      return found.every((execution, index) =>
        execution?.state === (index % 2 === 0 ? "cancelled" : "completed")
      );
    });
    for (const [index, key] of odd.entries()) {
      deepEqual(seen.get(key), index % 2 === 0 ? ["old"] : ["old", "new"]);
    }
  });
});

onEveryStorage("A task's name", (test) => {
  // 9, 13: names are data too
  test("may be any string", async (stage) => {
    const docket = await stage.connect();
    const names = odd.filter((name) => name !== "");
    const tasks = names.map((name) => task(name, (_context, text: string) => `${name} ${text}`));
    docket.register(tasks);
    const executions = await Promise.all(
      names.map((name) => docket.add<(text: string) => string>(name)("runs")),
    );

    await stage.finish(docket);

    const results = await Promise.all(executions.map((execution) => execution.result()));
    deepEqual(results, names.map((name) => `${name} runs`));
    for (const [index, execution] of executions.entries()) {
      equal((await docket.execution(execution.key))?.task, names[index]);
    }
  });
});

onEveryStorage("A worker's name", (test) => {
  // 76: it is a label
  test("may be odd, and is shown as it is", async (stage) => {
    const docket = await stage.connect();
    function noop(): void {}
    for (const name of ["web 1", "a:b", "{x}", "*", "100%", "é🎈", "__proto__"]) {
      const execution = await docket.add(noop)();

      await stage.finish(docket, { name });

      equal((await execution.refresh()).worker, name);
    }
  });
});
