/**
 * Moves what is due to the stream.
 *
 * @module
 */

import type { Promotion } from "../../contract.ts";
import { type Script, script } from "../script.ts";
import { events, newer, time } from "./_common.ts";

/** What only newer versions can move is looked at again after this, in milliseconds. */
const NEWER_PAUSE = 1_000;

/**
 * Bounded (invariant 41). Keeps every field: only the row's status changes, the body is not touched (invariant 16).
 * Entries without a scheduled row are dropped and never block the others (invariant 17); what has a row of a newer version
 * is left to those who know it. ZREM, the first write, is one
 * that a full Redis allows.
 */
export const promote: Script<{ limit: "number" }, Promotion> = script(
  {
    keys: ["stream", "state", "dueSet", "background", "calls", "events"],
    args: { limit: "number" },
    reply: (raw) => {
      const [promoted, next] = raw as [number, string];
      return { promoted, next: next === "" ? undefined : Number(next) };
    },
  },
  /* lua */ `
local head = redis.call('ZRANGE', dueSet, 0, 0, 'WITHSCORES')
if not head[1] then return { 0, '' } end                    -- an idle docket's: it is asked often
${time}
local names = call('ZRANGEBYSCORE', dueSet, '-inf', now, 'LIMIT', 0, limit)
if #names > 0 then
  local watched = call('HGET', calls, '@watch')
  ${events}
  ${newer}
  local rows, put, hidden = call('HMGET', state, unpack(names)), {}, {}
  call('ZREM', dueSet, unpack(names))
  for i = 1, #names do
    local key, row = names[i], rows[i]
    local status = row and byte(row, 1)
    if status == 83 or status == 66 then
      local n = #put
      put[n + 1] = key
      put[n + 2] = 'Q' .. sub(row, 2, 24) .. call('XADD', stream, '*', 'k', key) .. sub(row, 25)
      if status == 66 then hidden[#hidden + 1] = key end
      if watched then tell('A', sub(row, 3, 24), key, runOf(row)) end
    elseif isNewer(row) then call('ZADD', dueSet, now + ${NEWER_PAUSE}, key)
    end
  end
  if #hidden > 0 then redis.pcall('SREM', background, unpack(hidden)) end
  if #put > 0 then call('HSET', state, unpack(put)) end
  publish()
end
if #names > 0 then head = call('ZRANGE', dueSet, 0, 0, 'WITHSCORES') end
return { #names, head[2] and string.format('%.0f', math.max(0, head[2] - now)) or '' }
`,
);
