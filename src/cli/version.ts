/**
 * The version of this package: a test holds it to that of `deno.json`, which Node cannot read.
 *
 * @module
 */

/** As in `deno.json`. */
export const VERSION = "0.1.0";
