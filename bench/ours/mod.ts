/**
 * What only the docket has, and is measured by, in the order of the table.
 *
 * @module
 */

import type { Scenario } from "../scenario.ts";
import { limit } from "./limit.ts";
import { progress } from "./progress.ts";
import { startup } from "./startup.ts";
import { watched } from "./watched.ts";

/** All of them. */
export const own: readonly Scenario[] = [limit, progress, startup, watched];
