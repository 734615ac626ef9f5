/**
 * Has runs pass their gates, before they begin.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import {
  allowWhenFull,
  events,
  flags,
  hint,
  leave,
  lists,
  PASSED,
  records,
  time,
} from "./_common.ts";
import { gates, LONGEST, succeed } from "./_gates.ts";
import { flush, places, tasks } from "./_tasks.ts";

/** How long it is remembered who passed a debounce last; in milliseconds. */
const MEMORY = 3_600_000;

/** So many are remembered that a later one took the place of while they ran: each has 22 characters. */
const MOST_OLDER = 32;

/**
 * The rest: for each entry its key, its token, the TTL of its record, how many gates, and for each of these a letter, its
 * id, and three values:
 *
 * | | |
 * |---|---|
 * | `h` | concurrency: how many |
 * | `r` | rate: how many, in how many milliseconds, `1` when the excess is dropped |
 * | `c` | cooldown: milliseconds |
 * | `d` | debounce: milliseconds |
 *
 * The answer is a letter for each: `p` passed, `w` parked, `x` ended, `f` fenced.
 *
 * - Gates are looked at in the order given, and the first that refuses decides. Only when all let it pass is anything taken
 *   of them; of a rate that refuses for now a later time is taken (invariant 61). A run counts from when it begins: where
 *   others began late, it is put off once more.
 * - What has not begun and is to be cancelled, or replaced, ends here (invariants 14, 28). What has passed may have begun:
 *   it passes again, whatever is wanted of it by now (invariants 27, 59).
 * - Acquiring or parking is one step, and what was kept for a run that is parked goes to the next in line (invariant 59).
 * - Given back and claimed anew, who has passed passes again, by its generation and attempt. What is parked or ended is
 *   fenced (invariant 27).
 * - The first write is one that a full Redis allows (invariant 78).
 */
