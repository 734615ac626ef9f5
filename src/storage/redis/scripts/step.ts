/**
 * Commits what finished, then takes what there is room for, in one call: the heart of a worker.
 *
 * @module
 */

import { named } from "../keys.ts";
import { type Script, script } from "../script.ts";
import { claim, look } from "./_claim.ts";
import { allowWhenFull, events, hint, lists, records, STUB, time } from "./_common.ts";
import { gates, inherit } from "./_gates.ts";
import { flush, places, tasks } from "./_tasks.ts";
import { tidy } from "./_tidy.ts";

/** What a step brought; `"old"`: nothing was done, the lane must be opened anew. */
export type Brought = "old" | {
  /** `""` when every outcome was committed, else a letter each: `o` committed, `f` fenced. */
  readonly verdicts: string;
  /** Flat: key, row and body of each task to run. */
  readonly claims: readonly string[];
  /** How many entries were looked at. */
  readonly seen: number;
  /** The last of them; `""` when there was none. */
  readonly cursor: string;
  /** When the stream was trimmed: for how long its oldest pending entry has been holding up the rest. */
  readonly age?: number;
  /** Where a lane was opened: what names it now. */
  readonly epoch?: string;
  /** The version of the strikes. */
  readonly strikes: string;
  /** Flat: key, reason and body of each task that was parked. */
  readonly parked: readonly string[];
};

/** What is needed where not everything is as it nearly always is. */
const everything = [
  named("dueSet", "deferred", "background", "dead", "graves", "failed", "automatic", "waiters"),
  named("progressPrefix", "gatePrefix", "events", "wake"),
  lists,
  events,
  records,
  places,
  tasks,
  gates,
].join("\n");

/** Takes what there is of this consumer's: as many as it wants of what is new, or of its own. */
const reading = /* lua */ `
if want ~= '0' then                                         -- text, as Redis is slow to print numbers
  local reply = redis.pcall('XREADGROUP', 'GROUP', 'workers', consumer, 'COUNT', want, 'STREAMS', stream, from)
  if reply and reply.err then                               -- NOGROUP: a new docket, or somebody destroyed it (invariant 37)
    if not string.find(reply.err, 'NOGROUP', 1, true) then return reply end   -- refused, say
    call('XGROUP', 'CREATE', stream, 'workers', '0', 'MKSTREAM')
    reply = call('XREADGROUP', 'GROUP', 'workers', consumer, 'COUNT', want, 'STREAMS', stream, from)
  end
  if reply then entries = reply[1][2] end
  found = #entries
  for i = found, 1, -1 do
    if entries[i] then cursor = entries[i][1] break end
  end
end
`;

/** Claims what was read, one by one. Needs {@linkcode everything} and {@linkcode look}. */
const take = /* lua */ `
${claim}
claims, fallen = out, parked
${flush}
if died then
  ${inherit}
  ${flush}
end
`;

/**
 * `from` is `">"` for new entries, or an entry id for this consumer's own pending entries after it. `remove` takes
 * the entries of what it settles out of the stream, `trim` everything below the oldest pending entry: `"now"`, `"idle"`
 * (when nothing was found) or `""`. The rest are groups: token (22), TTL in milliseconds (`"0"`: a stub),
 * when the runs started, size, then key and outcome for each. An outcome is a letter and what belongs to it:
 *
 * | | |
 * |---|---|
 * | `C` `F` + text | completed, failed |
 * | `c` + text | completed, and the text leaves out when it started |
 * | `X` + reason letter + text | cancelled |
 * | `D` + text | dead |
 * | `E` + `C` or `F` + text | so too, and its chain ends on purpose |
 * | `T` + due | again, one attempt more |
 * | `L` + due | released, nothing charged |
 * | `H` + due | released, because nobody knows the task |
 * | `G` + how many + `\|` + bytes of the id + `\|` + how many may hold it + `\|` + id for each + another | gates that it leaves |
 * | `P` + state letter + generation (22) + due + `\|` + bytes of the text + `\|` + text + body | the next of a chain |
 *
 * The text after `PX` begins with the reason letter as well.
 *
 * - Fencing: an outcome counts only while the row bears its token; otherwise it writes nothing, not even an
 *   acknowledgement (invariants 19, 23, 24). Each token commits at most once, also when a key comes twice in one call.
 * - A lane opens with a call that has no epoch and asks for nothing: it creates the lane, or joins it. A call of another
 *   epoch is refused, so that old bytes arriving late can never claim or commit anything a second time. Numbers only rise.
 *   The group knows the consumer from then on, also if it never gets anything: so the sweep can forget it.
 * - Sent again with the same number it repeats the first answer, tasks included, and changes nothing (invariant 27).
 * - Ack, row, body, record, retry, successor and deferred replacement change together (invariant 35).
 * - A row that runs elsewhere is never taken here (invariant 20). What was cancelled before the claim never runs.
 * - What failed keeps its body. What a run has reported goes with it (invariant 25).
 * - The first write is one that a full Redis allows (invariant 78).
 */
