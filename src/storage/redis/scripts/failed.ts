/**
 * Tells what failed.
 *
 * @module
 */

import { type Script, script } from "../script.ts";

/** One page of what ended badly. */
export interface Listed {
  /** Flat: key and record, or key and grave. */
  readonly found: readonly string[];
  /** Whether there is more behind it. */
  readonly more: boolean;
}

/**
 * One page, the newest first, after so many that were told. Whose record is gone, or of another end, is taken off the list.
 */
export const failed: Script<{ told: "number"; limit: "number" }, Listed> = script(
  {
    keys: ["failed", "recordPrefix"],
    args: { told: "number", limit: "number" },
    reply: readListed,
  },
  /* lua */ `
local keys = redis.call('ZREVRANGE', failed, told, told + limit - 1)
if #keys == 0 then return { {}, 0 } end
local names = {}
for i = 1, #keys do names[i] = recordPrefix .. keys[i] end
local records, found, stale = redis.call('MGET', unpack(names)), {}, {}
for i = 1, #keys do
  if records[i] and string.byte(records[i], 1) == 102 then
    local n = #found
    found[n + 1], found[n + 2] = keys[i], records[i]
  else
    stale[#stale + 1] = keys[i]
  end
end
if #stale > 0 then redis.call('ZREM', failed, unpack(stale)) end
return { found, #keys == limit and 1 or 0 }
`,
);

/** Reads a page. */
export function readListed(raw: unknown): Listed {
  const [found, more] = raw as [string[], number];
  return { found, more: more === 1 };
}
