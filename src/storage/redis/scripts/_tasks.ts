/**
 * Lua shared by the scripts that make a task wait, end, die, or hand over to its replacement.
 *
 * @module
 */

import { DEAD_RECORD_TTL } from "../../contract.ts";

/** How many tasks that failed, and how many that are parked, can be run again: the oldest go first (invariant 40). */
const MOST_KEPT = 10_000;

/**
 * Needs the fragments of `_common.ts`. `put` and `gone` collect rows to write and keys to forget, which {@linkcode flush}
 * then does with one command each.
 */
export const places = /* lua */ `
local put, gone = {}, {}
local earliest

-- Gives the task a place to wait, and tells: a stream entry when it is due, an entry in the due set otherwise, there
-- perhaps in the background. "since" is nothing, or a tilde and since when nobody knew the task.
local function wait(key, generation, attempt, deliveries, due, inBackground, since)
  local n = #put
  put[n + 1] = key
  local counts = '|' .. attempt .. '|' .. deliveries .. '|' .. due .. (since or '')
  local at = tonumber(due)
  if not at or at <= now then
    put[n + 2] = 'Q0' .. generation .. call('XADD', stream, '*', 'k', key) .. counts
    tell('A', generation, key, attempt)
  else
    call('ZADD', dueSet, due, key)
    if inBackground then redis.pcall('SADD', background, key) end
    put[n + 2] = (inBackground and 'B0' or 'S0') .. generation .. counts
    tell('S', generation, key, attempt)
    if not earliest or at < earliest then earliest = at end
  end
end

-- '+<ms>' is a delay on the server's clock; everything else is kept. Far instants would print as '1e+15'.
local function instant(due)
  if byte(due, 1) == 43 then return string.format('%.0f', now + tonumber(sub(due, 2))) end
  return due
end
`;

/** Needs {@linkcode places} and the fragments of `_common.ts`. */
export const tasks = /* lua */ `
-- The replacement that came while the task ran, taken out: generation, when it is due, body. False when there is none.
local function replacement(key)
  local waiting = call('HGET', deferred, key)
  if not waiting then return false end
  call('HDEL', deferred, key)
  local due, body = match(waiting, '^(%d*)|(.*)$', 23)
  return due and { sub(waiting, 1, 22), due, body }
end

-- It takes the place of the run that ended (invariant 14).
local function handOver(key, next)
  call('HSET', bodies, key, next[3])
  wait(key, next[1], 1, 0, next[2])
end

-- Lists for people: how long this one is now. One that a stranger has turned into a key of another type must not stop
-- what really counts (invariant 5).
local function enlist(list, key)
  if type(redis.pcall('ZADD', list, now, key)) == 'table' then return 0 end
  return call('ZCARD', list)
end

-- Parked for a person to look at: visible, and not too many of them (invariant 40).
-- Status 'D': the text is the client's; 'd': it is the attempt and the last consumer.
local function park(key, generation, status, why, text, body)
  local grave = status .. generation .. stamp .. why .. '|' .. #text .. '|' .. text .. (body or '')
  if type(redis.pcall('HSET', graves, key, grave)) == 'table' then return end
  if enlist(dead, key) > ${MOST_KEPT} then call('HDEL', graves, call('ZPOPMIN', dead)[1]) end
end

-- Parked, and a record for who waits for the result.
local function bury(key, generation, status, why, text, body, attempt, consumer)
  call('SET', recordPrefix .. key, status .. generation .. stamp .. text, 'PX', '${DEAD_RECORD_TTL}')
  park(key, generation, status, why, text, body)
  tell('D', generation, key, attempt, consumer)
end

-- The record of what failed keeps the body, so that it can be run again; unless no record is wanted.
local function fail(key, generation, ttl, text, body)
  if ttl == '0' then return record(key, 'F', generation, ttl, text) end
  record(key, 'f', generation, ttl, #text .. '|' .. text .. (body or ''))
  local listed = enlist(failed, key)
  if listed > 0 and call('PTTL', failed) < tonumber(ttl) then call('PEXPIRE', failed, ttl) end -- as long as any record
  if listed > ${MOST_KEPT} then
    local oldest = recordPrefix .. call('ZPOPMIN', failed)[1]
    local kept = redis.pcall('GET', oldest)
    if type(kept) == 'string' and byte(kept, 1) == 102 then call('DEL', oldest) end
  end
end
`;

/** Writes what `put` and `gone` have collected. */
export const flush = /* lua */ `
if #gone > 0 then write('HDEL', state, gone) write('HDEL', bodies, gone) gone = {} end
if #put > 0 then write('HSET', state, put) put = {} end
`;
