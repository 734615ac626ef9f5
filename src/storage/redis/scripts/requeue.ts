/**
 * Runs again what failed or is parked.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { events, time } from "./_common.ts";

/** What became of a request: a place in the queue, nothing, or the row and body of the task that is in its way. */
export type Requeuing = "ok" | "gone" | readonly [row: string, body: string];

/**
 * The rest: for each request its key, which generation is to run again, and as which.
 *
 * - It runs under its key and with its body, which the record of what failed has, and the grave of what is parked.
 * - A request sent again is recognised by its own generation (invariant 27).
 * - The first write needs memory: with Redis full it is refused before anything is written (invariant 78).
 */
export const requeue: Script<Record<never, never>, readonly Requeuing[]> = script(
  {
    keys: [
      "stream",
      "state",
      "bodies",
      "calls",
      "dead",
      "graves",
      "failed",
      "recordPrefix",
      "events",
    ],
    args: {},
    reply: (raw) => raw as Requeuing[],
  },
  /* lua */ `
${time}
local watched = call('HGET', calls, '@watch')
${events}

-- What is behind "<bytes of the text>|<text>", if it is of that generation.
local function bodyOf(text, generation, pattern)
  if not text or sub(text, 2, 23) ~= generation then return end
  local length, start = match(text, pattern, 24)
  local body = length and sub(text, start + length)
  return body ~= '' and body or nil
end

local replies = {}
for i = FIRST, #ARGV, 3 do
  local key, generation, as, reply = ARGV[i], ARGV[i + 1], ARGV[i + 2], 'ok'
  local row = call('HGET', state, key)
  local record = call('MGET', recordPrefix .. key)[1]
  if row and sub(row, 3, 24) == as or record and sub(record, 2, 23) == as then
    reply = 'ok'
  elseif row then
    reply = { row, call('HGET', bodies, key) or '' }
  else
    local grave = call('HGET', graves, key)
    local failure = record and byte(record, 1) == 102 and record
    local body = bodyOf(failure, generation, '^%d+|(%d+)|()') or bodyOf(grave, generation, '^%d+|%a*|(%d+)|()')
    if body then
      local entry = call('XADD', stream, '*', 'k', key)      -- first: it is what could be refused
      call('HSET', bodies, key, body)
      call('HSET', state, key, 'Q0' .. as .. entry .. '|1|0|')
      if grave and sub(grave, 2, 23) == generation then
        call('HDEL', graves, key)
        redis.pcall('ZREM', dead, key)
      end
      if failure and sub(failure, 2, 23) == generation then redis.pcall('ZREM', failed, key) end
      tell('A', as, key, 1)
    else
      reply = 'gone'
    end
  end
  replies[#replies + 1] = reply
end
publish()
return replies
`,
);
