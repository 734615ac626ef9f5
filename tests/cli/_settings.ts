/**
 * Prints what the options of `docket worker` come to, of these arguments and this environment.
 *
 * @module
 */

import { object } from "@optique/core/constructs";
import { parse } from "@optique/core/parser";
import { parsersOf, WORKER } from "../../src/cli/options.ts";

const result = parse(object(parsersOf(WORKER)), Deno.args);
console.log(JSON.stringify(result));
