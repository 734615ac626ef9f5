/**
 * Lua shared by `step` and `reclaim`: turns stream entries that this consumer now holds into running tasks.
 *
 * @module
 */

import { newer } from "./_common.ts";

/** Of `entries`, at most 1,000 and not none, the `names`, `rows` and `texts`. */
export const look = /* lua */ `
local names = {}
for i = 1, #entries do
  local fields = entries[i] and entries[i][2]
  names[i] = fields and fields[2] or ''
end
local rows, texts = call('HMGET', state, unpack(names)), call('HMGET', bodies, unpack(names))
`;

/**
 * Needs {@linkcode look}, the fragments of `_common.ts` and `_tasks.ts`, and `entries`, `expired` (may a live claim of
 * another be taken over?), `consumer`, `token`, `maxDeliveries`, `recordTtl`, `progressPrefix`. Leaves `out`: flat, key,
 * row and body for each task to run; and `died`: whether a run ended here that may have held gates.
 */
export const claim = /* lua */ `
${newer}
local out, died, parked = {}, false, {}
do
  local found, stale, claimed = #entries, {}, {}
  local me = '|' .. consumer
  local mark = '|' .. now .. me
  for i = 1, found do
    local entry = entries[i] and entries[i][1]
    local key, row, body = names[i], rows[i], texts[i]
    local status = row and byte(row, 1)
    local at = status == 81 and 25 or 47                    -- where the row keeps its entry id
    local mine
    if not entry then                                       -- Redis 6.2 answers nil for a trimmed entry
    elseif status ~= 81 and status ~= 82 and isNewer(row) then  -- stays pending, until a newer worker reclaims it
    elseif not entries[i][2] or status ~= 81 and status ~= 82 or sub(row, at, at + #entry) ~= entry .. '|' then
      stale[#stale + 1] = entry                             -- superseded, settled, or not ours at all (invariant 21)
    elseif status == 82 and sub(row, -#me) == me then
      mine = row                                            -- already: the reply was lost, or this process stalled
    elseif status == 82 and not expired then                -- another holds it, and its lease has not run out
    elseif body and maxDeliveries > 0 and sub(row, 1, 2) == 'Q0' and sub(row, at + #entry) == '|1|0|' then
      mine = 'R' .. sub(row, 2, 24) .. token .. entry .. '|1|1|' .. mark    -- a first delivery: nearly always
      local n = #claimed
      claimed[n + 1], claimed[n + 2] = key, mine
      if watched then tell('R', sub(row, 3, 24), key, 1, consumer) end
    else
      local attempt, deliveries, due = match(row, '^(%d+)|(%d+)|([%d~]*)', at + #entry + 1)
      local flags, generation = byte(row, 2) - 48, sub(row, 3, 24)
      local cancelled = flags % 2 == 1                      -- before this claim: never runs (invariant 28)
      if flags % 8 >= 4 then call('DEL', progressPrefix .. key) end  -- another run's report is not this one's (invariant 25)
      flags = flags % 4                                     -- nor has this one passed its gates
      deliveries = (deliveries or 0) + 1                    -- counted before the body is handed over (invariant 40)
      if cancelled or not attempt or not body or deliveries > maxDeliveries then
        stale[#stale + 1] = entry
        died = true
        local last = status == 82 and match(row, '^%d*|%d*|[%d~]*|%d*|(.*)$', at + #entry + 1) or ''
        if cancelled then
          record(key, 'X', generation, recordTtl, 'c' .. note(attempt or 1))
          tell('X', generation, key, attempt or 1, last, 'c')
        else
          local why = not attempt and 'row' or body and 'deliveries' or 'body'
          bury(key, generation, 'd', why, (attempt or 0) .. '|' .. last, body, attempt or 1, last)
          local n = #parked
          parked[n + 1], parked[n + 2], parked[n + 3] = key, why, sub(body or '', 1, 4096) -- the whole may be what kills workers
        end
        local next = flags >= 2 and replacement(key)
        if next then handOver(key, next) else gone[#gone + 1] = key end
      else
        mine = 'R' .. flags .. generation .. token .. entry .. '|' .. attempt .. '|' .. deliveries .. '|' .. due .. mark
        local n = #claimed
        claimed[n + 1], claimed[n + 2] = key, mine
        tell('R', generation, key, attempt, consumer)
      end
    end
    if mine then
      local n = #out
      out[n + 1], out[n + 2], out[n + 3] = key, mine, body or ''
    end
  end
  acknowledge(stale, true)
  write('HSET', state, claimed)
end
`;
