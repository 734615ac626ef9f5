/**
 * What `deno task test:node` runs: the npm package, packed and installed as users do, in every Node that it supports.
 *
 * - A consumer is type-checked with TypeScript 5.9 and 7 under `nodenext` and `bundler`.
 * - With each Node: the quick start in memory and on Redis, from TypeScript, JavaScript and CommonJS; the `docket` command;
 *   and the shared tests, against the packed files.
 * - `deno task test:node 20 26` keeps to some versions.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };
import { checkTypes, runConsumer } from "./node/consumer.ts";
import { check, Report } from "./node/report.ts";
import { compileSuite, divideTests, leftOut, runSuite } from "./node/suite.ts";
import { openWorkspace, type Workspace } from "./node/workspace.ts";
import { provideRedis } from "./redis.ts";

/** The oldest that `engines` in the package names, and all lines with support since. */
const nodes = ["20", "22", "24", "26"];

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.filter((arg) => !nodes.includes(arg));
  if (unknown.length > 0) throw new Error(`Cannot test in Node ${unknown}: there are ${nodes}`);
  const versions = args.length > 0 ? args : nodes;

  const report = new Report();
  const start = performance.now();
  await using redis = await provideRedis();
  await using workspace = await openWorkspace(versions);
  disposeWhenStopped(redis, workspace);
  console.log(`Installed in ${((performance.now() - start) / 1_000).toFixed(1)} s`);
  print(workspace);

  const { runs, stale } = await divideTests();
  for (const [path, reason] of Object.entries(leftOut)) console.log(`Left out ${path}: ${reason}`);
  await report.part("Test files that are left out exist", () =>
    check({
      "leftOut": () => {
        if (stale.length > 0) throw new Error(`Cannot find ${stale.join(", ")}`);
      },
    }));
  await report.part("Types", () => checkTypes(workspace));
  await compileSuite(runs, workspace.suite, workspace.scratch);
  for (const version of versions) {
    const node = workspace.node(version);
    await report.part(`Node ${version}, consumer`, () => runConsumer(workspace, node, redis.url));
    await report.part(
      `Node ${version}, ${runs.length} test files`,
      () => runSuite(node, runs, workspace.suite, redis.url),
    );
  }
  return report.close();
}

/** An interrupt leaves no server and no directory behind. */
function disposeWhenStopped(...opened: readonly AsyncDisposable[]): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, async () => {
      await Promise.allSettled(opened.map((each) => each[Symbol.asyncDispose]()));
      Deno.exit(130);
    });
  }
}

function print({ packed, installed }: Workspace): void {
  const kilobytes = (bytes: number) => `${Math.round(bytes / 1_000)} kB`;
  const { size, unpackedSize, files } = packed;
  console.log(
    `${config.name} ${config.version}: ${kilobytes(size)} packed, ${kilobytes(unpackedSize)} ` +
      `unpacked in ${files.length} files; with ${installed.packages} packages that it needs, ` +
      `${kilobytes(installed.bytes)} installed`,
  );
}

if (import.meta.main) Deno.exit(await main(Deno.args));
