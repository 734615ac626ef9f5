/**
 * Where it was measured, as people want to know it.
 *
 * @module
 */

import { availableParallelism, cpus } from "node:os";
import type { Redis } from "ioredis";

/** How many processors, and which. */
export function processors(): string {
  const model = cpus()[0]?.model.trim() || "unknown CPU";
  return `${availableParallelism()} × ${model}`;
}

/** The version of the server. */
export async function versionOf(admin: Redis): Promise<string> {
  return /^redis_version:(\S+)/m.exec(await admin.info("server"))?.[1] ?? "unknown";
}

/** On one line of the terminal, if there is one: the output itself may go to a file. */
export function tell(progress: string): void {
  if (!Deno.stderr.isTerminal()) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${progress}`));
}
