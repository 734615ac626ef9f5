/**
 * Takes over tasks whose lease ran out.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { claim, look } from "./_claim.ts";
import { allowWhenFull, events, hint, lists, records, short, time } from "./_common.ts";
import { gates, inherit } from "./_gates.ts";
import { flush, places, tasks } from "./_tasks.ts";

/** What was taken over; instead `"old"`: nothing was done, the lane must be opened anew. */
export interface Reclaimed {
  /** `""` when everything was looked at. */
  readonly cursor: string;
  /** Flat: key, row and body of each task to run. */
  readonly claims: readonly string[];
  /** The version of the strikes. */
  readonly strikes: string;
  /** Flat: key, reason and body of each task that was parked. */
  readonly parked: readonly string[];
}

/**
 * - Lease and row change hands in one step: whoever bears the row's token also holds the pending entry.
 * - What this consumer itself runs comes back under its own old token, and is not counted again (invariant 34).
 * - A poisonous task is dead after the maximum of deliveries; cancelled ones are settled; both hand over to a replacement.
 * - Sent again with the same token and cursor it repeats the first answer, as far as it still holds (invariant 27).
 * - Requests are numbered, within the epoch of the consumer's first lane: bytes that arrive when a later one has come, or the
 *   consumer has signed off, take nothing over (F29).
 */
export const reclaim: Script<{
  recordTtl: "text";
  consumer: "text";
  memory: "text";
  lane: "text";
  epoch: "text";
  number: "text";
  token: "text";
  lease: "text";
  cursor: "text";
  want: "text";
  maxDeliveries: "number";
}, Reclaimed | "old"> = script(
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
      "waiters",
      "recordPrefix",
      "progressPrefix",
      "gatePrefix",
      "events",
      "wake",
    ],
    args: {
      recordTtl: "text",
      consumer: "text",
      memory: "text",
      lane: "text",
      epoch: "text",
      number: "text",
      token: "text",
      lease: "text",
      cursor: "text",
      want: "text",
      maxDeliveries: "number",
    },
    reply: (raw) => {
      if ((raw as string[])[0] === "old") return "old";
      const [cursor, claims, strikes, parked = []] = raw as [
        string,
        string[],
        string,
        string[]?,
      ];
      return { cursor: cursor === "0-0" ? "" : cursor, claims, strikes, parked };
    },
  },
  /* lua */ `
${short}
local remembered = call('HMGET', calls, memory, '@watch', '@strikes', lane)
local watched, strikes, expired = remembered[2], remembered[3] or '', true
if not remembered[4] or match(remembered[4], '^%d+|(%d+)|') ~= epoch then return { 'old' } end
local request = token .. cursor .. '|'
local last, lastRequest = match(remembered[1] or '', '^' .. epoch .. '|(%d+)|()')
if last and tonumber(number) < tonumber(last) then return { 'old' } end  -- a later one has come: nobody waits for this one
${lists}

if last and sub(remembered[1], lastRequest, lastRequest + #request - 1) == request then
  local reached, at = match(remembered[1], '^([^|]*)|()', lastRequest + #request)
  local again, me = {}, '|' .. consumer
  while at <= #remembered[1] do                             -- the reply was lost: what it brought is still this consumer's
    local length, start = match(remembered[1], '^(%d+):()', at)
    at = start + length
    local key = sub(remembered[1], start, at - 1)
    local row = call('HGET', state, key)
    if row and byte(row, 1) == 82 and sub(row, -#me) == me then
      local n = #again
      again[n + 1], again[n + 2], again[n + 3] = key, row, call('HGET', bodies, key) or ''
    end
  end
  return { reached, again, strikes }
end

-- It looks at ten entries for each that is wanted. Who wants few looks on here, as far as who wants a hundred.
local reply = { cursor, {} }
for _ = 1, math.max(1, math.floor(100 / want)) do
  reply = redis.pcall('XAUTOCLAIM', stream, 'workers', consumer, lease, reply[1], 'COUNT', want)
  if reply.err then return { '0-0', {}, strikes } end       -- NOGROUP: then nothing is pending
  if #reply[2] > 0 or reply[1] == '0-0' then break end
end
local entries = reply[2]
local head = epoch .. '|' .. number .. '|'
if #entries == 0 then
  ${allowWhenFull}
  call('HSET', calls, memory, head)
  return { reply[1], {}, strikes }
end
${time}
${look}
${events}
${records}
${places}
${tasks}
${gates}
${claim}
${flush}
if died then
  ${inherit}
  ${flush}
end
local keys = {}
for i = 1, #out, 3 do keys[#keys + 1] = #out[i] .. ':' .. out[i] end
${allowWhenFull}
call('HSET', calls, memory, head .. request .. reply[1] .. '|' .. table.concat(keys))
${hint}
publish()
return { reply[1], out, strikes, parked }
`,
);
