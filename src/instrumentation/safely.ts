/**
 * Keeps what others have registered from breaking what is watched.
 *
 * @module
 */

import { otel } from "./api.ts";

/** Has an SDK do something. What it throws is for its own log: no task fails because somebody cannot watch it. */
export function safely<Value>(act: () => Value): Value | undefined {
  try {
    return act();
  } catch (error) {
    otel()?.diag.error("docket: the SDK threw", error);
    return undefined;
  }
}
