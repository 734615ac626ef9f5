/**
 * Forgets what failed or is parked.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { allowWhenFull, time } from "./_common.ts";

/**
 * The rest: for each request its key, and which generation is to be forgotten. 1 for each that was there.
 *
 * - What is live under the key is not touched.
 * - Of the record a stub stays for 10 s, as of one that nobody wanted (invariant 68): who settles it still, after a lost
 *   reply, must find it.
 * - It makes room, so that it works with Redis full (invariant 78).
 */
export const discard: Script<Record<never, never>, readonly number[]> = script(
  {
    keys: ["stream", "dead", "graves", "failed", "recordPrefix"],
    args: {},
    reply: (raw) => raw as number[],
  },
  /* lua */ `
${time}
${allowWhenFull}
local STUBS = { f = 'F', d = 'D', D = 'D' }
local replies = {}
for i = FIRST, #ARGV, 2 do
  local key, generation, found = ARGV[i], ARGV[i + 1], 0
  local grave = call('HGET', graves, key)
  if grave and sub(grave, 2, 23) == generation then
    call('HDEL', graves, key)
    redis.pcall('ZREM', dead, key)
    found = 1
  end
  local record = call('MGET', recordPrefix .. key)[1]
  local stub = record and STUBS[sub(record, 1, 1)]
  if stub and sub(record, 2, 23) == generation then
    if stub == 'F' and redis.pcall('ZREM', failed, key) == 1 then found = 1 end
    if found == 1 then
      local endedAt = match(record, '^%d+|', 24) or stamp
      call('SET', recordPrefix .. key, stub .. generation .. endedAt, 'PX', '10000')
    end
  end
  replies[#replies + 1] = found
end
return replies
`,
);
