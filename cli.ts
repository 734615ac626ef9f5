/**
 * The command line `docket`: runs workers, and shows and changes what is on a docket. As a program it is
 * `deno run -A jsr:@docket/docket/cli`, or what `deno install --global -A --name docket jsr:@docket/docket/cli` makes of
 * it; as a function it is here.
 *
 * @example
 * ```ts
 * import { main } from "@docket/docket/cli";
 *
 * const exitCode = await main(["version"]);
 * console.log(exitCode); // 0
 * ```
 *
 * @module
 */

import process from "node:process";
import { main } from "./src/cli/main.ts";

export { main };

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
