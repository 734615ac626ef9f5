/**
 * Reads everything known under some keys, as of one instant.
 *
 * @module
 */

import { type Script, script } from "../script.ts";

/** What is stored under one key; `null` where there is nothing. */
export interface Stored {
  readonly row: string | null;
  readonly body: string | null;
  readonly deferred: string | null;
  readonly record: string | null;
  /** In the form of a record. */
  readonly grave: string | null;
}

/** The rest are keys. Writes nothing. */
export const load: Script<
  "state" | "bodies" | "deferred" | "graves",
  { recordPrefix: "text" },
  readonly Stored[]
> = script(
  {
    keys: ["state", "bodies", "deferred", "graves"],
    args: { recordPrefix: "text" },
    reply: (raw) => {
      const [rows, bodies, deferred, records, graves] = raw as (string | null)[][];
      return rows.map((row, i) => ({
        row,
        body: bodies[i],
        deferred: deferred[i],
        record: records[i],
        grave: graves[i],
      }));
    },
  },
  /* lua */ `
local sub, match = string.sub, string.match
local replies = { {}, {}, {}, {}, {} }
for from = FIRST, #ARGV, 1000 do
  local names, records = {}, {}
  for i = from, math.min(from + 999, #ARGV) do
    names[#names + 1] = ARGV[i]
    records[#names] = recordPrefix .. ARGV[i]
  end
  local some = {
    redis.call('HMGET', state, unpack(names)),
    redis.call('HMGET', bodies, unpack(names)),
    redis.call('HMGET', deferred, unpack(names)),
    redis.call('MGET', unpack(records)),
    redis.call('HMGET', graves, unpack(names)),
  }
  for i = 1, #names do
    local grave = some[5][i]
    if grave then                                           -- the body is not told: it can be long, and nobody asks for it
      local ended, length, start = match(grave, '^(%d+)|%a*|(%d+)|()', 24)
      some[5][i] = start and sub(grave, 1, 23) .. ended .. '|' .. sub(grave, start, start + length - 1)
    end
    for part = 1, 5 do table.insert(replies[part], some[part][i]) end
  end
end
return replies
`,
);
