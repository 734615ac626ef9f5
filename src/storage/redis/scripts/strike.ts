/**
 * Adds a rule to the strikes, or takes it out.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { allowWhenFull, time } from "./_common.ts";

/**
 * Answers whether that changed something; then the request (22) is the new version. A request sent again says so again: it
 * is the version still, or stands with the rule that it struck (invariants 27, 57).
 *
 * The first write is one that a full Redis allows: a strike may be what helps against that.
 */
export const strike: Script<
  "stream" | "calls" | "strikes",
  { rule: "text"; struck: "flag"; request: "text" },
  boolean
> = script(
  {
    keys: ["stream", "calls", "strikes"],
    args: { rule: "text", struck: "flag", request: "text" },
    reply: (raw) => raw === 1,
  },
  /* lua */ `
${time}
local before = call('HGET', strikes, rule)
if call('HGET', calls, '@strikes') == request or struck and before and sub(before, 1, 22) == request then return 1 end
if (before and true or false) == struck then return 0 end
${allowWhenFull}
if struck then call('HSET', strikes, rule, request .. now) else call('HDEL', strikes, rule) end
call('HSET', calls, '@strikes', request)
return 1
`,
);
