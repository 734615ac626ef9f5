/**
 * Repairs what strangers broke.
 *
 * @module
 */

import type { Swept } from "../../contract.ts";
import { memoriesOf } from "../lane.ts";
import { type Script, script } from "../script.ts";
import { allowWhenFull, ASIDE, events, hint, lists, records, time } from "./_common.ts";
import { group } from "./_group.ts";
import { gates } from "./_gates.ts";
import { flush, places, tasks } from "./_tasks.ts";

/** How many consumers, and advertisements, are looked after in one call. */
const MOST_CONSUMERS = 100;

/** Where no task is alive there is little to repair: the next look has so many times as long. */
const IDLE_PAUSES = 8;

/**
 * One page of the live tasks: XTRIM, DEL of the stream or the due set, XGROUP DESTROY and DELCONSUMER lose no task
 * (invariant 37). What is sound is not touched.
 *
 * - A row that waits in the stream, or runs, has its entry there; delivered, or running, it is pending with somebody.
 *   Otherwise it is queued anew, as it was, unless it was to be cancelled or replaced. Its old claim does not count any
 *   more (invariant 20).
 * - A row that is due later has its key in the due set, and in the background exactly if it says so.
 * - A row that is in line before a gate has its place there; holders that are gone are forgotten, and the next come in
 *   (invariant 59).
 * - A body whose row is gone is parked: whether it ran nobody knows, so it is not run again without being asked for.
 * - A key of another type in the place of one of ours is set aside, and what can be known of it is made anew (invariant 5):
 *   not rows and bodies, which are the only truth there is.
 * - The beginning of each pass forgets consumers that hold nothing, are not advertised and have been silent for long.
 * - How far it is is kept for all who sweep. A pass that repairs something goes on at once, else the next page has time,
 *   and much of it where no task is alive: an idle docket costs nearly nothing (invariant 77).
 * - The first write is one that a full Redis allows.
 */
