/**
 * What the sources must never do, whatever they are given: looked for in their text. The second half plants each, so that a
 * check that finds nothing is known to have looked.
 *
 * @module
 */

import { deepStrictEqual as deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { readSources, type Sources, withoutComments } from "./imports.ts";

/** The only place that loads what it is told to, by the command line. */
const LOADER = "src/cli/load.ts";

/** Who spreads things in time; ids and tokens are not among them. */
const JITTERS: readonly string[] = [
  "src/base/loop.ts",
  "src/dependencies/retry.ts",
  "src/docket/agenda.ts",
  "src/worker/reclaimer.ts",
  "src/worker/sweeper.ts",
];

test("src/ evaluates no text, and loads nothing by a name that is not in the source", async () => {
  deepEqual(evaluations(await readSources()), []);
});

test("src/ takes no id and no token from Math.random()", async () => {
  deepEqual(guessable(await readSources()), []);
});

test("scripts are the same text for everybody, and look at no key that is not the docket's", async () => {
  deepEqual(looseScripts(await readSources()), []);
});

test("no process is started, and no shell", async () => {
  deepEqual(processes(await readSources()), []);
});

test("evaluations() finds each way", () => {
  const planted: Sources = new Map([
    ["src/base/a.ts", "eval(text);"],
    ["src/base/b.ts", 'const f = new Function("x", text);'],
    ["src/base/c.ts", "await import(name);"],
    ["src/base/d.ts", "await import(`./${name}.ts`);"],
    ["src/base/e.ts", 'import vm from "node:vm";'],
    ["src/base/f.ts", 'await import("./known.ts"); // eval(text)'],
    [LOADER, "await import(specifier);"],
  ]);

  deepEqual(evaluations(planted), ["a", "b", "c", "d", "e"].map((name) => `src/base/${name}.ts`));
});

test("guessable(), looseScripts() and processes() find what they look for", () => {
  deepEqual(guessable(new Map([["src/base/ids.ts", "Math.random()"]])), ["src/base/ids.ts"]);
  const scripts: Sources = new Map([
    ["src/storage/redis/scripts/a.ts", "loadstring(ARGV[1])()"],
    ["src/storage/redis/scripts/b.ts", "call('KEYS', '*')"],
    ["src/storage/redis/scripts/c.ts", "(name: string) => script({}, `call('GET', '${name}')`)"],
    ["src/storage/redis/scripts/d.ts", "export const d = script({}, `call('GET', KEYS[1])`)"],
    ["src/storage/redis/scripts/e.ts", "call('FLUSHALL')"],
  ]);
  deepEqual(looseScripts(scripts).map((file) => file.slice(-4)), ["a.ts", "b.ts", "c.ts", "e.ts"]);
  deepEqual(processes(new Map([["src/cli/a.ts", 'import "node:child_process";']])), [
    "src/cli/a.ts",
  ]);
});

function evaluations(sources: Sources): string[] {
  return having(sources, (code, file) => {
    const named = /\bimport\((?!\s*["'][^"'`$]*["'],?\s*\))/.test(code) && file !== LOADER;
    return named || /\beval\s*\(|\bnew Function\b|["']node:vm["']/.test(code);
  });
}

function guessable(sources: Sources): string[] {
  return having(sources, (code, file) => {
    return /\bMath\.random\b/.test(code) && !JITTERS.includes(file);
  });
}

/** A script that is made anew for each call could have something of its caller in it. */
function looseScripts(sources: Sources): string[] {
  return having(sources, (code, file) => {
    if (!file.startsWith("src/storage/redis/scripts/")) return false;
    const forbidden =
      /\b(loadstring|dofile|loadfile)\b|'(KEYS|FLUSHALL|FLUSHDB|CONFIG|DEBUG|EVAL)'/;
    return forbidden.test(code) || /=>\s*\{?\s*(return )?script\(/.test(code);
  });
}

function processes(sources: Sources): string[] {
  return having(sources, (code) => /["']node:(child_process|cluster)["']/.test(code));
}

function having(sources: Sources, wrong: (code: string, file: string) => boolean): string[] {
  return [...sources].filter(([file, source]) => wrong(withoutComments(source), file))
    .map(([file]) => file);
}
