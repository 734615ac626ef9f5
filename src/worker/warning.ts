/**
 * Warns, once for each start, of a storage that is not fit to keep tasks.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { messageOf } from "../base/errors.ts";
import type { Storage } from "../storage/contract.ts";

const log = getLogger(["docket", "worker"]);

/** Logs what the storage says of itself. Nobody waits for it, and the worker works whatever it is. */
export async function warn(storage: Storage, stop: AbortSignal): Promise<void> {
  try {
    const { findings, unknown } = await storage.inspect({ signal: stop });
    for (const { about, text } of findings) log.warn("{finding}", { finding: text, about });
    if (unknown.length > 0) {
      log.debug("Not everything could be looked at: {unknown}", { unknown: unknown.join("; ") });
    }
  } catch (error) {
    if (!stop.aborted) {
      log.debug("Cannot inspect the storage: {reason}", { reason: messageOf(error) });
    }
  }
}