export const sweep: Script<{
  recordTtl: "text";
  limit: "number";
  pause: "number";
  silence: "number";
}, Swept> = script(
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
      "automatic",
      "strikes",
      "workers",
      "waiters",
      "recordPrefix",
      "progressPrefix",
      "gatePrefix",
      "workerPrefix",
      "events",
      "wake",
    ],
    args: {
      recordTtl: "text",
      limit: "number",
      pause: "number",
      silence: "number",
    },
    reply: (raw) => {
      const [repaired, retired, next] = raw as number[];
      return { repaired, retired, next };
    },
  },
  /* lua */ `
${time}
local memory = redis.pcall('HGET', calls, '@sweep')         -- of another type? that is seen to at once
local known = type(memory) == 'string'
local cursor, bodyCursor, finding, notBefore
if known then cursor, bodyCursor, finding, notBefore = match(memory, '^(%d+)|(%d+)|(%d)|(%d+)$') end
if not cursor then cursor, bodyCursor, finding, notBefore = '0', '0', '0', 0 end
local early = notBefore - now
if known and early > 0 and early <= pause * ${IDLE_PAUSES} then return { 0, 0, early } end   -- longer: the clock was set back

-- Before anything else meets it: what stands in the place of one of ours, and is of another type.
local kinds = {
  zset = { dueSet, dead, failed, workers, waiters },
  hash = { calls, deferred, graves, automatic, strikes },
  set = { background },
  stream = { stream },
}
local aside, rulesAside = false, false
for kind, keys in pairs(kinds) do
  for i = 1, #keys do
    local is = call('TYPE', keys[i]).ok
    if is ~= kind and is ~= 'none' then
      aside, rulesAside = true, rulesAside or keys[i] == strikes
      call('RENAME', keys[i], keys[i] .. ':aside')
      call('PEXPIRE', keys[i] .. ':aside', '${ASIDE}')
    end
  end
end

-- Strikes whose version was lost, or that are gone: everybody is to read them anew (invariant 56).
local unversioned = call('HEXISTS', calls, '@strikes') == 0 and call('HLEN', strikes) > 0
if unversioned or rulesAside then
  ${allowWhenFull}
  call('HSET', calls, '@strikes', 'swept at ' .. stamp)
end
if aside then cursor, bodyCursor, finding = '0', '0', '1' end   -- all of it, at once

local watched = call('HGET', calls, '@watch')
local repaired, retired, buried, stale = 0, 0, 0, {}
${lists}
${events}
${records}
${places}
${tasks}
${gates}

${allowWhenFull}
${group}
if not lastDelivered then
  -- From the beginning: what still is in the stream is delivered anew, so that its rows are sound.
  call('XGROUP', 'CREATE', stream, 'workers', '0', 'MKSTREAM')
  lastDelivered = '0-0'
end
local lastMs, lastSequence = match(lastDelivered, '^(%d+)%-(%d+)$')
lastMs, lastSequence = tonumber(lastMs), tonumber(lastSequence)

-- 1. At the beginning of a pass: who is gone.
if cursor == '0' then
  local consumers = call('XINFO', 'CONSUMERS', stream, 'workers')
  for i = 1, #consumers do
    local info = {}
    for j = 1, #consumers[i], 2 do info[consumers[i][j]] = consumers[i][j + 1] end
    local silent = info.pending == 0 and info.idle > silence
    if silent and retired < ${MOST_CONSUMERS} and call('EXISTS', workerPrefix .. info.name) == 0 then
      retired = retired + 1
      call('XGROUP', 'DELCONSUMER', stream, 'workers', info.name)
      call('HDEL', calls, ${memoriesOf("").map((tail) => `info.name .. '${tail}'`).join(", ")})
    end
  end
  local names = call('ZRANGEBYSCORE', workers, '-inf', now - silence, 'LIMIT', 0, ${MOST_CONSUMERS})
  for i = 1, #names do
    if call('EXISTS', workerPrefix .. names[i]) == 0 then call('ZREM', workers, names[i]) end
  end
  local hidden = call('SRANDMEMBER', background, limit)     -- by and by each is looked at
  if #hidden > 0 then
    local rows, shown = fetch(state, hidden), {}
    for i = 1, #hidden do
      if not rows[i] or byte(rows[i], 1) ~= 66 then shown[#shown + 1] = hidden[i] end
    end
    write('SREM', background, shown)
  end
end

-- 2. One page of rows. Rebuilt entries keep its order.
local reply = call('HSCAN', state, cursor, 'COUNT', limit)
local found = reply[2]
cursor = reply[1]

-- Whether nobody will ever be given this entry. In a stream that is new its id may be that of another key's.
local function isLost(key, entry, running)
  local there = redis.pcall('XRANGE', stream, entry, entry)
  if there.err or there[1] and there[1][2][2] ~= key then return true end
  if there[1] then
    local ms, sequence = match(entry, '^(%d+)%-(%d+)$')
    ms, sequence = tonumber(ms), tonumber(sequence)
    if not running and (ms > lastMs or ms == lastMs and sequence > lastSequence) then return false end
    if #call('XPENDING', stream, 'workers', entry, entry, 1) > 0 then return false end
  end
  stale[#stale + 1] = entry
  return true
end

local lost, later, hidden, shown, lines = {}, {}, {}, {}, {}
for i = 1, #found, 2 do
  local key, row = found[i], found[i + 1]
  local status = byte(row, 1)
  if status == 83 or status == 66 then
    local n = #later
    later[n + 1], later[n + 2] = key, row
    if status == 66 then hidden[#hidden + 1] = key else shown[#shown + 1] = key end
  elseif status == 87 then                                  -- in line, also where the line was lost
    local max, id = match(row, '^|%d+|%d+|%d*|(%d+)|(.*)$', 25)
    if id then
      lines[id] = tonumber(max)
      if not call('ZSCORE', waiters, key) or not ask('ZSCORE', lineOf(id), key) then
        repaired = repaired + 1
        local turn = call('ZSCORE', waiters, key) or call('ZSCORE', lineOf(id), key) or string.format('%.0f', now * 4096)
        call('ZADD', waiters, turn, key)
        call('ZADD', lineOf(id), turn, key)
      end
    end
  elseif status == 81 or status == 82 then
    local entry, counts = match(row, '^([%d%-]+)|(%d+|%d+|[%d~]*)', status == 81 and 25 or 47)
    if entry and isLost(key, entry, status == 82) then lost[#lost + 1] = { key, row, counts } end
  end
end
acknowledge(stale, true)                                    -- before there are new ones, whose ids may be the same
for i = 1, #lost do
  local key, row, counts = unpack(lost[i])
  local flags, generation = byte(row, 2) - 48, sub(row, 3, 24)
  repaired = repaired + 1
  if flags % 8 >= 4 then call('DEL', progressPrefix .. key) end
  local next = flags % 4 >= 2 and replacement(key)
  local reason = flags % 2 == 1 and 'c' or next and 'r'
  if reason then                                            -- as if it were given back (invariants 14, 28)
    local attempt, runner = runOf(row)
    record(key, 'X', generation, recordTtl, reason .. note(attempt))
    tell('X', generation, key, attempt, runner, reason)
    if next then handOver(key, next) else gone[#gone + 1] = key end
  else
    local n = #put
    put[n + 1] = key
    put[n + 2] = 'Q0' .. generation .. call('XADD', stream, '*', 'k', key) .. '|' .. counts
  end
end
for id, max in pairs(lines) do                              -- who left without saying so held somebody up
  prune(id)
  admit(id, max)
end
write('SADD', background, hidden)
write('SREM', background, shown)
for from = 1, #later, 2000 do
  local names = {}
  for i = from, math.min(from + 1999, #later), 2 do names[#names + 1] = later[i] end
  local scores = call('ZMSCORE', dueSet, unpack(names))
  for i = 1, #names do
    if not scores[i] then
      repaired = repaired + 1
      local at = tonumber(match(later[from + i * 2 - 1], '^|%d+|%d+|(%d+)', 25)) or now
      call('ZADD', dueSet, string.format('%.0f', at), names[i])
      if not earliest or at < earliest then earliest = at end
    end
  end
end

-- 3. Bodies without a row, where there are any: never once more, but for who looks at what is parked.
if call('HLEN', bodies) > call('HLEN', state) then
  local page = call('HSCAN', bodies, bodyCursor, 'COUNT', limit)
  local names, texts = {}, {}
  for i = 1, #page[2], 2 do
    names[#names + 1] = page[2][i]
    texts[#names] = page[2][i + 1]
  end
  local rows = #names > 0 and fetch(state, names) or {}
  for i = 1, #names do
    if not rows[i] then
      local key = names[i]
      buried = buried + 1
      park(key, '${"0".repeat(22)}', 'd', 'row', '0|', texts[i])
      local next = replacement(key)                         -- it never ran, and was to
      if next then handOver(key, next) else gone[#gone + 1] = key end
    end
  end
  bodyCursor = page[1]
end
${flush}

if cursor == '0' then finding = '0' elseif repaired > 0 then finding = '1' end
local atOnce = finding == '1' or buried > 0 and bodyCursor ~= '0'
local idle = not atOnce and #found == 0 and bodyCursor == '0' and call('HLEN', state) == 0
local wait = atOnce and 0 or idle and pause * ${IDLE_PAUSES} or pause
call('HSET', calls, '@sweep', cursor .. '|' .. bodyCursor .. '|' .. finding .. '|' .. string.format('%.0f', now + wait))
${hint}
publish()
return { repaired, retired, wait }
`,
);
