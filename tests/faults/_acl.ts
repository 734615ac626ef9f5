/**
 * The Redis user that the guide documents, as it stands there.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { Redis } from "ioredis";

/** What the user of these tests logs in with. */
export const PASSWORD = "limited";

/** The words of `ACL SETUSER` in docs/production.md, for a docket of this name. */
export async function documentedRules(docket: string): Promise<string[]> {
  const guide = await readFile(new URL("../../docs/production.md", import.meta.url), "utf8");
  const [, line] = /^ACL SETUSER docket ([^`]+)\n```$/m.exec(guide) ?? [];
  ok(line, "docs/production.md has no ACL SETUSER");
  return line.trim().split(/\s+/).map((word) =>
    word.replace(">secret", `>${PASSWORD}`).replace("{orders}", `{${docket}}`)
  );
}

/** Makes that user for a docket, with more or fewer rights where a test says so; gives the URL to connect with. */
export async function limitedUrl(
  admin: Redis,
  port: number,
  docket: string,
  more: readonly string[] = [],
): Promise<string> {
  await admin.call("ACL", "SETUSER", docket, ...await documentedRules(docket), ...more);
  return `redis://${docket}:${PASSWORD}@127.0.0.1:${port}/0`;
}
