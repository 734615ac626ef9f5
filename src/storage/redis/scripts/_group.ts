/**
 * Lua that reads how far the group has come.
 *
 * @module
 */

/** Leaves `lastDelivered`, an entry id, or `false` where there is no group. */
export const group = /* lua */ `
local lastDelivered = false
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if not groups.err then
  for i = 1, #groups do
    local info = {}
    for j = 1, #groups[i], 2 do info[groups[i][j]] = groups[i][j + 1] end
    if info.name == 'workers' then lastDelivered = info['last-delivered-id'] end
  end
end
`;