export const step: Script<{
  recordTtl: "text";
  consumer: "text";
  lane: "text";
  number: "text";
  epoch: "text";
  token: "text";
  from: "text";
  want: "text";
  maxDeliveries: "number";
  remove: "text";
  trim: "text";
}, Brought> = script(
  {
    keys: ["stream", "state", "bodies", "calls", "recordPrefix"],
    args: {
      recordTtl: "text",
      consumer: "text",
      lane: "text",
      number: "text",
      epoch: "text",
      token: "text",
      from: "text",
      want: "text",
      maxDeliveries: "number",
      remove: "text",
      trim: "text",
    },
    reply: read,
  },
  /* lua */ `
${time}
local memory = call('HMGET', calls, lane, '@watch', '@strikes')
local watched, strikes, expired = memory[2], memory[3] or '', false
local last, lastEpoch
if memory[1] then
  last, lastEpoch = match(memory[1], '^(%d+)|(%d+)|')
  last = tonumber(last)
end

if epoch == '' then
  if not last then
    lastEpoch = string.format('%.0f', time[1] * 1000000 + time[2])
    ${allowWhenFull}
    local named = redis.pcall('XGROUP', 'CREATECONSUMER', stream, 'workers', consumer)
    if type(named) == 'table' then                          -- NOGROUP, as below
      call('XGROUP', 'CREATE', stream, 'workers', '0', 'MKSTREAM')
      call('XGROUP', 'CREATECONSUMER', stream, 'workers', consumer)
    end
    call('HSET', calls, lane, '0|' .. lastEpoch .. '|0||')
  end
  return { '|0|||' .. strikes, {}, {}, lastEpoch }
end
if epoch ~= lastEpoch or tonumber(number) < last then return { 'old' } end

if tonumber(number) == last then                            -- the reply was lost: say it again
  local lastSeen, lastCursor, lastVerdicts = match(memory[1], '^%d+|%d+|(%d+)|([^|]*)|(.*)$')
  local again, after = {}, from == '>' and '0' or from
  local me = '|' .. consumer
  repeat
    local pending = redis.pcall('XREADGROUP', 'GROUP', 'workers', consumer, 'COUNT', 1000, 'STREAMS', stream, after)
    local list = pending and not pending.err and pending[1][2] or {}
    local names = {}
    for i = 1, #list do
      after = list[i] and list[i][1] or after
      names[i] = list[i] and list[i][2] and list[i][2][2] or ''
    end
    if #list > 0 then
      local rows = call('HMGET', state, unpack(names))
      for i = 1, #list do
        local row = rows[i]
        local mine = row and byte(row, 1) == 82 and sub(row, -#me) == me
        if mine and (from ~= '>' or sub(row, 25, 46) == token) then
          local n = #again
          again[n + 1], again[n + 2], again[n + 3] = names[i], row, call('HGET', bodies, names[i]) or ''
        end
      end
    end
  until #list < 1000
  return { lastVerdicts .. '|' .. lastSeen .. '|' .. lastCursor .. '||' .. strikes, again }
end

-- What is nearly always so needs nothing that is made for the rest; and nearly always nobody watches. Where it looks into
-- rows it makes no strings: they are what most of a script's time goes into.
local find = string.find
local quiet = not (watched and tonumber(watched) > now)

-- 1. What is to be settled.
local names, tokens, ttls, spans, outcomes, size = {}, {}, {}, {}, {}, 0
local at = FIRST
while at <= #ARGV do
  local owner, ttl, span, finish = ARGV[at], ARGV[at + 1], ARGV[at + 2], at + 3 + 2 * ARGV[at + 3]
  if span ~= '' then span = string.format('%.0f', now - span) .. '|' end
  for i = at + 4, finish, 2 do
    size = size + 1
    names[size], tokens[size], ttls[size], spans[size], outcomes[size] = ARGV[i], owner, ttl, span, ARGV[i + 1]
  end
  at = finish + 1
end
local verdicts, committed, settled, rows, seen = '', 0, {}, nil, {}
local entries, found, cursor, claims, fallen = {}, 0, '', {}, nil

-- All of it completed, each under its token, and nothing else was asked for meanwhile?
local plain = quiet and size <= 1000
if plain and size > 0 then
  rows = call('HMGET', state, unpack(names))
  for i = 1, size do
    local row, key = rows[i], names[i]
    local bar = row and byte(row, 1) == 82 and byte(row, 2) == 48 and #tokens[i] == 22
      and find(row, tokens[i], 25, true) == 25 and find(row, '|', 47, true)
    local code = byte(outcomes[i], 1)
    if not bar or code ~= 99 and code ~= 67 or seen[key] then
      plain = false
      break
    end
    seen[key], settled[i] = true, sub(row, 47, bar - 1)
  end
end

if plain then
  -- 2. The short way.
  if size > 0 then
    committed = size
    call('XACK', stream, 'workers', unpack(settled))
    for i = 1, size do
      local ttl, span, text = ttls[i], spans[i], sub(outcomes[i], 2)
      if ttl == '0' then ttl, span, text = '${STUB}', '', '' end
      call('PSETEX', recordPrefix .. names[i], ttl, sub(outcomes[i], 1, 1) .. sub(rows[i], 3, 24) .. stamp .. span .. text)
    end
    call('HDEL', state, unpack(names))
    call('HDEL', bodies, unpack(names))
    if remove == 'now' then call('XDEL', stream, unpack(settled)) end
  end
  ${reading}
  if found > 0 then
    ${look}
    -- All of them delivered for the first time?
    local changed, tail = {}, '|' .. stamp .. consumer
    plain = maxDeliveries > 0
    for i = 1, found do
      local entry, row, text = entries[i] and entries[i][1], rows[i], texts[i]
      local at = entry and 25 + #entry                      -- behind the entry that the row names
      local due = entry and row and text and byte(row, 1) == 81 and byte(row, 2) == 48 and find(row, entry, 25, true) == 25
        and find(row, '|1|0|', at, true) == at and sub(row, at + 5)
      if not due or due ~= '' and find(due, '[|~]') then
        plain = false
        break
      end
      row = 'R' .. sub(row, 2, 24) .. token .. entry .. '|1|1|' .. due .. tail
      changed[2 * i - 1], changed[2 * i] = names[i], row
      claims[3 * i - 2], claims[3 * i - 1], claims[3 * i] = names[i], row, text
    end
    if plain then call('HSET', state, unpack(changed))
    else
      ${everything}
      ${take}
      ${hint}
    end
  end
else
  -- 3. Whatever comes.
  ${everything}
  rows, seen, settled = rows or size > 0 and fetch(state, names), {}, {}
  local mine = {}
  for i = 1, size do
    local row, key = rows[i], names[i]
    if row and sub(row, 25, 46) == tokens[i] and byte(row, 1) == 82 and not seen[key] then
      seen[key] = true
      committed = committed + 1
      mine[committed] = i
      settled[committed] = match(row, '^[%d%-]+', 47) or '0-1'
    end
  end
  if committed < size then
    local letters = {}
    for i = 1, size do letters[i] = 'f' end
    for n = 1, committed do letters[mine[n]] = 'o' end
    verdicts = table.concat(letters)
  end
  if committed > 0 then
    acknowledge(settled, remove == 'now')
    local left = {}
    for n = 1, committed do
      local i = mine[n]
      local key, row, outcome, ttl = names[i], rows[i], outcomes[i], ttls[i]
      if byte(outcome, 1) == 71 then                      -- gates that it leaves; the next in line come in below
        local count, at = match(outcome, '^G(%d+)|()')
        for _ = 1, count do
          local length, max, start = match(outcome, '^(%d+)|(%d+)|()', at)
          local id = sub(outcome, start, start + length - 1)
          ask('HDEL', holdersOf(id), key)
          left[#left + 1] = { id, tonumber(max) }
          at = start + length
        end
        outcome = sub(outcome, at)
      end
      local code, flags = byte(outcome, 1), byte(row, 2) - 48
      if code == 99 then outcome = 'c' .. spans[i] .. sub(outcome, 2) end
      if flags % 8 == 0 and (code == 99 or code == 67) then -- completed: most of the others, too
        gone[#gone + 1] = key
        record(key, sub(outcome, 1, 1), sub(row, 3, 24), ttl, sub(outcome, 2))
        if watched then tell('C', sub(row, 3, 24), key, runOf(row)) end
      else
        local attempt, deliveries, since = match(row, '^[%d%-]*|(%d+)|(%d+)|%d*(~?%d*)', 47)
        attempt, deliveries = tonumber(attempt) or 1, tonumber(deliveries) or 1
        local generation, kind, text = sub(row, 3, 24), sub(outcome, 1, 1), sub(outcome, 2)
        local successor, due, body
        if kind == 'P' then                               -- a run that ended, and what comes after it
          kind = sub(text, 1, 1)
          local length, start
          successor, due, length, start = match(text, '^(......................)([+%d]*)|(%d+)|()', 2)
          body = sub(text, start + length)
          text = sub(text, start, start + length - 1)
        elseif kind == 'E' then                           -- on purpose: it is not seeded again
          kind, text = sub(text, 1, 1), sub(text, 2)
          if redis.pcall('HEXISTS', automatic, key) == 1 then call('HSET', automatic, key, 'off') end
        end
        if flags % 8 >= 4 then call('DEL', progressPrefix .. key) end
        local again = kind == 'T' or kind == 'L' or kind == 'H'
        local next = flags % 4 >= 2 and replacement(key)  -- whatever it wanted, that is next (invariant 14)
        local cancelled = flags % 2 == 1                  -- wins over whatever would go on (invariant 28)
        if again and (cancelled or next) then kind, text = 'X', (cancelled and 'c' or 'r') .. note(attempt) end
        if kind == 'T' then wait(key, generation, attempt + 1, 0, instant(text))
        elseif kind == 'L' then wait(key, generation, attempt, math.max(0, deliveries - 1), instant(text))
        elseif kind == 'H' then
          if (since or '') == '' then since = '~' .. now end -- else from hold to hold
          wait(key, generation, attempt, math.max(0, deliveries - 1), instant(text), true, since)
        else
          local _, runner = runOf(row)
          if kind == 'D' then
            bury(key, generation, 'D', 'worker', text, call('HGET', bodies, key), attempt, runner)
          else
            if kind == 'F' then fail(key, generation, ttl, text, call('HGET', bodies, key))
            else record(key, kind, generation, ttl, text) end
            tell(kind == 'c' and 'C' or kind, generation, key, attempt, runner, kind == 'X' and sub(text, 1, 1) or '')
          end
          if next then handOver(key, next)
          elseif successor and not cancelled then
            call('HSET', bodies, key, body)
            wait(key, successor, 1, 0, instant(due), true)
          else gone[#gone + 1] = key end
        end
      end
    end
    ${flush}
    if #left > 0 then
      for i = 1, #left do admit(left[i][1], left[i][2]) end
      ${flush}
    end
  end
  ${reading}
  if found > 0 then
    ${look}
    ${take}
  end
  ${hint}
  publish()
end

-- 4. Remember this call, tidy.
if remove == 'idle' and found == 0 and committed > 0 then call('XDEL', stream, unpack(settled)) end
if committed == 0 and want == '0' then ${allowWhenFull} end
local brought = '|' .. found .. '|' .. cursor .. '|'
call('HSET', calls, lane, number .. '|' .. epoch .. brought .. verdicts)
local age = ''
if trim == 'now' or trim == 'idle' and found == 0 then
  ${tidy}
  age = 0
  if oldest then                                            -- for how long it has been: in a backlog its id is old as well
    local since = match(oldest, '^%d+')
    local entry = call('XRANGE', stream, oldest, oldest)[1]
    local row = entry and call('HGET', state, entry[2][2])
    if row and byte(row, 1) == 82 and sub(row, 47, 47 + #oldest) == oldest .. '|' then
      since = match(row, '^|%d*|%d*|[%d~]*|(%d+)|', 47 + #oldest) or since
    end
    age = math.max(1, now - since)
  end
end
return { verdicts .. brought .. age .. '|' .. strikes, claims, fallen }
`,
);

/** The first part: what is told of the step itself, with bars between. */
const HEAD = /^([of]*)\|(\d+)\|([^|]*)\|(\d*)\|(.*)$/s;

function read(raw: unknown): Brought {
  const [head, claims, parked = [], epoch] = raw as [string, string[], string[]?, string?];
  if (head === "old") return "old";
  const [, verdicts, seen, cursor, age, strikes] = HEAD.exec(head)!;
  return {
    verdicts,
    claims,
    seen: Number(seen),
    cursor,
    age: age === "" ? undefined : Number(age),
    epoch,
    strikes,
    parked,
  };
}
