/**
 * The rights that the documentation asks for.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import { readFile } from "node:fs/promises";

/** The rules of `ACL SETUSER` in `docs/production.md`, for another docket. */
export async function documentedRights(docket: string): Promise<string[]> {
  const text = await readFile(new URL("../../docs/production.md", import.meta.url), "utf8");
  const [, rules] = /ACL SETUSER docket ([^`]+)```/.exec(text) ?? [];
  ok(rules, "the documentation has no such line");
  return rules.trim().split(/\s+/).map((rule) => rule.replace("{orders}", `{${docket}}`));
}
