/**
 * Adds a rule to the strikes, or takes it out.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { allowWhenFull, time } from "./_common.ts";

/** So many requests are remembered: more than come while one is sent again. */
const RECENT = 32;

/**
 * Answers whether that changed something; then the request (22) is the new version. A request sent again says so again, as
 * long as not too many others came between (invariants 27, 57).
 *
 * The first write is one that a full Redis allows: a strike may be what helps against that.
 */
export const strike: Script<{ rule: "text"; struck: "flag"; request: "text" }, boolean> = script(
  {
    keys: ["stream", "calls", "strikes"],
    args: { rule: "text", struck: "flag", request: "text" },
    reply: (raw) => raw === 1,
  },
  /* lua */ `
${time}
local memory = call('HMGET', calls, '@strikes', '@struck')
local recent = memory[2] or ''
for at = 1, #recent, 22 do                                  -- sent again, whatever came between
  if sub(recent, at, at + 21) == request then return 1 end
end
if (call('HEXISTS', strikes, rule) == 1) == struck then return 0 end
${allowWhenFull}
if struck then call('HSET', strikes, rule, request .. now) else call('HDEL', strikes, rule) end
call('HSET', calls, '@strikes', request, '@struck', sub(request .. recent, 1, ${RECENT * 22}))
return 1
`,
);
