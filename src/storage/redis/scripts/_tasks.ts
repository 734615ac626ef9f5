/**
 * Lua shared by `step` and `reclaim`: what makes a task wait, end, die, or hand over to its replacement.
 *
 * @module
 */

import { DEAD_RECORD_TTL } from "../../contract.ts";

/**
 * Needs the fragments of `_common.ts`, and `recordTtl`, `consumer`. `put` and `gone` collect rows to write and keys to
 * forget, which {@linkcode flush} then does with one command each.
 */
export const tasks = /* lua */ `
local put, gone = {}, {}
local earliest

-- Gives the task a place to wait: a stream entry when it is due, an entry in the due set otherwise.
local function wait(key, flags, generation, attempt, deliveries, due)
  local n = #put
  put[n + 1] = key
  local counts = '|' .. attempt .. '|' .. deliveries .. '|' .. due
  local at = tonumber(due)
  if not at or at <= now then
    put[n + 2] = 'Q' .. flags .. generation .. call('XADD', stream, '*', 'k', key) .. counts
  else
    call('ZADD', dueSet, due, key)
    put[n + 2] = 'S' .. flags .. generation .. counts
    if not earliest or at < earliest then earliest = at end
  end
end

-- '+<ms>' is a delay on the server's clock; everything else is kept. Far instants would print as '1e+15'.
local function instant(due)
  if byte(due, 1) == 43 then return string.format('%.0f', now + tonumber(sub(due, 2))) end
  return due
end

-- A replacement that came while the task ran takes its place (invariant 14). False when there is none.
local function handOver(key)
  local waiting = call('HGET', deferred, key)
  if not waiting then return false end
  call('HDEL', deferred, key)
  local due, body = match(waiting, '^(%d*)|(.*)$', 23)
  if not due then return false end
  local generation = sub(waiting, 1, 22)
  call('HSET', bodies, key, body)
  wait(key, '0', generation, 1, 0, due)
  tell('A', generation, key)
  return true
end

-- Parked for a person to look at: visible, at most 10,000 of them (invariant 40), and a record for who waits for the result.
-- Status 'D': the text is the client's; 'd': it is the attempt and the last consumer.
local function bury(key, generation, status, why, text, body)
  call('SET', recordPrefix .. key, status .. generation .. stamp .. text, 'PX', '${DEAD_RECORD_TTL}')
  call('HSET', graves, key, status .. generation .. stamp .. why .. '|' .. #text .. '|' .. text .. (body or ''))
  call('ZADD', dead, now, key)
  if call('ZCARD', dead) > 10000 then call('HDEL', graves, call('ZPOPMIN', dead)[1]) end
  tell('D', generation, key)
end
`;

/** Writes what `put` and `gone` have collected. */
export const flush = /* lua */ `
if #gone > 0 then write('HDEL', state, gone) write('HDEL', bodies, gone) gone = {} end
if #put > 0 then write('HSET', state, put) put = {} end
`;
