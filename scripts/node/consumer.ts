/**
 * A project of somebody who uses the package: `tests/node/consumer/`, beside the installed tarball.
 *
 * @module
 */
import { strictEqual as equal } from "node:assert/strict";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { expect, run } from "./command.ts";
import { root } from "./compiler.ts";
import { check, type Tally } from "./report.ts";
import { compilers, type Workspace } from "./workspace.ts";

const files = ["quick_start.ts", "types.ts", "plain.mjs", "required.cjs", "entry_points.mjs"];

/** The two ways in which projects have TypeScript find packages. */
const resolutions: Readonly<Record<string, object>> = {
  nodenext: { module: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};

/** Puts the project in place, and checks its types with each TypeScript; the first compiles what then runs. */
export async function checkTypes(workspace: Workspace): Promise<Tally> {
  for (const file of files) {
    await Deno.copyFile(new URL(`tests/node/consumer/${file}`, root), new URL(file, workspace.app));
  }
  const checks: Record<string, () => Promise<unknown>> = {};
  for (const version of compilers) {
    for (const [name, options] of Object.entries(resolutions)) {
      const outDir = `out-${version}-${name}`;
      const project = await configure(workspace.app, outDir, options);
      checks[`TypeScript ${version}, ${name}`] = () =>
        expect(nodeOfThisMachine, [workspace.tsc(version), "--project", project]);
    }
  }
  return await check(checks);
}

const nodeOfThisMachine = "node";

async function configure(app: URL, outDir: string, options: object): Promise<string> {
  const file = new URL(`tsconfig.${outDir}.json`, app);
  const compilerOptions = {
    ...options,
    outDir,
    strict: true,
    target: "es2022", // lowers `await using`, and does not name the library it needs: the package does
    types: [], // not even Node's
    skipLibCheck: false, // the declarations of the package are checked as well
  };
  const project = { compilerOptions, files: ["quick_start.ts", "types.ts"] };
  await Deno.writeTextFile(file, JSON.stringify(project));
  return fileURLToPath(file);
}

/** Runs the project with this Node, in memory and on Redis, and the command line that npm linked. */
export async function runConsumer(
  workspace: Workspace,
  node: string,
  redis: string,
): Promise<Tally> {
  const compiled = compilers.map((version) => `out-${version}-nodenext/quick_start.js`);
  const scripts = [...compiled, "plain.mjs", "required.cjs"];
  const checks: Record<string, () => Promise<unknown>> = {};
  for (const script of scripts) {
    for (const url of ["memory://consumer", redis]) {
      const where = url === redis ? "on Redis" : "in memory";
      checks[`${script} ${where}`] = async () => {
        const printed = await runScript(workspace, node, script, { DOCKET_URL: url });
        equal(printed, "Hello, Jane! Howdy, John!\n");
      };
    }
  }
  return await check({
    ...checks,
    "entry_points.mjs": async () =>
      equal(await runScript(workspace, node, "entry_points.mjs"), await listExports()),
    ...checkBin(workspace, node),
  });
}

function runScript(
  { app }: Workspace,
  node: string,
  script: string,
  env?: Readonly<Record<string, string>>,
): Promise<string> {
  return expect(node, [script], { cwd: app, env, patience: 60 });
}

/** The names that the sources export, as `entry_points.mjs` tells those of the package. */
async function listExports(): Promise<string> {
  const lines = Object.entries(config.exports).map(async ([path, source]) => {
    const names = Object.keys(await import(new URL(source, root).href));
    return `${path}: ${names.sort().join(" ")}\n`;
  });
  return (await Promise.all(lines)).join("");
}

/** Runs `docket` as a shell would, which finds this Node first. */
function checkBin({ app }: Workspace, node: string): Record<string, () => Promise<void>> {
  const bin = fileURLToPath(new URL("node_modules/.bin/docket", app));
  const env = { PATH: `${dirname(node)}:${Deno.env.get("PATH")}` };
  const docket = (...args: string[]) => run(bin, args, { cwd: app, env, patience: 60 });
  return {
    "docket version": async () => {
      const { code, stdout, stderr } = await docket("version");
      equal(stdout.trim(), config.version, stderr);
      equal(code, 0);
    },
    "docket --help": async () => {
      const { code, stdout, stderr } = await docket("--help");
      equal(/^Usage: docket /m.test(stdout), true, stdout + stderr);
      equal(code, 0);
    },
    "docket with a command that there is not": async () => {
      const { code, stderr } = await docket("no-such-command");
      equal(/no-such-command/.test(stderr), true, stderr);
      equal(code, 2);
    },
  };
}
