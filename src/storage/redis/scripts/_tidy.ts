/**
 * Lua that removes settled entries from the stream.
 *
 * @module
 */

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
      local groups = call('XINFO', 'GROUPS', stream)
      for i = 1, #groups do
        local info = {}
        for j = 1, #groups[i], 2 do info[groups[i][j]] = groups[i][j + 1] end
        if info.name == 'workers' then
          local ms, sequence = match(info['last-delivered-id'], '^(%d+)%-(%d+)$')
          bound = ms .. '-' .. string.format('%.0f', sequence + 1)
        end
      end
    end
    if bound then call('XTRIM', stream, 'MINID', bound) end
  end
end
`;
