/**
 * Runtimes that differ: Deno with few permissions, and Bun. Node is in tests/node.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildNpm, packNpm } from "../../scripts/build_npm.ts";
import { type Ended, expect, run } from "../../scripts/node/command.ts";
import { openDirectory } from "../../scripts/node/workspace.ts";

const redisUrl = process.env.REDIS_URL;
if (!redisUrl) {
  throw new Error("Cannot test runtimes: set REDIS_URL, or run `deno task test:faults`");
}

const root = new URL("../../", import.meta.url);

test("F62 the suite passes with --allow-net=127.0.0.1, --allow-env and --allow-read alone", async () => {
  const files = ["add", "retry"].map((name) => `tests/fundamentals/${name}_test.ts`);
  const few = ["--no-prompt", "--allow-net=127.0.0.1", "--allow-env", "--allow-read"];

  const { success, stdout, stderr } = await deno(["test", "--no-check", ...few, ...files]);

  ok(success, stdout + stderr);
  ok(/\| [1-9]\d+ passed \| 0 failed/.test(stdout), stdout);
});

test("F62 a permission that is missing is named by the error, and asks for nothing that is not needed", async () => {
  const net = "--allow-net=127.0.0.1";
  const without = async (url: string, ...flags: string[]) => {
    const args = ["run", "--no-check", "--no-prompt", ...flags, pathOf("_connecting.ts"), url];
    const { stdout, stderr } = await deno(args);
    return stdout + stderr;
  };

  const [memory, enough, offline, elsewhere, blind, socket] = await Promise.all([
    without("memory://permissions"),
    without(redisUrl, net, "--allow-env"),
    without(redisUrl, "--allow-env"),
    without(redisUrl, "--allow-net=127.0.0.1:1", "--allow-env"),
    without(redisUrl, net),
    without("unix:///nowhere/redis.sock", "--allow-env"),
  ]);

  ok(/^connected worker#\d+$/m.test(memory), memory); // nothing at all, and no host's name
  ok(/^connected worker#\d+$/m.test(enough), enough);
  for (const text of [offline, elsewhere]) ok(/^CONNECTION .*--allow-net/m.test(text), text);
  ok(/^NotCapable .*--allow-env/m.test(blind), blind);
  ok(/^CONNECTION .*--allow-read/m.test(socket), socket);
});

test("F62 the npm package runs in Bun, and so does its command line", async () => {
  await using directory = await openDirectory();
  const at = (path: string) => new URL(path, directory.url);
  await buildNpm(at("npm/"));
  const { file } = await packNpm(at("npm/"), at("packed/"));
  await Deno.writeTextFile(at("package.json"), `{ "private": true, "type": "module" }\n`);
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  await expect("npm", ["install", ...quiet, fileURLToPath(file), "bun@1"], { cwd: directory.url });
  await Deno.copyFile(pathOf("_smoke.mjs"), at("smoke.mjs"));
  const bun = (...args: string[]) =>
    run(fileURLToPath(at("node_modules/.bin/bun")), args, { cwd: directory.url, patience: 60 });

  for (const url of [redisUrl, "memory://smoke"]) {
    const { success, stdout, stderr } = await bun("smoke.mjs", url);
    ok(success, stdout + stderr);
    deepEqual(stdout.trim().split("\n"), ["done at attempt 2", "a,1", "EXECUTION_CANCELLED", "0"]);
  }

  const command = ["node_modules/@docket/docket/bin/docket.js", "snapshot", "--url", redisUrl];
  const { success, stdout, stderr } = await bun(...command, "--docket", "bun", "--json");
  ok(success, stdout + stderr);
  equal(JSON.parse(stdout).counts.running, 0);
});

test("F61 what is in memory ends with its process, and does not keep it from ending", async () => {
  for (let n = 0; n < 2; n++) {
    const { success, stdout, stderr } = await deno([
      "run",
      "--no-check",
      "-A",
      pathOf("_ephemeral.ts"),
    ]);
    ok(success, stderr);
    equal(stdout.trim(), "0 1");
  }
});

function deno(args: readonly string[]): Promise<Ended> {
  const env = { NO_COLOR: "1" };
  return run(Deno.execPath(), args, { cwd: root, env, patience: 120 });
}

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}
