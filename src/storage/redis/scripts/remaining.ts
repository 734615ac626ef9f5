/**
 * Counts what is not in the background.
 *
 * @module
 */

import { type Script, script } from "../script.ts";

/** Both numbers as of the same instant. Writes nothing. */
export const remaining: Script<Record<never, never>, number> = script(
  { keys: ["state", "background"], args: {}, reply: (raw) => raw as number },
  /* lua */ `
local hidden = redis.pcall('SCARD', background)             -- of another type: then nobody knows (invariant 5)
return math.max(0, redis.call('HLEN', state) - (tonumber(hidden) or 0))
`,
);
