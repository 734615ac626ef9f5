/**
 * Ends what waits, asks what runs to stop.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { allowWhenFull, events, flags, leave, lists, newer, records, time } from "./_common.ts";
import { succeedAlone } from "./_gates.ts";

/** What a cancel did; `"newer"`: nothing, as only a newer version can. */
export type Cancelled = "cancelled" | "requested" | "none" | "newer";

/**
 * The rest are a key and a generation, or `""` for whatever is live, for each. `request` is a random id (22) that the
 * record of what ended bears, so that the call sent again gives the first answer (invariants 6, 27).
 *
 * A cancelled task never runs, wherever its pointer is; a running one is marked in its row, so that it is not run again
 * after a crash (invariant 28). A chain that is to be there always is not seeded any more. A deferred replacement is
 * cancelled too, unless another generation was meant. Where a place was kept for it, the next in line has it (invariant
 * 59). A row of a newer version is left alone. Repeating changes nothing (invariant 55). The first write is one that a full Redis allows.
 */
export const cancel: Script<{
  recordTtl: "text";
  request: "text";
}, readonly Cancelled[]> = script(
  {
    keys: [
      "stream",
      "state",
      "bodies",
      "dueSet",
      "deferred",
      "background",
      "calls",
      "automatic",
      "waiters",
      "recordPrefix",
      "gatePrefix",
      "events",
      "wake",
    ],
    args: {
      recordTtl: "text",
      request: "text",
    },
    reply: (raw) => raw as Cancelled[],
  },
  /* lua */ `
${time}
local watched = call('HGET', calls, '@watch')
call('ZCARD', dueSet)                                       -- a key of the wrong type fails here, before the first write
call('HLEN', bodies)
${lists}
${events}
${flags}
${records}
${leave}
${newer}

local replies, ended = {}, {}
local function finish(key, generation, attempt)
  ended[key] = true
  record(key, 'X', generation, recordTtl, 'C' .. request .. note(attempt))
  tell('X', generation, key, attempt, '', 'c')
end

-- Did this very call end it, that generation if one is given, and its reply was lost?
local function endedBefore(key, wanted)
  local text = redis.pcall('GET', recordPrefix .. key)
  local bar = type(text) == 'string' and string.find(text, '|', 24, true)
  local other = wanted and wanted ~= '' and bar and sub(text, 2, 23) ~= wanted
  return bar and not other and sub(text, bar + 1, bar + 23) == 'C' .. request
end

local passed = {}
for i = FIRST, #ARGV, 2 do
  local key, wanted, reply = ARGV[i], ARGV[i + 1], 'none'
  local row = call('HGET', state, key)
  local status = row and byte(row, 1)
  local generation = row and sub(row, 3, 24)
  local flags = row and (byte(row, 2) or 48) - 48
  local strange = isNewer(row)
  local live = row and not strange and (wanted == '' or wanted == generation)

  -- Sent again, and what is live now came after the one that it ended: that is left alone. A marked run may be that one.
  local marked = status == 82 and flags % 2 == 1
  if live and wanted == '' and not marked and (passed[key] or not ended[key] and endedBefore(key)) then
    passed[key], row, live = true, nil, nil
  end

  local waiting = row and not strange and flags % 4 >= 2 and wanted ~= generation and call('HGET', deferred, key)
  if waiting and (wanted == '' or wanted == sub(waiting, 1, 22)) then
    call('HDEL', deferred, key)
    flags = flags - 2
    row = flagged(row, flags)
    call('HSET', state, key, row)
    finish(key, sub(waiting, 1, 22), 1)
    reply = 'cancelled'
  end

  -- The chain ends with it (invariant 48), also where it is just about to be seeded again.
  if (live or wanted == '' and not strange) and not passed[key] and redis.pcall('HGET', automatic, key) == 'on' then
    ${allowWhenFull}
    call('HSET', automatic, key, 'off')
  end
  if strange then
    if wanted == '' or wanted == generation then reply = 'newer' end
  elseif live and status == 82 then
    reply = 'requested'
    if flags % 2 == 0 then
      ${allowWhenFull}
      call('HSET', state, key, flagged(row, flags + 1))
      call('PUBLISH', wake, 'K' .. generation .. key)       -- the fast path; the mark in the row is the sure one
      tell('K', generation, key, 0)
    end
  elseif live then
    reply = 'cancelled'
    call('HDEL', state, key)
    call('HDEL', bodies, key)
    leave(key, row)
    finish(key, generation, (runOf(row)))
  elseif reply == 'none' and not ended[key] and endedBefore(key, wanted) then
    reply, ended[key] = 'cancelled', true
  end
  replies[#replies + 1] = reply
end
${succeedAlone}
publish()
return replies
`,
);