export const enter: Script<{
  recordTtl: "text";
}, string> = script(
  {
    keys: [
      "stream",
      "state",
      "bodies",
      "dueSet",
      "deferred",
      "background",
      "calls",
      "dead",
      "graves",
      "failed",
      "waiters",
      "recordPrefix",
      "progressPrefix",
      "gatePrefix",
      "events",
      "wake",
    ],
    args: {
      recordTtl: "text",
    },
    reply: (raw) => raw as string,
  },
  /* lua */ `
${time}
local watched = call('HGET', calls, '@watch')
${allowWhenFull}
${lists}
${events}
${flags}
${records}
${leave}
${places}
${tasks}
${gates}

-- A later one has come: this one is dropped, wherever it waits (invariant 62). One that has passed, or was claimed and is
-- about to ask, is named: it must not be taken for a later one when it comes again.
local function supersede(key, generation, passed)
  local row = call('HGET', state, key)
  if not row or sub(row, 3, 24) ~= generation then return '' end
  if passed or byte(row, 1) == 82 then return generation end
  call('HDEL', state, key)
  call('HDEL', bodies, key)
  leave(key, row)
  local attempt = runOf(row)
  record(key, 'X', generation, recordTtl, 'd' .. note(attempt))
  tell('X', generation, key, attempt, '', 'd')
  return ''
end

-- What a gate says: nothing to let it pass, 'drop', 'line', or the instant at which to come again.
local looks = {
  h = function(gate, key, generation)
    local name = holdersOf(gate.id)
    gate.mine = ask('HGET', name, key) == generation
    if gate.mine then return end
    if ask('ZCARD', lineOf(gate.id)) > 0 then return 'line' end        -- arrivals do not overtake
    if call('HLEN', name) < gate.a then return end
    prune(gate.id)
    if call('HLEN', name) >= gate.a then return 'line' end
  end,
  r = function(gate, key, generation, attempt)
    local name, member = gatePrefix .. 'r:' .. gate.id, generation .. attempt
    ask('ZREMRANGEBYSCORE', name, '-inf', now - gate.b)
    gate.mine = call('ZSCORE', name, 'p' .. member)                     -- it has passed, and comes again
    if gate.mine then return end
    local time = tonumber(call('ZSCORE', name, member) or nil)
    if time and time > now then return time end
    local last
    if time then                                                        -- only what began late can be in its way
      local before = call('ZCOUNT', name, '-inf', now)
      if before <= gate.a then return end
      local rank = call('ZREVRANK', name, member) - (call('ZCARD', name) - before)
      last = call('ZREVRANGEBYSCORE', name, now, '-inf', 'WITHSCORES', 'LIMIT', rank < gate.a and gate.a or gate.a - 1, 1)
    else
      if call('ZCARD', name) < gate.a then return end
      if gate.c == 1 and attempt == '1' then return 'drop' end         -- what has begun comes later (invariant 61)
      last = call('ZRANGE', name, -gate.a, -gate.a, 'WITHSCORES')
    end
    local at = last[2] + gate.b
    call('ZADD', name, string.format('%.0f', at), member)
    call('PEXPIRE', name, string.format('%.0f', call('ZRANGE', name, -1, -1, 'WITHSCORES')[2] - now + gate.b))
    return at
  end,
  c = function(gate, key, generation, attempt)
    if attempt ~= '1' then return end                                   -- it has begun before: a retry is no other run
    local by = ask('GET', gatePrefix .. 'c:' .. gate.id)
    if by and by ~= generation then return 'drop' end                   -- never the one that holds it
  end,
  d = function(gate, key, generation, attempt)
    local name = gatePrefix .. 'd:' .. gate.id
    local latest = ask('HMGET', name, 'generation', 'key', 'due', 'passed', 'older')
    local older = latest[5] or ''
    gate.known, gate.last = latest[1], latest[1] == generation
    if latest[4] == generation then return end                          -- it comes again: a later one may wait
    if latest[1] == generation then
      local due = tonumber(latest[3])
      return due > now and due or nil
    end
    for at = 1, #older, 22 do
      if sub(older, at, at + 21) == generation then return 'drop' end   -- it was here before the latest
    end
    if attempt ~= '1' then return latest[4] and 'drop' end              -- later ones have passed meanwhile, or it was the last
    if latest[1] then older = sub(supersede(latest[2], latest[1], latest[1] == latest[4]) .. older, 1, ${
    22 * MOST_OLDER
  }) end
    local due = now + gate.a
    call('HSET', name, 'generation', generation, 'key', key, 'due', string.format('%.0f', due), 'older', older)
    call('PEXPIRE', name, string.format('%.0f', gate.a + ${LONGEST}))   -- however long it waits for its turn
    return due
  end,
}

local takes = {
  h = function(gate, key, generation)
    if not gate.mine then hold(gate.id, key, generation) end
  end,
  r = function(gate, key, generation, attempt)
    if gate.mine then return end
    local name = gatePrefix .. 'r:' .. gate.id
    call('ZREM', name, generation .. attempt)
    call('ZADD', name, string.format('%.0f', now), 'p' .. generation .. attempt)
    local last = call('ZRANGE', name, -1, -1, 'WITHSCORES')[2]
    call('PEXPIRE', name, string.format('%.0f', last - now + gate.b))
  end,
  c = function(gate, key, generation)
    call('SET', gatePrefix .. 'c:' .. gate.id, generation, 'PX', string.format('%.0f', gate.a), 'NX')
  end,
  d = function(gate, key, generation)
    if not gate.known then return end                                   -- it has been forgotten: nobody came later
    call('HSET', gatePrefix .. 'd:' .. gate.id, 'passed', generation)
    if gate.last then call('PEXPIRE', gatePrefix .. 'd:' .. gate.id, string.format('%.0f', gate.a + ${MEMORY})) end
  end,
}

local function passage(row, key, token, ttl, asked)
  if not row or byte(row, 1) ~= 82 or sub(row, 25, 46) ~= token then return 'f' end
  local entry, attempt, deliveries, due = match(row, '^([%d%-]+)|(%d+)|(%d+)|(%d*)', 47)
  if not entry then return 'f' end
  local generation, flags = sub(row, 3, 24), byte(row, 2) - 48
  if flags % 16 >= ${PASSED} then return 'p' end               -- late bytes, or the answer was lost: it may have begun
  local said
  if flags % 4 > 0 then said = 'drop' end
  for i = 1, #asked do
    if said then break end
    said = looks[asked[i].kind](asked[i], key, generation, attempt)
    if said == 'line' then asked.line = asked[i] end
  end
  if not said then
    for i = 1, #asked do takes[asked[i].kind](asked[i], key, generation, attempt) end
    local n = #put
    put[n + 1], put[n + 2] = key, flagged(row, flags + ${PASSED})
    return 'p'
  end

  acknowledge({ entry }, true)
  deliveries = math.max(0, deliveries - 1)                  -- it takes its own delivery back
  if flags >= 4 then call('DEL', progressPrefix .. key) end  -- what it has reported goes with the run (invariant 25)
  local reply = 'w'
  if said == 'drop' then
    reply = 'x'
    local next = flags % 4 >= 2 and replacement(key)
    local reason = flags % 2 == 1 and 'c' or next and 'r' or 'd'
    record(key, 'X', generation, ttl, reason .. note(attempt))
    tell('X', generation, key, attempt, select(2, runOf(row)), reason)
    if next then handOver(key, next) else gone[#gone + 1] = key end
  elseif said == 'line' then
    -- In the order in which they were queued, whoever was quicker to ask (invariant 59): exact in a double.
    local ms, sequence = match(entry, '^(%d+)%-(%d+)$')
    local turn = string.format('%.0f', ms * 4096 + math.min(4095, tonumber(sequence)))
    call('ZADD', waiters, turn, key)
    ask('ZADD', lineOf(asked.line.id), turn, key)
    local n = #put
    put[n + 1] = key
    local max = string.format('%.0f', asked.line.a)         -- a large one would print as '1e+15'
    put[n + 2] = 'W0' .. generation .. '|' .. attempt .. '|' .. deliveries .. '|' .. due .. '|' .. max .. '|' .. asked.line.id
    tell('W', generation, key, attempt)
  else
    wait(key, generation, attempt, deliveries, string.format('%.0f', said))
  end
  ${flush}
  for i = 1, #asked do                                      -- what was kept for it goes to the next in line
    if asked[i].kind == 'h' and ask('HGET', holdersOf(asked[i].id), key) == generation then
      call('HDEL', holdersOf(asked[i].id), key)
      admit(asked[i].id, asked[i].a)
    end
  end
  if said == 'line' then admit(asked.line.id, asked.line.a) end
  ${succeed}
  ${flush}
  return reply
end

local names, starts, at = {}, {}, FIRST
while at <= #ARGV do
  names[#names + 1], starts[#names + 1] = ARGV[at], at
  at = at + 4 + 5 * ARGV[at + 3]
end
local rows, seen, replies = #names > 0 and fetch(state, names) or {}, {}, {}
for n = 1, #names do
  local at = starts[n]
  local key, token, ttl, asked = ARGV[at], ARGV[at + 1], ARGV[at + 2], {}
  local count = tonumber(ARGV[at + 3])
  at = at + 4
  for i = 1, count do
    asked[i] = { kind = ARGV[at], id = ARGV[at + 1], a = tonumber(ARGV[at + 2]), b = tonumber(ARGV[at + 3]), c = tonumber(ARGV[at + 4]) }
    at = at + 5
  end
  if seen[key] then                                         -- what runs is changed by its own entry alone
    ${flush}
    rows[n] = call('HGET', state, key)
  end
  seen[key] = true
  replies[n] = passage(rows[n], key, token, ttl, asked)
end
${flush}
${hint}
publish()
return table.concat(replies)
`,
);
