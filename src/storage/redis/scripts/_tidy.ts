/**
 * Lua that removes settled entries from the stream.
 *
 * @module
 */

import { group } from "./_group.ts";

/**
 * Deleting entries one by one is the dearest stream command, and the row, not the stream, tells whether an entry is live:
 * so now and then everything below the oldest pending entry goes at once. Leaves `age`: for how many milliseconds that
 * entry has been holding up the rest, 0 when there is none.
 */
export const tidy = /* lua */ `
do
  local first = redis.pcall('XPENDING', stream, 'workers', '-', '+', 1)
  if not first.err then
    local bound = first[1] and first[1][1]
    age = 0
    if bound then
      age = math.max(0, now - tonumber(match(bound, '^%d+')))
    else
      ${group}
      local ms, sequence = match(lastDelivered or '', '^(%d+)%-(%d+)$')
      bound = ms and ms .. '-' .. string.format('%.0f', sequence + 1)
    end
    if bound then call('XTRIM', stream, 'MINID', bound) end
  end
end
`;
