/**
 * The shared tests, compiled for Node and run against the files of the package as npm installed them.
 *
 * @module
 */
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { run } from "./command.ts";
import { compile, root } from "./compiler.ts";
import type { Tally } from "./report.ts";
import type { Verdict } from "./reporter.ts";

/** The tests of the command line as a process. */
const COMMANDS = [
  "add",
  "clear",
  "doctor",
  "failed_and_dead",
  "health",
  "help",
  "logging",
  "metrics",
  "pipes",
  "secrets",
  "settings",
  "snapshot",
  "startup",
  "stopping",
  "strike",
  "tasks",
  "top",
  "tour",
  "unreachable",
  "watch",
  "worker",
  "workers",
];

/** Test files, and folders of them, that do not run in Node, each with the reason. */
export const leftOut: Readonly<Record<string, string>> = {
  ...Object.fromEntries(COMMANDS.map((name) => [
    `tests/cli/${name}_test.ts`,
    "starts the command line with Deno; each Node starts the packed one",
  ])),
  "tests/cli/dashboard_test.ts": "reads documents, with a parser of PromQL that only it needs",
  "tests/architecture_test.ts": "reads the TypeScript sources, whose code it never runs",
  "tests/security_test.ts": "reads the TypeScript sources, whose code it never runs",
  "tests/examples_test.ts": "starts each example with Deno",
  "tests/faults_documented_test.ts": "reads a document, and runs no code of ours",
  "tests/exports_test.ts": "asks `deno doc`; entry_points.mjs compares the exports in Node",
  "tests/faults/":
    "breaks servers and processes that it starts with Deno, one test after the other",
  "tests/node/": "is about building this package, with Deno",
  "tests/processes/": "starts its workers and producers with Deno, to kill them",
  "tests/scripts/": "is about what only Deno runs: `deno compile`, `deno task bench`",
  "tests/scale/following_test.ts": "measures the heap of a process that it starts with Deno",
  "tests/simulator/": "plays what stands in chaos/, which only Deno runs",
  "tests/worker/heap_test.ts": "measures the heap of a process that it starts with Deno",
};

/** Which test files run in Node. */
export interface Division {
  readonly runs: readonly string[];
  /** Those that run where not everything does. */
  readonly essential: readonly string[];
  /** Entries of the lists that name no file any more. */
  readonly stale: readonly string[];
}

/**
 * What depends on the runtime: timers, sockets, signals, codecs, and the conformance of both storages. The other files are about
 * rules of ours, which are the same everywhere.
 */
const essential = [
  "tests/api_types_test.ts",
  "tests/base/",
  "tests/dependencies/",
  "tests/docket/",
  "tests/fundamentals/add_test.ts",
  "tests/fundamentals/arguments_test.ts",
  "tests/fundamentals/bad_input_test.ts",
  "tests/fundamentals/closing_test.ts",
  "tests/fundamentals/context_test.ts",
  "tests/fundamentals/events_test.ts",
  "tests/fundamentals/redis_outages_test.ts",
  "tests/fundamentals/worker_test.ts",
  "tests/storage/",
  "tests/testing/",
  "tests/worker/",
];

/** So many files at a time: half of the time they wait. With more, tests on a busy machine run out of patience. */
const concurrency = 4;

/** Divides all test files of the repository: whatever is not left out runs. */
export async function divideTests(): Promise<Division> {
  const all = (await readdir(new URL("tests/", root), { recursive: true }))
    .map((file) => `tests/${file.replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith("_test.ts"))
    .sort();
  return divide(all, Object.keys(leftOut), essential);
}

/** Divides these files; an entry of a list names a file, or ends with a slash and names a folder. */
export function divide(
  files: readonly string[],
  leftOut: readonly string[],
  essential: readonly string[],
): Division {
  const under = (entry: string) => (file: string) =>
    entry.endsWith("/") ? file.startsWith(entry) : file === entry;
  const named = (entries: readonly string[]) => (file: string) =>
    entries.some((entry) => under(entry)(file));
  const runs = files.filter((file) => !named(leftOut)(file));
  return {
    runs,
    essential: runs.filter(named(essential)),
    stale: [
      ...leftOut.filter((entry) => !files.some(under(entry))),
      ...essential.filter((entry) => !runs.some(under(entry))),
    ],
  };
}

/**
 * Puts the compiled tests beside the package's files in `suite`. Their imports of `../src/` and `../mod.js` then reach what
 * was packed, those by the package's name reach the same through its own exports.
 */
export async function compileSuite(files: readonly string[], suite: URL, out: URL): Promise<void> {
  await compile([...files, "scripts/node/reporter.ts"], out);
  for (const folder of ["tests/", "scripts/"]) {
    await lower(new URL(folder, out));
    await Deno.rename(new URL(folder, out), new URL(folder, suite));
  }
}

/**
 * Gives the tests what they take from the language and Node 20 does not have. In their own files, not as a global: the
 * package must do without it.
 */
async function lower(folder: URL): Promise<void> {
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith(".js")) continue;
    const url = new URL(file, folder);
    const source = await Deno.readTextFile(url);
    const lowered = source.replace(/\bPromise\.withResolvers\b/g, "withResolvers");
    if (lowered !== source) await Deno.writeTextFile(url, lowered + withResolvers);
  }
}

const withResolvers = `
function withResolvers() {
  let resolve, reject;
  const promise = new Promise((...both) => [resolve, reject] = both);
  return { promise, resolve, reject };
}
`;

/** Runs the tests of these files with this Node. */
export async function runSuite(
  node: string,
  files: readonly string[],
  suite: URL,
  redis: string,
): Promise<Tally> {
  const reporter = new URL("scripts/node/reporter.js", suite).href;
  const options = [`--test-concurrency=${concurrency}`, `--test-reporter=${reporter}`];
  const { success, stdout, stderr } = await run(
    node,
    ["--test", ...options, ...files.map((file) => file.replace(/\.ts$/, ".js"))],
    { cwd: fileURLToPath(suite), env: { REDIS_URL: redis }, patience: 600 },
  );
  const { passed, failures } = tally(stdout);
  const silent = passed === 0 || !success && failures.length === 0;
  return { passed, failures: silent ? [...failures, `it did not end well: ${stderr}`] : failures };
}

function tally(lines: string): Tally {
  const verdicts = lines.split("\n").filter(Boolean).map((line): Verdict => JSON.parse(line));
  const failed = verdicts.filter(({ why }) => why !== undefined);
  return {
    passed: verdicts.length - failed.length,
    failures: failed.map(({ name, why }) => `${name}: ${why}`),
  };
}
