/**
 * Connects to the docket that a command is about.
 *
 * @module
 */

import { perHost } from "../base/hosts.ts";
import { Docket } from "../docket/docket.ts";
import { refusing, UsageError } from "./errors.ts";
import { configureWarnings } from "./logging.ts";
import type { PLACE, Values } from "./options.ts";
import type { Terminal } from "./terminal.ts";

/**
 * The docket of that place.
 *
 * @throws {UsageError} For a name or URL that cannot be used; for `memory://`, whose docket no other process sees.
 * @throws {ConnectionError} When nothing answers.
 */
export async function connect(place: Values<typeof PLACE>, terminal: Terminal): Promise<Docket> {
  if (isMemory(place.url)) {
    throw new UsageError(
      "A memory:// docket lives inside one process, so that there is nothing of it to see or to change from here: " +
        "give --url or DOCKET_URL the Redis that your workers use",
    );
  }
  configureWarnings(terminal);
  return await open(place, terminal);
}

/** As {@linkcode connect}, but in memory too: for a worker, which may have automatic tasks of its own. */
export async function open(
  { docket: name, url }: Values<typeof PLACE>,
  terminal: Terminal,
): Promise<Docket> {
  warnOfPassword(url, terminal);
  return await refusing(() => Docket.connect({ name, url }));
}

function isMemory(url: string): boolean {
  return /^memory:/i.test(url.trim());
}

function warnOfPassword(url: string, terminal: Terminal): void {
  if (!terminal.typed("--url")) return;
  const [parsed] = perHost(url) ?? [];
  if (!parsed?.password && !parsed?.searchParams.has("sentinelPassword")) return;
  terminal.note("Warning: --url has a password, which ps shows to everybody: set DOCKET_URL");
}
