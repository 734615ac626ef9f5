/**
 * `docket failed`: what failed for good.
 *
 * @module
 */

import { parked } from "./parked.ts";

/** The group. */
export const failed = parked("failed", "List, retry or forget what failed", "retry");
