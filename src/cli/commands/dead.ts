/**
 * `docket dead`: what was delivered too often, could not be read, or stayed unknown.
 *
 * @module
 */

import { parked } from "./parked.ts";

/** The group. */
export const dead = parked("dead", "List, requeue or forget what was given up on", "requeue");
