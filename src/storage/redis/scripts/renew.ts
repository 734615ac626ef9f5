/**
 * Keeps the leases of what runs here, and learns of cancellations.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { short } from "./_common.ts";

/**
 * The rest are groups: token (22), size, then a key for each. Answers with a letter for each: `o` renewed, `c` renewed
 * although a cancel is wanted, `l` lost.
 *
 * Only rows that bear the token and the consumer are renewed, nothing is stolen back, no delivery is counted (invariant 31).
 */
export const renew: Script<{ consumer: "text" }, string> = script(
  {
    keys: ["stream", "state"],
    args: { consumer: "text" },
    reply: (raw) => raw as string,
  },
  /* lua */ `
${short}
local names, tokens = {}, {}
local at = FIRST
while at <= #ARGV do
  local finish = at + 1 + ARGV[at + 1]
  for i = at + 2, finish do
    names[#names + 1] = ARGV[i]
    tokens[#names] = ARGV[at]
  end
  at = finish + 1
end
if #names == 0 then return '' end
local rows = call('HMGET', state, unpack(names))
local me = '|' .. consumer
local letters, entryOf, claim = {}, {}, { 'XCLAIM', stream, 'workers', consumer, 0 }
for i = 1, #names do
  letters[i] = 'l'
  local row = rows[i]
  if row and sub(row, 1, 1) == 'R' and sub(row, 25, 46) == tokens[i] and sub(row, -#me) == me then
    entryOf[i] = match(rows[i], '^[%d%-]+', 47)
    claim[#claim + 1] = entryOf[i]
  end
end
if #claim > 5 then
  claim[#claim + 1] = 'JUSTID'
  local held, reply = {}, redis.pcall(unpack(claim))
  if not reply.err then
    for i = 1, #reply do held[reply[i]] = true end
  end
  for i = 1, #names do
    if entryOf[i] and held[entryOf[i]] then
      letters[i] = byte(rows[i], 2) % 2 == 1 and 'c' or 'o'
    end
  end
end
return table.concat(letters)
`,
);
