/**
 * What `deno task test` runs: the checks that only read the sources, then every test, the README's and
 * the doc comments' among them, against a Redis.
 *
 * - `deno task check` (`--static`) stops before the tests.
 * - `deno task test tests/fundamentals` runs the tests of these paths and no checks. Whatever else
 *   stands there, such as `--filter`, goes to `deno test` as well.
 * - `deno task test:faults` (`--faults`) runs what breaks servers, networks and processes, one file
 *   after the other, as nothing may come between.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import config from "../deno.json" with { type: "json" };
import { provideRedis } from "./redis.ts";

/** Tests that need the machine for themselves. */
const FAULTS = "tests/faults";

const root = new URL("../", import.meta.url);
const colors: Record<string, string> = Deno.stdout.isTerminal() ? {} : { NO_COLOR: "1" };

async function main(args: string[]): Promise<number> {
  const given = args.filter((arg) => arg !== "--");
  const onlyChecks = given.includes("--static");
  const inSeries = given.includes("--faults");
  const selection = given.filter((arg) => arg !== "--static" && arg !== "--faults");

  const failed = selection.length === 0 && !inSeries ? await runChecks() : [];
  if (failed.length > 0) console.log(`Failed: ${failed.join(", ")}`);
  if (onlyChecks) return failed.length > 0 ? 1 : 0;

  const tests = await runTests(selection, inSeries);
  console.log(`${tests.passed} passed, ${tests.failed} failed`);
  return failed.length > 0 || !tests.ok ? 1 : 0;
}

/** Runs every check, so that all failures show at once, and names those that failed. */
async function runChecks(): Promise<string[]> {
  const sources = ["mod.ts", "cli.ts", "src", "tests", "examples", "bench", "chaos", "scripts"];
  const checks: readonly string[][] = [
    ["fmt", "--check"],
    ["lint"],
    ["check", ...await present(sources)],
    ["doc", "--lint", ...Object.values(config.exports)],
    ["publish", "--dry-run", "--allow-dirty"],
  ];
  const failed: string[] = [];
  for (const args of checks) {
    if (!await runCheck(args)) failed.push(nameOf(args));
  }
  return failed;
}

async function runCheck(args: string[]): Promise<boolean> {
  const start = performance.now();
  const { success, stdout, stderr } = await deno(args).output();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${nameOf(args)} ... ${success ? "ok" : "FAILED"} (${seconds} s)`);
  if (!success) console.log(legible(stdout), legible(stderr));
  return success;
}

/** The text without the warnings that `deno doc` prints for any package with types for Node. */
function legible(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  return text.replaceAll(/^.*Warning.*Failed resolving types.*\n\s+at .*\n/gm, "");
}

/** `deno fmt --check`: the command and its flags, without the paths. */
function nameOf([command, ...args]: string[]): string {
  return ["deno", command, ...args.filter((arg) => arg.startsWith("--"))].join(" ");
}

interface Tally {
  readonly ok: boolean;
  readonly passed: number;
  readonly failed: number;
}

async function runTests(selection: readonly string[], inSeries: boolean): Promise<Tally> {
  await using redis = await provideRedis();
  // An interrupt ends the tests only, so that this process still disposes the server.
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => interrupt.abort());
  }

  // What is to be ignored, Deno ignores in the first of these alone.
  const usual = inSeries ? [FAULTS] : ["tests", "README.md", "docs", "mod.ts", "src"];
  const paths = (await present(selection)).length > 0 ? [] : usual;
  const how = inSeries ? [] : ["--parallel", "--doc"];
  if (!inSeries && paths.length > 0) how.push(`--ignore=${FAULTS}`);
  const command = deno(["test", "-A", ...how, ...selection, ...paths], {
    env: { ...colors, REDIS_URL: redis.url },
    signal: interrupt.signal,
    stderr: "inherit",
  });
  const child = command.spawn();
  let report = "";
  const text = new TextDecoder();
  for await (const chunk of child.stdout) {
    await write(chunk);
    report += text.decode(chunk, { stream: true });
  }
  const { success } = await child.status;
  return tally(report, success);
}

/** Reads the closing line of `deno test`. No line or no test is a failure: nothing was shown to work. */
function tally(report: string, success: boolean): Tally {
  const closing = /^(?:ok|FAILED) \| (\d+) passed\b.*? \| (\d+) failed\b/gm;
  const [, passed = 0, failed = 0] =
    [...stripVTControlCharacters(report).matchAll(closing)].at(-1) ?? [];
  const ok = success && Number(passed) > 0 && Number(failed) === 0;
  return { ok, passed: Number(passed), failed: ok ? 0 : Math.max(1, Number(failed)) };
}

function deno(args: string[], options: Deno.CommandOptions = {}): Deno.Command {
  const pipes = { stdin: "null", stdout: "piped", stderr: "piped" } as const;
  return new Deno.Command(Deno.execPath(), { args, cwd: root, env: colors, ...pipes, ...options });
}

async function write(bytes: Uint8Array): Promise<void> {
  const writer = Deno.stdout.writable.getWriter();
  await writer.write(bytes);
  writer.releaseLock();
}

/** Those of these paths that exist. */
async function present(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const exists = await Deno.stat(new URL(path, root)).then(() => true, () => false);
    if (exists) found.push(path);
  }
  return found;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
