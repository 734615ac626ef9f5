/**
 * What `deno task test:node` runs: the npm package, packed and installed as users do, in every Node that it supports.
 *
 * - A consumer is type-checked with TypeScript 5.9 and 7 under `nodenext` and `bundler`.
 * - With each Node: the quick start in memory and on Redis, from TypeScript, JavaScript and CommonJS; the `docket` command;
 *   and the shared tests, against the packed files.
 * - `deno task test:node 22` keeps to the versions that it names.
 *
 * The shared tests take the better part of a minute each time. So all of them run in the oldest Node and in the newest, where
 * something may be missing or new; those between run what depends on the runtime, or everything when they are named.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };
import { stopping } from "./node/command.ts";
import { checkTypes, runConsumer } from "./node/consumer.ts";
import { check, Report, type Tally } from "./node/report.ts";
import { compileSuite, divideTests, type Division, leftOut, runSuite } from "./node/suite.ts";
import { type Directory, furnish, openDirectory, type Workspace } from "./node/workspace.ts";
import { provideRedis } from "./redis.ts";

/** The oldest that `engines` in the package names, and every line with long support since. */
const nodes = ["20", "22", "24", "26"];

async function main(named: readonly string[]): Promise<number> {
  const unknown = named.filter((version) => !nodes.includes(version));
  if (unknown.length > 0) throw new Error(`Cannot test in Node ${unknown}: there are ${nodes}`);
  const versions = named.length > 0 ? named : nodes;
  const everywhere = named.length > 0;

  await using redis = await provideRedis();
  await using directory = await openDirectory();
  disposeWhenStopped(redis, directory);
  const workspace = await install(directory, versions);
  const report = new Report();
  const division = await divideTests();
  await report.part("The list of what is left out", () => checkLists(division));
  await report.part("Types", () => checkTypes(workspace));
  await compileSuite(division.runs, workspace.suite, workspace.scratch);
  for (const version of versions) {
    const node = workspace.node(version);
    const all = everywhere || version === nodes[0] || version === nodes.at(-1);
    const files = all ? division.runs : division.essential;
    const tests = `Node ${version}, ${files.length} of ${division.runs.length} test files`;
    await report.part(`Node ${version}, consumer`, () => runConsumer(workspace, node, redis.url));
    await report.part(tests, () => runSuite(node, files, workspace.suite, redis.url));
  }
  return report.close();
}

async function install(directory: Directory, versions: readonly string[]): Promise<Workspace> {
  const start = performance.now();
  const workspace = await furnish(directory, versions);
  print(workspace, (performance.now() - start) / 1_000);
  return workspace;
}

/** Nothing is skipped silently: each file that does not run is named with its reason, and exists. */
function checkLists({ stale }: Division): Promise<Tally> {
  for (const [path, reason] of Object.entries(leftOut)) console.log(`Left out ${path}: ${reason}`);
  return check({
    "scripts/node/suite.ts": () => {
      if (stale.length > 0) throw new Error(`Cannot find ${stale.join(", ")}`);
    },
  });
}

/** An interrupt leaves no program, no server and no directory behind. */
function disposeWhenStopped(...opened: readonly AsyncDisposable[]): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, async () => {
      stopping.abort();
      await Promise.allSettled(opened.map((each) => each[Symbol.asyncDispose]()));
      Deno.exit(130);
    });
  }
}

function print({ packed, installed }: Workspace, seconds: number): void {
  const kilobytes = (bytes: number) => `${Math.round(bytes / 1_000)} kB`;
  const { size, unpackedSize, files } = packed;
  console.log(
    `${config.name} ${config.version}: ${kilobytes(size)} packed, ${kilobytes(unpackedSize)} ` +
      `unpacked in ${files.length} files; with ${installed.packages} packages that it needs, ` +
      `${kilobytes(installed.bytes)} installed`,
  );
  console.log(`Packed and installed in ${seconds.toFixed(1)} s`);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
