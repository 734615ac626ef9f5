/**
 * Adds or replaces many tasks in one step.
 *
 * @module
 */

import { named } from "../keys.ts";
import { type Script, script } from "../script.ts";
import { events, flags, hint, leave, lists, newer, readNow, records, short } from "./_common.ts";
import { succeedAlone } from "./_gates.ts";

/** What became of a call: accepted, deferred, or the row and body of the task that is in its way; or nobody can tell. */
export type Answer = "ok" | "deferred" | "unknown" | readonly [row: string, body: string];

/** What became of a batch: an answer for each call, or none of them when all are `"ok"`, or there are newer strikes. */
export interface Answered {
  readonly answers?: readonly Answer[];
  /** The version of the strikes, where the caller knew another. */
  readonly newer?: string;
}

/** When a call is due: `at`, or nothing, and `due` as it is written. */
const instant = /* lua */ `
local at = tonumber(due)
if byte(due, 1) == 43 then
  at = now + at
  due = string.format('%.0f', at)
end
`;

/** Gives a new task its place: in the due set when it is `later`, in the stream otherwise. */
const place = /* lua */ `
local later = at and at > now
local n = #rowPairs
rowPairs[n + 1], bodyPairs[n + 1], bodyPairs[n + 2] = key, key, body
if later then
  call('ZADD', dueSet, due, key)
  rowPairs[n + 2] = 'S0' .. generation .. '|1|0|' .. due
  if not earliest or at < earliest then earliest = at end
else
  rowPairs[n + 2] = 'Q0' .. generation .. call('XADD', stream, '*', 'k', key) .. '|1|0|' .. due
end
`;

/**
 * The rest: for each call its key, head and body. The head is the mode (`a` add, `r` replace), the generation (22) and
 * when it is due: `""` at once, `"<ms>"` an instant, `"+<ms>"` a delay on the server's clock.
 *
 * - All or nothing, and in the order given: two calls for one key behave as if sent one after the other (invariant 17).
 * - The generation is the request's own random id, so a call sent again is recognised and changes nothing, while the
 *   task lives and while its record does (invariant 27). `underWay` is for how long it has been sent again and again, in
 *   milliseconds; nothing at first. When another generation of its key has ended in that time, the record of this one may
 *   have been there before: then nothing is written, as it might run twice, and nobody can tell.
 * - An add on a live key changes nothing. A replace removes what waits and leaves its record; of a running task it is
 *   kept aside and marked in the row, so that the two bodies never overlap (invariants 1, 2, 14).
 * - A row of a newer version is in the way of a replace, too: what it would have to be taken off is not known.
 * - A live key has a row, a body, and exactly one of stream entry and due entry.
 * - With newer strikes than the caller has looked at nothing is written (invariant 56).
 * - The first write needs memory: with Redis full it is refused before anything is written (invariant 78).
 */
