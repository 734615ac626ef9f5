/**
 * `docket` for tests that let it live for a while: it does not outlive them.
 *
 * @module
 */

import process from "node:process";
import { endWithParent } from "../../chaos/child.ts";
import { main } from "../../cli.ts";

endWithParent();
process.exit(await main(process.argv.slice(2)));
