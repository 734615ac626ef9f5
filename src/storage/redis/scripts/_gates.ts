/**
 * Lua for concurrency gates: who holds one, who is in line before it.
 *
 * @module
 */

import type { Millis } from "../../../base/clock.ts";
import { ASIDE } from "./_common.ts";

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

-- Those that ended, or wait again, and did not leave: cancelled with their place kept, say, or dead by their deliveries.
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
      inside = inside + 1
    end
  end
end
`;
