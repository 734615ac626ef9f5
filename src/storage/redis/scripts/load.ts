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
  readonly grave: string | null;
  /** What a run has reported: its token, and how far it was. */
  readonly report: string | null;
}

/** The rest are keys. Writes nothing. With a `mark`, whoever watches hears of it: what is told before it happened before. */
export const load: Script<{ mark: "text" }, readonly Stored[]> = script(
  {
    keys: ["state", "bodies", "deferred", "graves", "recordPrefix", "progressPrefix", "events"],
    args: { mark: "text" },
    reply: (raw) => {
      const [rows, bodies, deferred, records, graves, reports] = raw as (string | null)[][];
      return rows.map((row, i) => ({
        row,
        body: bodies[i],
        deferred: deferred[i],
        record: records[i],
        grave: graves[i],
        report: reports[i],
      }));
    },
  },
  /* lua */ `
-- What waits and what is parked: where a stranger has put a key of another type, that is nothing (invariant 5).
local function fetch(hash, names)
  local values = redis.pcall('HMGET', hash, unpack(names))
  if not values.err then return values end
  values = {}
  for i = 1, #names do values[i] = false end
  return values
end

local replies = { {}, {}, {}, {}, {}, {} }
for from = FIRST, #ARGV, 1000 do
  local names, records = {}, {}
  for i = from, math.min(from + 999, #ARGV) do
    names[#names + 1] = ARGV[i]
    records[#names] = recordPrefix .. ARGV[i]
  end
  local some = {
    redis.call('HMGET', state, unpack(names)),
    redis.call('HMGET', bodies, unpack(names)),
    fetch(deferred, names),
    redis.call('MGET', unpack(records)),
    fetch(graves, names),
    {},
  }
  for i = 1, #names do
    local row = some[1][i]
    local reported = row and string.byte(row, 1) == 82 and ((string.byte(row, 2) or 48) - 48) % 8 >= 4
    some[6][i] = reported and redis.call('MGET', progressPrefix .. names[i])[1]
    for part = 1, 6 do table.insert(replies[part], some[part][i]) end
  end
end
if mark ~= '' then redis.call('PUBLISH', events, 'M' .. mark .. '0|0||0:0:') end
return replies
`,
);
