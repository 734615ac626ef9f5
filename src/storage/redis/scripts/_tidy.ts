/**
 * Lua that removes settled entries from the stream.
 *
 * @module
 */

import { group } from "./_group.ts";

/**
 * Deleting entries one by one is the dearest stream command, and the row, not the stream, tells whether an entry is live:
 * so now and then everything below the oldest pending entry goes at once. Leaves `oldest`: that entry, which holds up the
 * rest; nothing when there is none.
 */
export const tidy = /* lua */ `
local oldest
do
  local first = redis.pcall('XPENDING', stream, 'workers', '-', '+', 1)
  if not first.err then
    oldest = first[1] and first[1][1]
    local bound = oldest
    if not bound then
      ${group}
      local ms, sequence = match(lastDelivered or '', '^(%d+)%-(%d+)$')
      bound = ms and ms .. '-' .. string.format('%.0f', sequence + 1)
    end
    if bound then call('XTRIM', stream, 'MINID', bound) end
  end
end
`;
