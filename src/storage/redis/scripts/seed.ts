/**
 * Schedules what is to be there always, where it is not.
 *
 * @module
 */

import type { Seeding } from "../../contract.ts";
import { type Script, script } from "../script.ts";
import { events, hint, lists, time } from "./_common.ts";
import { flush, places } from "./_tasks.ts";

/**
 * The rest: for each seed its key, generation (22) and when it is due, body.
 *
 * - Nothing is seeded over what is live or parked, nor where the chain was stopped on purpose (invariant 49).
 * - What is live under the key of a stopped chain was scheduled since, so the chain goes on. Not where somebody wants it
 *   cancelled: that has stopped the chain, and is yet to end the run.
 * - A seed for later is in the background, as the next of its chain will be (invariant 51).
 * - A seed sent again is recognised like an add, while its task lives and while its record does (invariant 27).
 * - The first write needs memory: with Redis full it is refused before anything is written (invariant 78).
 */
export const seed: Script<Record<never, never>, readonly Seeding[]> = script(
  {
    keys: [
      "stream",
      "state",
      "bodies",
      "dueSet",
      "background",
      "calls",
      "graves",
      "automatic",
      "recordPrefix",
      "events",
      "wake",
    ],
    args: {},
    reply: (raw) => raw as Seeding[],
  },
  /* lua */ `
${time}
local watched = call('HGET', calls, '@watch')
call('ZCARD', dueSet)                                       -- a key of the wrong type fails here, before the first write
${lists}
${events}
${places}

local replies, seeded = {}, {}
for i = FIRST, #ARGV, 3 do
  local key, generation, due, body = ARGV[i], sub(ARGV[i + 1], 1, 22), sub(ARGV[i + 1], 23), ARGV[i + 2]
  local row, reply = call('HGET', state, key), nil
  local known = call('HGET', automatic, key)
  local record = call('MGET', recordPrefix .. key)[1]
  if seeded[key] then
    local known = seeded[key] == generation or record and sub(record, 2, 23) == generation
    reply = known and 'seeded' or 'live'
  elseif row and sub(row, 3, 24) == generation or record and sub(record, 2, 23) == generation then
    reply = 'seeded'
  elseif row then
    reply = 'live'
    local ending = byte(row, 1) == 82 and (byte(row, 2) or 48) % 2 == 1
    if ending then
      if not known then call('HSET', automatic, key, 'off') end
    elseif known ~= 'on' then call('HSET', automatic, key, 'on') end
  elseif call('HEXISTS', graves, key) == 1 then
    reply = 'parked'
  elseif known == 'off' then
    reply = 'stopped'
  else
    reply = 'seeded'
    seeded[key] = generation
    wait(key, generation, 1, 0, instant(due), true)
    call('HSET', bodies, key, body)
    if not known then call('HSET', automatic, key, 'on') end
  end
  replies[#replies + 1] = reply
end
${flush}
${hint}
publish()
return replies
`,
);
