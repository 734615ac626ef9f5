/**
 * `docket` for tests that let it live for a while: it does not outlive them.
 *
 * @module
 */

import process from "node:process";
import { main } from "../../cli.ts";
import { endWithParent } from "../processes/_parent.ts";

endWithParent();
process.exit(await main(process.argv.slice(2)));
