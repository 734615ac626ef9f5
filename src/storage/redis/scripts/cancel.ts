/**
 * Ends what waits, asks what runs to stop.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { allowWhenFull, events, records, time } from "./_common.ts";

/**
 * The rest are keys. `request` is a random id (22) that the record of what ended bears, so that the call sent again gives
 * the first answer (invariants 6, 27).
 *
 * A cancelled task never runs, wherever its pointer is; a running one is marked in its row, so that it is not run again
 * after a crash (invariant 28). A deferred replacement is cancelled too. Repeating changes nothing (invariant 55). The
 * first write is one that a full Redis allows.
 */
export const cancel: Script<
  "stream" | "state" | "bodies" | "dueSet" | "deferred" | "calls",
  { recordPrefix: "text"; events: "text"; wake: "text"; recordTtl: "text"; request: "text" },
  readonly ("cancelled" | "requested" | "none")[]
> = script(
  {
    name: "cancel",
    keys: ["stream", "state", "bodies", "dueSet", "deferred", "calls"],
    args: {
      recordPrefix: "text",
      events: "text",
      wake: "text",
      recordTtl: "text",
      request: "text",
    },
    reply: (raw) => raw as ("cancelled" | "requested" | "none")[],
  },
  /* lua */ `
${time}
local watched = call('HGET', calls, '@watch')
${events}
${records}
local replies, ended = {}, {}
for i = FIRST, #ARGV do
  local key, reply = ARGV[i], 'none'
  local row = call('HGET', state, key)
  local status = row and byte(row, 1)
  local generation = row and sub(row, 3, 24)
  if status == 82 then
    reply = 'requested'
    local flags = byte(row, 2) - 48
    if flags ~= 1 then
      ${allowWhenFull}
      local waiting = flags >= 2 and call('HGET', deferred, key)
      if waiting then
        call('HDEL', deferred, key)
        record(key, 'X', sub(waiting, 1, 22), recordTtl, 'c')
        tell('X', sub(waiting, 1, 22), key)
      end
      call('HSET', state, key, 'R1' .. sub(row, 3))
      call('PUBLISH', wake, 'K' .. generation .. key)
      tell('K', generation, key)
    end
  elseif row then
    reply = 'cancelled'
    call('HDEL', state, key)
    call('HDEL', bodies, key)
    call('HDEL', deferred, key)
    if status == 83 then call('ZREM', dueSet, key)
    else
      local entry = match(row, '^[%d%-]+', 25)
      if entry then
        call('XACK', stream, 'workers', entry)
        call('XDEL', stream, entry)
      end
    end
    record(key, 'X', generation, recordTtl, 'C' .. request)
    tell('X', generation, key)
  elseif not ended[key] then                                -- nothing lives: or this very call ended it, and its reply was lost
    local text = redis.pcall('GET', recordPrefix .. key)
    if type(text) == 'string' and match(text, '^|C(......................)', 24 + #match(text, '^%d*', 24)) == request then
      reply = 'cancelled'
    end
  end
  if reply == 'cancelled' then ended[key] = true end
  replies[#replies + 1] = reply
end
publish()
return replies
`,
);
