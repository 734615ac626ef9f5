/**
 * Compiles the command line to one binary, with every module that users import inside: their task files, which are loaded
 * from disk, share the library with it.
 *
 * ```sh
 * deno task compile                                                   # dist/docket, for this machine
 * deno task compile --target aarch64-apple-darwin --output dist/mac   # for another
 * ```
 *
 * @module
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import config from "../deno.json" with { type: "json" };

const root = new URL("../", import.meta.url);
const entry = "cli.ts";

/** Nothing imports it: a worker starts a thread with it. */
const thread = "src/worker/lease_thread.ts";

/** What `deno compile` is told. Without `--bundle`, which would leave out what only users import. */
export function compileArgs({ target, output }: Options): string[] {
  const modules = Object.values(config.exports).map((path) => path.replace(/^\.\//, ""));
  const included = [...modules.filter((path) => path !== entry), thread]
    .flatMap((path) => ["--include", path]);
  return [
    "compile",
    "--frozen",
    "--exclude-unused-npm",
    "-A",
    ...included,
    ...target === undefined ? [] : ["--target", target],
    "--output",
    output,
    entry,
  ];
}

/** What to make. */
export interface Options {
  /** The target triple; this machine's when absent. */
  readonly target?: string;
  /** The path of the binary, from the root of the project. */
  readonly output: string;
}

async function main(args: string[]): Promise<number> {
  const { values: { target, output = "dist/docket" } } = parseArgs({
    args,
    options: { target: { type: "string" }, output: { type: "string" } },
  });
  const command = new Deno.Command(Deno.execPath(), {
    args: compileArgs({ target, output }),
    cwd: fileURLToPath(root),
  });
  return (await command.spawn().status).code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
