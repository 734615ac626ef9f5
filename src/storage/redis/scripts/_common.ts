/**
 * Lua that every script begins with.
 *
 * @module
 */

import type { Millis } from "../../../base/clock.ts";

/** How long the record of what ended with TTL 0 is there, in milliseconds (invariant 68). */
export const STUB: Millis = 10_000;

/** How long a stranger's key is kept that stood in the place of one of ours, in milliseconds. */
export const ASIDE: Millis = 7 * 86_400_000;

/** Short names. */
export const short = /* lua */ `
local call, sub, byte, match = redis.call, string.sub, string.byte, string.match
`;

/** Reads `now`, which is there: in milliseconds on the server's clock (invariant 79). */
export const readNow = /* lua */ `
local time = call('TIME')
now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/** Short names, `time`, `now` and `stamp`, made once: numbers are dear to print. */
export const time = /* lua */ `
${short}
local now
${readNow}
local stamp = now .. '|'
`;

/** Variadic commands over lists of any length: `unpack` fails near 8,000 values. */
export const lists = /* lua */ `
local function fetch(hash, fields)
  if #fields <= 4000 then return call('HMGET', hash, unpack(fields)) end
  local values = {}
  for from = 1, #fields, 4000 do
    local some = call('HMGET', hash, unpack(fields, from, math.min(from + 3999, #fields)))
    for i = 1, #some do values[from + i - 1] = some[i] end
  end
  return values
end

local function write(command, key, list)
  for from = 1, #list, 4000 do call(command, key, unpack(list, from, math.min(from + 3999, #list))) end
end

local function acknowledge(entries, remove)
  for from = 1, #entries, 4000 do
    local to = math.min(from + 3999, #entries)
    call('XACK', stream, 'workers', unpack(entries, from, to))
    if remove then call('XDEL', stream, unpack(entries, from, to)) end
  end
end
`;

/** What is added to a row's flags when its run has passed its gates. */
export const PASSED = 8;

/** The row with other flags: their sum is one character, from '0' on. Needs {@linkcode short}. */
export const flags = /* lua */ `
local function flagged(row, flags) return sub(row, 1, 1) .. string.char(48 + flags) .. sub(row, 3) end
`;

/** A full Redis refuses a script whose first write needs memory: this first write needs none, and changes nothing. */
export const allowWhenFull = /* lua */ `call('XACK', stream, 'workers', '0-1')`;

/**
 * Events: one message per call, built only while somebody listens. For each a letter and the generation; when, which
 * attempt and more detail, each with a bar behind it; the bytes of key and text, each with a colon behind it; key and text.
 *
 * | | | detail | text |
 * |---|---|---|---|
 * | `A` `S` `W` | queued, scheduled, waiting for a run to end | | |
 * | `R` `C` `F` `D` | running, completed, failed, dead | | consumer, where it is known |
 * | `X` | cancelled | reason letter | consumer, where it is known |
 * | `K` | running, and to be cancelled | | |
 * | `P` | progress | `current,total`, a comma where there is a message | message |
 * | `M` | somebody looked; the mark is in the place of the generation | | |
 *
 * Needs `watched`: until when somebody listens, or false.
 */
export const events = /* lua */ `
local told = {}
local watched = watched and tonumber(watched) > now
local function tell(letter, generation, key, attempt, text, detail)
  if not watched then return end
  text = text or ''
  told[#told + 1] = letter .. generation .. stamp .. attempt .. '|' .. (detail or '') .. '|' .. #key .. ':' .. #text .. ':' .. key .. text
end
local function publish()
  if #told > 0 then call('PUBLISH', events, table.concat(told)) end
end

-- At which attempt the task of a row is, and who runs it.
local function runOf(row)
  if byte(row, 1) ~= 82 then return match(row, '|(%d+)|', 25) or 1, '' end
  local attempt, consumer = match(row, '^[%d%-]*|(%d*)|%d*|[%d~]*|%d*|(.*)$', 47)
  return attempt or 1, consumer or ''
end
`;

/**
 * Terminal records: status, generation, when it ended, the client's text. TTL 0 leaves a stub for 10 s (invariant 68).
 * With the reason of a cancelled one its text begins: a letter, or `C` and the id of the request.
 */
export const records = /* lua */ `
-- What is to be said of a task that nobody's worker ended: its attempt, when that was not the first.
local function note(attempt)
  return tonumber(attempt) > 1 and attempt .. '||||' or ''
end

local function record(key, status, generation, ttl, text)
  if ttl == '0' then ttl, text = '${STUB}', status == 'X' and sub(text, 1, byte(text, 1) == 67 and 23 or 1) or '' end
  call('PSETEX', recordPrefix .. key, ttl, status .. generation .. stamp .. text)
end
`;

/**
 * A row of a newer version: letter, flags and generation stand where they do in all, and the letter is one that is not
 * known here. It is left as it is, for those who know it (F40).
 */
export const newer = /* lua */ `
local function isNewer(row)
  return row and match(row, '^%a[0-o]......................') and not match(row, '^[QSBWR]')
end
`;

/**
 * Takes what waits off its place: its entry out of the stream, its key out of the due set and the background. Needs
 * `stream`, `dueSet`, `background`, `waiters`, `gatePrefix`. What has a new time in the due set already is left there.
 * `freed` collects the gates at which a place was kept, each with its maximum.
 */
export const leave = /* lua */ `
local freed = {}
local function leaveLine(key, row)
  redis.pcall('ZREM', waiters, key)
  local id = match(row, '^|%d+|%d+|%d*|%d+|(.*)$', 25)
  if id then redis.pcall('ZREM', gatePrefix .. 'l:' .. id, key) end
end

local function leave(key, row, dueAgain)
  local status = byte(row, 1)
  if status == 81 then
    local entry, max, id = match(row, '^([%d%-]+)|%d+|%d+|[%d~]*|?(%d*)|?(.*)$', 25)
    if entry then
      call('XACK', stream, 'workers', entry)
      call('XDEL', stream, entry)
      if id ~= '' then
        redis.pcall('HDEL', gatePrefix .. 'h:' .. id, key)
        freed[#freed + 1] = { id, tonumber(max) }
      end
    end
  elseif status == 87 then leaveLine(key, row)
  else
    if not dueAgain then call('ZREM', dueSet, key) end
    if status == 66 then redis.pcall('SREM', background, key) end
  end
end
`;

/** Tells schedulers when a task is due sooner than what they sleep for. Needs `earliest`. */
export const hint = /* lua */ `
if earliest then
  local head = call('ZRANGE', dueSet, 0, 0, 'WITHSCORES')
  if head[2] and tonumber(head[2]) >= earliest then call('PUBLISH', wake, 'D' .. string.format('%.0f', math.max(0, head[2] - now))) end
end
`;
