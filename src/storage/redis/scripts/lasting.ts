/**
 * Finds keys that will stay.
 *
 * @module
 */

import { type Script, script } from "../script.ts";

/** Of these keys, given without what all begin with, those that have no time to live. Writes nothing. */
export const lasting: Script<Record<never, never>, readonly string[]> = script(
  { keys: [], args: {}, reply: (raw) => raw as string[] },
  /* lua */ `
local stays = {}
for i = FIRST, #ARGV do
  if redis.call('PTTL', PREFIX .. ARGV[i]) == -1 then stays[#stays + 1] = ARGV[i] end
end
return stays
`,
);
