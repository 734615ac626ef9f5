/**
 * The docket as npm has it.
 *
 * @module
 */

import * as docket from "@docket/docket";
import { docketOf } from "../docket.ts";

/** Opens a docket. */
export const open = docketOf(docket);
