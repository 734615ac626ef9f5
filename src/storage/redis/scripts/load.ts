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
export const load: Script<
  "state" | "bodies" | "deferred" | "graves",
  { recordPrefix: "text"; progressPrefix: "text"; events: "text"; mark: "text" },
  readonly Stored[]
> = script(
  {
    keys: ["state", "bodies", "deferred", "graves"],
    args: { recordPrefix: "text", progressPrefix: "text", events: "text", mark: "text" },
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
    redis.call('HMGET', deferred, unpack(names)),
    redis.call('MGET', unpack(records)),
    redis.call('HMGET', graves, unpack(names)),
    {},
  }
  for i = 1, #names do
    local row = some[1][i]
    local reported = row and string.byte(row, 1) == 82 and string.byte(row, 2) >= 52
    some[6][i] = reported and redis.call('MGET', progressPrefix .. names[i])[1]
    for part = 1, 6 do table.insert(replies[part], some[part][i]) end
  end
end
if mark ~= '' then redis.call('PUBLISH', events, 'M' .. mark .. '0|0||0:0:') end
return replies
`,
);
