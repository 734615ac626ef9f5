/**
 * Tells what is parked.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { type Listed, readListed } from "./failed.ts";

/** One page, the newest first, after so many that were told. Whose grave is gone is taken off the list. */
export const dead: Script<{ told: "number"; limit: "number" }, Listed> = script(
  {
    keys: ["dead", "graves"],
    args: { told: "number", limit: "number" },
    reply: readListed,
  },
  /* lua */ `
local keys = redis.call('ZREVRANGE', dead, told, told + limit - 1)
if #keys == 0 then return { {}, 0 } end
local texts, found, stale = redis.call('HMGET', graves, unpack(keys)), {}, {}
for i = 1, #keys do
  if texts[i] then
    local n = #found
    found[n + 1], found[n + 2] = keys[i], texts[i]
  else
    stale[#stale + 1] = keys[i]
  end
end
if #stale > 0 then redis.call('ZREM', dead, unpack(stale)) end
return { found, #keys == limit and 1 or 0 }
`,
);
