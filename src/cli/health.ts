/**
 * Whether a worker is well, as pages for an orchestrator.
 *
 * @module
 */

import type { Worker } from "../worker/worker.ts";
import type { Answer, Pages } from "./http.ts";

/**
 * `/livez` is 200 while the worker runs and the event loop goes round, whatever the storage does. `/readyz` is 200 while
 * the worker claims: 503 when it drains, when claiming fails, or when the storage does not answer within two seconds. It
 * tells what `Worker.health()` tells, and why.
 */
export function healthPages(worker: () => Worker | undefined): Pages {
  return {
    "/livez": () => answer(worker()?.live ?? false),
    "/readyz": async () => {
      const health = await worker()?.health();
      return answer(health?.ready ?? false, health?.reason);
    },
  };
}

function answer(ok: boolean, reason = "not running"): Answer {
  const text = ok ? "ok" : reason;
  return { status: ok ? 200 : 503, type: "text/plain; charset=utf-8", text: `${text}\n` };
}
