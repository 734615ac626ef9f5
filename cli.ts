/**
 * The command line, as a function: what `docket` runs.
 *
 * @module
 */

import process from "node:process";
import { main } from "./src/cli/main.ts";

export { main };

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
