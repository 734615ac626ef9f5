/**
 * Ends what waits, some of it at a time.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { allowWhenFull, events, flags, leave, lists, newer, records, time } from "./_common.ts";

/** What one page brought. */
export interface Cleared {
  readonly cleared: number;
  /** Of the next page; `""` when there is none. */
  readonly cursor: string;
}

/**
 * One page of what is live, by a cursor that {@linkcode Cleared} told. What is scheduled or queued ends, and so do the
 * replacements that wait; what runs goes on (invariants 4, 11), and so does what only newer versions know.
 *
 * The last page is remembered: the same request with the same cursor is a call sent again, and is answered as it was
 * (invariant 27). The first write is one that a full Redis allows.
 */
export const clear: Script<{
  recordTtl: "text";
  request: "text";
  cursor: "text";
  limit: "text";
}, Cleared> = script(
  {
    keys: [
      "stream",
      "state",
      "bodies",
      "dueSet",
      "deferred",
      "background",
      "calls",
      "waiters",
      "recordPrefix",
      "gatePrefix",
      "events",
    ],
    args: {
      recordTtl: "text",
      request: "text",
      cursor: "text",
      limit: "text",
    },
    reply: (raw) => {
      const [cleared, cursor] = raw as [number, string];
      return { cleared, cursor: cursor === "0" ? "" : cursor };
    },
  },
  /* lua */ `
${time}
local memory = call('HMGET', calls, '@watch', '@clear')
local watched = memory[1]
local page = request .. '|' .. cursor .. '|'
if memory[2] and sub(memory[2], 1, #page) == page then
  local reached, count = match(memory[2], '^(%d+)|(%d+)$', #page + 1)
  return { tonumber(count), reached }
end
-- A key of the wrong type fails here, before the first write.
call('ZCARD', dueSet)
call('HLEN', deferred)
call('HLEN', bodies)
${lists}
${events}
${flags}
${records}
${leave}
${newer}

local reply = call('HSCAN', state, cursor == '' and '0' or cursor, 'COUNT', limit)
local found, cleared = reply[2], 0
local gone, waiting, due, hidden, entries, put = {}, {}, {}, {}, {}, {}
local function finish(key, generation, attempt)
  cleared = cleared + 1
  record(key, 'X', generation, recordTtl, 'x' .. note(attempt))
  tell('X', generation, key, attempt, '', 'x')
end

${allowWhenFull}
for i = 1, #found, 2 do
  local key, row = found[i], found[i + 1]
  local status, flags = byte(row, 1), (byte(row, 2) or 48) - 48
  local strange = isNewer(row)
  if flags % 4 >= 2 and not strange then                                    -- the replacement first: the last record is the task's own
    waiting[#waiting + 1] = key
    local text = call('HGET', deferred, key)
    if text then finish(key, sub(text, 1, 22), 1) end
  end
  if strange then                                           -- nothing: it is not known what belongs to it
  elseif status == 82 then
    if flags % 4 >= 2 then
      local n = #put
      put[n + 1], put[n + 2] = key, flagged(row, flags - 2)
    end
  else
    gone[#gone + 1] = key
    if status == 87 then leaveLine(key, row)
    elseif status == 81 then entries[#entries + 1] = match(row, '^[%d%-]+', 25)
    else due[#due + 1] = key end
    if status == 66 then hidden[#hidden + 1] = key end
    finish(key, sub(row, 3, 24), (runOf(row)))
  end
end
acknowledge(entries, true)
write('ZREM', dueSet, due)
if #hidden > 0 then redis.pcall('SREM', background, unpack(hidden)) end
write('HDEL', deferred, waiting)
write('HDEL', state, gone)
write('HDEL', bodies, gone)
write('HSET', state, put)
call('HSET', calls, '@clear', page .. reply[1] .. '|' .. cleared)
publish()
return { cleared, reply[1] }
`,
);
