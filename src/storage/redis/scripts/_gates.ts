/**
 * Lua for concurrency gates: who holds one, who is in line before it.
 *
 * @module
 */

import type { Millis } from "../../../base/clock.ts";
import { ASIDE } from "./_common.ts";
import { flush, places } from "./_tasks.ts";

/** Who gives no sign for so long holds nothing any more, nor waits, so that no key stays for ever; in milliseconds. */
export const LONGEST: Millis = 30 * 86_400_000;

/**
 * Holders are a hash, key → generation: a row of that generation, which runs or is queued with its place kept, is what
 * makes it one. A line is a sorted set, key → turn; what it says counts only while the row says so, too. Needs the
 * fragments of `_common.ts` and {@linkcode places}, `gatePrefix` and `waiters`.
 */
export const gates = /* lua */ `
local function holdersOf(id) return gatePrefix .. 'h:' .. id end
local function lineOf(id) return gatePrefix .. 'l:' .. id end

-- A command on a gate's key. What a stranger put in its place is set aside: else it would hold up all that comes with it
-- (invariant 5).
local function ask(command, name, ...)
  local reply = redis.pcall(command, name, ...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if string.find(reply.err, 'WRONGTYPE', 1, true) then
    call('RENAME', name, name .. ':aside')
    call('PEXPIRE', name .. ':aside', '${ASIDE}')
  end
  return call(command, name, ...)
end

-- Renewed each time, so that none that is in use comes anywhere near its end.
local function hold(id, key, generation)
  call('HSET', holdersOf(id), key, generation)
  call('PEXPIRE', holdersOf(id), '${LONGEST}')
end

-- Those that ended, or wait again, and did not leave: dead by their deliveries, say.
local function prune(id)
  local held = ask('HGETALL', holdersOf(id))
  for i = 1, #held, 2 do
    local row = call('HGET', state, held[i])
    local status = row and byte(row, 1)
    local isSound = row and sub(row, 3, 24) == held[i + 1] and (status == 81 or status == 82)
    if not isSound then call('HDEL', holdersOf(id), held[i]) end
  end
end

-- Wakes the longest waiting, as many as may come in: queued, with their places kept, so that nobody overtakes them.
local function admit(id, max)
  if ask('ZCARD', lineOf(id)) == 0 then return end
  local inside = ask('HLEN', holdersOf(id))
  while inside < max do
    local key = call('ZPOPMIN', lineOf(id))[1]
    if not key then return end
    local row = call('HGET', state, key)
    local attempt, deliveries, due, of
    if row and byte(row, 1) == 87 then attempt, deliveries, due, of = match(row, '^|(%d+)|(%d+)|(%d*)|%d+|(.*)$', 25) end
    if of == id then                                        -- else it was cancelled, or is in another line by now
      call('ZREM', waiters, key)
      hold(id, key, sub(row, 3, 24))
      wait(key, sub(row, 3, 24), attempt, deliveries, due)
      if byte(put[#put], 1) == 81 then put[#put] = put[#put] .. string.format('|%.0f|', max) .. id end
      inside = inside + 1
    end
  end
end
`;

/** Has the next come in for those that were taken off their places with {@linkcode leave}. Needs {@linkcode gates}. */
export const succeed = /* lua */ `
for i = 1, #freed do admit(freed[i][1], freed[i][2]) end
freed = {}
`;

/** The same for scripts that seldom need it: nothing is defined where no place was kept. */
export const succeedAlone = /* lua */ `
if #freed > 0 then
  ${places}
  ${gates}
  ${succeed}
  ${flush}
end
`;

/** As many of those in line are looked at when somebody died: the sweep finds the rest. */
const MOST_LOOKED_AT = 100;

/**
 * Has the next come in where somebody was found dead: what it held is not known any more, so the lines are gone through
 * from their front. Needs {@linkcode gates}, and that the dead has no row any more.
 */
export const inherit = /* lua */ `
do
  local names = redis.pcall('ZRANGE', waiters, 0, ${MOST_LOOKED_AT - 1})
  local rows = #names > 0 and fetch(state, names) or {}
  local seen = {}
  for i = 1, #names do
    local max, id = match(rows[i] or '', '^|%d+|%d+|%d*|(%d+)|(.*)$', 25)
    if id and not seen[id] then
      seen[id] = true
      prune(id)
      admit(id, tonumber(max))
    end
  end
end
`;
