/**
 * The floor, in Node.
 *
 * @module
 */

import { Redis } from "ioredis";
import { floorOf } from "../floor.ts";

/** Opens a stream. */
export const open = floorOf(Redis);
