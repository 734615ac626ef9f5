/**
 * Counts what is on the docket, and names some of it.
 *
 * @module
 */

import type { Counts } from "../../contract.ts";
import { type Script, script } from "../script.ts";
import { group } from "./_group.ts";
import { lists, time } from "./_common.ts";

/** What there is. Tasks are keys and rows, flat. */
export interface Surveyed {
  readonly at: number;
  readonly counts: Counts;
  readonly scheduled: readonly string[];
  readonly queued: readonly string[];
  readonly running: readonly string[];
  readonly inLine: readonly string[];
  /** Keys alone. */
  readonly waiting: readonly string[];
}

/** So many entries are looked at on each side of where the group is. */
const MOST = 10_000;

/**
 * Writes nothing. What runs is found by what is pending: at most 10,000 entries are looked at. The rest of what is
 * not scheduled is queued. Bodies are not told: together they could be more than a reply should be.
 */
export const survey: Script<{ limit: "number" }, Surveyed> = script(
  {
    keys: ["stream", "state", "dueSet", "deferred", "dead", "waiters"],
    args: { limit: "number" },
    reply: (raw) => {
      const [at, counts, scheduled, queued, running, waiting, inLine] = raw as [
        string,
        number[],
        string[],
        string[],
        string[],
        string[],
        string[],
      ];
      const [later, now, claimed, deferred, dead] = counts;
      return {
        at: Number(at),
        counts: { scheduled: later, queued: now, running: claimed, waiting: deferred, dead },
        scheduled,
        queued,
        running,
        inLine,
        waiting,
      };
    },
  },
  /* lua */ `
${time}
${lists}
${group}

-- Keys and rows of the keys, whose rows are the ones that are wanted; at most so many.
local function pick(keys, wanted)
  local picked = {}
  local rows = #keys > 0 and fetch(state, keys) or {}
  for i = 1, #keys do
    if #picked >= limit * 2 then break end
    if rows[i] and wanted(rows[i], i) then
      local n = #picked
      picked[n + 1], picked[n + 2] = keys[i], rows[i]
    end
  end
  return picked
end

local function isLater(row) return byte(row, 1) == 83 or byte(row, 1) == 66 end
local function isQueuedAs(row, entry)
  return byte(row, 1) == 81 and sub(row, 25, 25 + #entry) == entry .. '|'
end

-- 1. What is pending: it runs, or was delivered and is about to.
local running, queued, claimed, listed = {}, {}, 0, {}
local from = '-'
for looked = 1, ${MOST}, 1000 do
  local pending = lastDelivered and call('XPENDING', stream, 'workers', from, '+', 1000) or {}
  local keys, entries, dense = {}, {}, {}
  if #pending > 0 then                                      -- they mostly stand together: then one read brings them all
    local some = call('XRANGE', stream, pending[1][1], pending[#pending][1], 'COUNT', 2000)
    for i = 1, #some do dense[some[i][1]] = some[i] end
  end
  for i = 1, #pending do
    local entry = dense[pending[i][1]] or call('XRANGE', stream, pending[i][1], pending[i][1])[1]
    if entry then
      keys[#keys + 1] = entry[2][2]
      entries[#keys] = entry[1]
    end
  end
  local rows = #keys > 0 and fetch(state, keys) or {}
  for i = 1, #keys do
    local row, entry = rows[i], entries[i]
    if not row then                                         -- settled meanwhile, or not ours at all
    elseif byte(row, 1) == 82 and sub(row, 47, 47 + #entry) == entry .. '|' then
      claimed = claimed + 1
      local started = match(row, '^|%d*|%d*|[%d~]*|(%d+)|', 47 + #entry)
      running[claimed] = { tonumber(started) or 0, claimed, keys[i], row }
    elseif isQueuedAs(row, entry) and #queued < limit * 2 then
      listed[keys[i]] = true
      local n = #queued
      queued[n + 1], queued[n + 2] = keys[i], row
    end
  end
  if #pending < 1000 then break end
  from = '(' .. pending[1000][1]
end
table.sort(running, function(a, b)
  if a[1] ~= b[1] then return a[1] < b[1] end
  return a[2] < b[2]
end)
local shown = {}
for i = 1, math.min(limit, claimed) do
  shown[i * 2 - 1], shown[i * 2] = running[i][3], running[i][4]
end

-- 2. What nobody was given yet.
from = lastDelivered and '(' .. lastDelivered or '-'
for looked = 1, ${MOST}, 1000 do
  if #queued >= limit * 2 then break end
  local entries = call('XRANGE', stream, from, '+', 'COUNT', 1000)
  local keys = {}
  for i = 1, #entries do keys[i] = entries[i][2][2] end
  -- Not once more what is pending, too, because a stranger moved the group's pointer.
  local some = pick(keys, function(row, i) return isQueuedAs(row, entries[i][1]) and not listed[keys[i]] end)
  for i = 1, math.min(#some, limit * 2 - #queued) do queued[#queued + 1] = some[i] end
  if #entries < 1000 then break end
  from = '(' .. entries[1000][1]
end

-- 3. What is due later, and what waits for a run to end.
local later, waiting, lined = {}, {}, {}
if limit > 0 then
  lined = pick(call('ZRANGE', waiters, 0, limit - 1), function(row) return byte(row, 1) == 87 end)
  later = pick(call('ZRANGE', dueSet, 0, limit - 1), isLater)
  local page = { '0' }
  repeat
    page = call('HSCAN', deferred, page[1], 'COUNT', limit)
    for i = 1, #page[2], 2 do
      if #waiting < limit then waiting[#waiting + 1] = page[2][i] end
    end
  until page[1] == '0' or #waiting >= limit
end

local scheduled, inLine = call('ZCARD', dueSet), call('ZCARD', waiters)
local counts = {
  scheduled,
  math.max(0, call('HLEN', state) - scheduled - claimed - inLine),
  claimed,
  call('HLEN', deferred) + inLine,
  call('ZCARD', dead),
}
return { string.format('%.0f', now), counts, later, queued, shown, waiting, lined }
`,
);
