/**
 * What the keys of a docket take, by family, and which of them will stay for ever. Looks at so many keys and no more: in a
 * database that others share, or that is very large, what it says is of a part.
 *
 * @module
 */

import type { Family } from "../contract.ts";
import type { Look } from "./inspector.ts";
import type { Keys } from "./keys.ts";
import { lasting } from "./scripts/lasting.ts";

/** How many keys SCAN looks at in one call, and how many calls there are. */
const PAGE = 1_000;
const MOST_PAGES = 500;

/** So many keys of a family are measured; the rest is taken to be like them. */
const SAMPLE = 20;

/** How the size of each type is asked for. */
type Sizing = "XLEN" | "HLEN" | "ZCARD" | "SCARD";

/** Keys that there is one of, in the order in which they are shown. */
const SINGLE: readonly (readonly [name: string, holds: string, sizing: Sizing])[] = [
  ["state", "the state of each live task", "HLEN"],
  ["tasks", "arguments of live tasks", "HLEN"],
  ["stream", "the queue", "XLEN"],
  ["due", "what is due later", "ZCARD"],
  ["background", "what nobody waits for", "SCARD"],
  ["next", "replacements that wait", "HLEN"],
  ["waiters", "what is in line before limits", "ZCARD"],
  ["failed", "what failed", "ZCARD"],
  ["dead", "what is dead", "ZCARD"],
  ["graves", "arguments of what is dead", "HLEN"],
  ["automatic", "chains that are always there", "HLEN"],
  ["strikes", "strikes", "HLEN"],
  ["workers", "who is alive", "ZCARD"],
  ["calls", "calls whose reply may get lost", "HLEN"],
];

/** Keys that there are many of, by what their names begin with. */
const MANY: readonly (readonly [prefix: string, holds: string])[] = [
  ["r:", "records of what ended"],
  ["p:", "progress of what runs"],
  ["w:", "what workers say of themselves"],
  ["g:", "limits"],
];

const OTHERS = "others";

/** What was measured. */
export interface Measured {
  readonly families: readonly Family[];
  /** Whether not all keys were looked at. */
  readonly partial: boolean;
  /** Keys without a time to live that should have one, or that are not the docket's. */
  readonly lasting: readonly string[];
}

/** Keys of a family, as far as they were seen. */
interface Seen {
  keys: number;
  readonly some: string[];
}

/** Measures the keys of the docket. */
export async function measureFamilies(look: Look): Promise<Measured> {
  const families: Family[] = [];
  for (const single of SINGLE) {
    const family = await measureSingle(look, single);
    if (family) families.push(family);
  }
  const scanned = await scan(look);
  for (const [name, holds] of [...MANY, [OTHERS, "what is none of the docket's own"]] as const) {
    const seen = scanned.seen.get(name);
    if (!seen) continue;
    const bytes = await sample(look, seen);
    families.push({ name, holds, keys: seen.keys, ...bytes !== undefined && { bytes } });
  }
  return { families, partial: scanned.partial, lasting: scanned.lasting };
}

async function measureSingle(
  look: Look,
  [name, holds, sizing]: typeof SINGLE[number],
): Promise<Family | undefined> {
  const key = look.site.keys.prefix + name;
  const exists = await look.allowed("keys", () => look.command("EXISTS", key));
  if (exists === 0) return undefined;
  const size = await look.allowed(name, () => look.command(sizing, key));
  if (exists === undefined && !size) return undefined; // one without entries is none
  const bytes = await memory(look, key);
  return {
    name,
    holds,
    keys: 1,
    ...size !== undefined && { entries: Number(size) },
    ...bytes !== undefined && { bytes },
  };
}

/** Looks at page after page of the keys that are not single. */
async function scan(
  look: Look,
): Promise<Omit<Measured, "families"> & { readonly seen: ReadonlyMap<string, Seen> }> {
  const { keys, client } = look.site;
  const seen = new Map<string, Seen>();
  const stays: string[] = [];
  const live = await look.allowed("state", () => look.command("HLEN", keys.state)) !== 0;
  let cursor = "0";
  for (let page = 0; page < MOST_PAGES; page++) {
    const from = cursor;
    const reply = await look.allowed(
      "keys",
      () => look.command("SCAN", from, "MATCH", `${escapeGlob(keys.prefix)}*`, "COUNT", PAGE),
    ) as [string, string[]] | undefined;
    if (!reply) return { seen, partial: true, lasting: [] };
    cursor = reply[0];
    const names = reply[1].map((key) => key.slice(keys.prefix.length)).filter(isNotSingle);
    for (const name of names) count(seen, name, keys);
    // Gates may stay as long as tasks may come to them.
    const suspects = names.filter((name) => !(live && name.startsWith("g:")));
    if (suspects.length > 0) {
      const call = lasting.call(keys, {}, suspects);
      const patience = { what: "look for keys that stay", signal: look.signal };
      const found = await look.allowed("keys that stay", () => client.run(call, patience));
      for (const name of found ?? []) stays.push(keys.prefix + name);
    }
    if (cursor === "0") break;
  }
  return { seen, partial: cursor !== "0", lasting: [...new Set(stays)] };
}

function isNotSingle(name: string): boolean {
  return !SINGLE.some(([single]) => single === name);
}

function count(seen: Map<string, Seen>, name: string, { prefix }: Keys): void {
  const family = MANY.find(([start]) => name.startsWith(start))?.[0] ?? OTHERS;
  const before = seen.get(family) ?? { keys: 0, some: [] };
  before.keys++;
  if (before.some.length < SAMPLE) before.some.push(prefix + name);
  seen.set(family, before);
}

/** What keys like these take together; `undefined` where it cannot be told. */
async function sample(look: Look, { keys, some }: Seen): Promise<number | undefined> {
  let sum = 0;
  let measured = 0;
  for (const key of some) {
    const bytes = await memory(look, key);
    if (bytes === undefined) continue; // forbidden, or gone meanwhile
    sum += bytes;
    measured++;
  }
  return measured === 0 ? undefined : Math.round(sum / measured * keys);
}

/** What one key takes: of a collection estimated, by a few of its entries. */
async function memory(look: Look, key: string): Promise<number | undefined> {
  const bytes = await look.allowed("memory", () => look.command("MEMORY", "USAGE", key));
  return bytes === null || bytes === undefined ? undefined : Number(bytes);
}

/** The name as a pattern that matches nothing else. */
function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^]/g, "\\$&");
}
