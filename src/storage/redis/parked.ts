/**
 * Lists what ended badly, page by page.
 *
 * @module
 */

import type { EndedTask } from "../contract.ts";
import type { Listed } from "./scripts/failed.ts";

/** How many are told at a time: each with its body. */
const PAGE = 100;

/** At most so many, the newest first. `read` tells what is not to be shown. */
export async function list(
  limit: number,
  page: (told: number, limit: number) => Promise<Listed>,
  read: (text: string) => EndedTask | undefined,
): Promise<readonly (EndedTask & { readonly key: string })[]> {
  const listed = new Map<string, EndedTask & { readonly key: string }>();
  for (let told = 0, more = true; more && listed.size < limit;) {
    const brought = await page(told, Math.min(PAGE, limit - listed.size));
    ({ more } = brought);
    for (let i = 0; i < brought.found.length; i += 2) {
      told++;
      const key = brought.found[i];
      const ended = read(brought.found[i + 1]);
      // What came meanwhile pushes the rest down: it may be told twice.
      if (ended && !listed.has(key)) listed.set(key, { key, ...ended });
    }
  }
  return [...listed.values()];
}