export const schedule: Script<{
  recordTtl: "text";
  strikes: "text";
  checked: "flag";
  underWay: "text";
}, Answered> = script(
  {
    keys: ["stream", "state", "bodies", "calls", "recordPrefix"],
    args: {
      recordTtl: "text",
      strikes: "text",
      checked: "flag",
      underWay: "text",
    },
    reply: read,
  },
  /* lua */ `
${short}
local memory = call('HMGET', calls, '@watch', '@strikes')
if checked and strikes ~= (memory[2] or '') then return { 'outdated', memory[2] or '' } end

local count = (#ARGV - FIRST + 1) / 3
local names, last, repeated, timed = {}, {}, false, false
for i = 1, count do
  local key = ARGV[FIRST + i * 3 - 3]
  repeated = repeated or last[key]
  names[i], last[key] = key, i
  timed = timed or #ARGV[FIRST + i * 3 - 2] > 23
end
local watched, now = memory[1], 0
if timed or watched then
  ${readNow}
end
${named("dueSet", "wake")}
if timed then call('ZCARD', dueSet) end                      -- a key of the wrong type fails here, before the first write

-- 1. Nearly always all are new, and nobody watches: what the rest needs takes longer to be defined than this to be done.
local areNew = underWay == '' and not repeated and count <= 1000 and not (watched and tonumber(watched) > now)
if areNew then
  local rows = call('HMGET', state, unpack(names))
  for i = 1, count do areNew = areNew and not rows[i] end
end
if areNew then
  local recordKeys = {}
  for i = 1, count do recordKeys[i] = recordPrefix .. names[i] end
  local texts = call('MGET', unpack(recordKeys))
  for i = 1, count do areNew = areNew and not (texts[i] and sub(texts[i], 2, 23) == sub(ARGV[FIRST + i * 3 - 2], 2, 23)) end
end
if areNew then
  local rowPairs, bodyPairs, earliest = {}, {}, nil
  for i = 1, count do
    local key, head, body = names[i], ARGV[FIRST + i * 3 - 2], ARGV[FIRST + i * 3 - 1]
    local generation, due = sub(head, 2, 23), sub(head, 24)
    ${instant}
    ${place}
  end
  call('HSET', bodies, unpack(bodyPairs))
  call('HSET', state, unpack(rowPairs))
  ${hint}
  return 'ok'
end

-- 2. Whatever comes.
if now == 0 then
  ${readNow}
end
local stamp = now .. '|'
${named("deferred", "background", "waiters", "gatePrefix", "events")}
${lists}
${events}
${flags}
${records}
${leave}
${newer}
local generations = {}
for i = 1, count do generations[i] = sub(ARGV[FIRST + i * 3 - 2], 2, 23) end
local rows = fetch(state, names)

-- A call that finds another generation, or none, may be this very request sent again: then there is a record of it.
local recordKeys, recordOf, recorded, doubtful = {}, {}, {}, {}
local since = underWay ~= '' and now - tonumber(underWay)
for i = 1, count do
  if not rows[i] or sub(rows[i], 3, 24) ~= generations[i] then
    recordKeys[#recordKeys + 1] = recordPrefix .. names[i]
    recordOf[#recordKeys] = i
  end
end
for from = 1, #recordKeys, 4000 do
  local texts = call('MGET', unpack(recordKeys, from, math.min(from + 3999, #recordKeys)))
  for n = 1, #texts do
    local i = recordOf[from + n - 1]
    recorded[i] = texts[n] and sub(texts[n], 2, 23) == generations[i]
    doubtful[i] = since and texts[n] and not recorded[i] and (tonumber(match(texts[n], '^%d+', 24)) or 0) >= since
  end
end

-- Of several calls for one key the last leaves the trace: where it has, those before it did their work too.
local applied, beside = {}, {}
if repeated then
  for i = count, 1, -1 do
    local key, row = names[i], rows[i]
    if not applied[key] then
      local waiting = row and ((byte(row, 2) or 48) - 48) % 4 >= 2 and call('HGET', deferred, key)
      beside[key] = waiting and sub(waiting, 1, 22) == generations[i]
      if recorded[i] or beside[key] or row and sub(row, 3, 24) == generations[i] then applied[key] = i end
    end
  end
end

local replies, rowPairs, bodyPairs, seen, earliest = {}, {}, {}, {}, nil
local function flush()
  write('HSET', bodies, bodyPairs)
  write('HSET', state, rowPairs)
  rowPairs, bodyPairs = {}, {}
end

for i = 1, count do
  local key, generation = names[i], generations[i]
  local head, body = ARGV[FIRST + i * 3 - 2], ARGV[FIRST + i * 3 - 1]
  local replace, due = byte(head, 1) == 114, sub(head, 24)
  local row = rows[i]
  if seen[key] then flush() row = call('HGET', state, key) end
  seen[key] = true
  ${instant}
  local flags = row and (byte(row, 2) or 48) - 48 or 0
  local waiting = flags % 4 >= 2 and call('HGET', deferred, key)
  local previous = waiting and sub(waiting, 1, 22)
  local before = i < (applied[key] or 0)                     -- then what runs now ran then, too, if the last was deferred
  local reply
  if recorded[i] or row and sub(row, 3, 24) == generation or before and not beside[key] then
    reply = 'ok'
  elseif row and (not replace or isNewer(row)) then
    reply = { row, call('HGET', bodies, key) or '' }
  elseif before then
    reply = 'deferred'
  elseif doubtful[i] and previous ~= generation then
    reply = 'unknown'
  elseif row and (byte(row, 1) == 82 or previous == generation) then
    reply = 'deferred'
    if previous ~= generation then
      call('HSET', deferred, key, generation .. due .. '|' .. body)
      if flags % 4 < 2 then call('HSET', state, key, flagged(row, flags + 2)) end
      if previous then
        record(key, 'X', previous, recordTtl, 'r')
        tell('X', previous, key, 1, '', 'r')
      end
      tell('W', generation, key, 1)
    end
  else
    reply = 'ok'
    ${place}
    if row then                                             -- what waited goes, in the same step
      leave(key, row, later)
      if waiting then                                       -- its run was lost, and what waited for that goes, too
        call('HDEL', deferred, key)
        tell('X', previous, key, 1, '', 'r')
      end
      local attempt = runOf(row)
      record(key, 'X', sub(row, 3, 24), recordTtl, 'r' .. note(attempt))
      tell('X', sub(row, 3, 24), key, attempt, '', 'r')
    end
    tell(later and 'S' or 'A', generation, key, 1)
  end
  replies[i] = reply
end
flush()
${succeedAlone}
${hint}
publish()
return replies
`,
);

function read(raw: unknown): Answered {
  if (raw === "ok") return {};
  const answers = raw as readonly (Answer | "outdated")[];
  return answers[0] === "outdated"
    ? { newer: answers[1] as string }
    : { answers: answers as readonly Answer[] };
}
