/**
 * Tells what is struck.
 *
 * @module
 */

import { type Script, script } from "../script.ts";

/** All rules, and their version as of the same instant. */
export interface Struck {
  /** `""` before the first one. */
  readonly version: string;
  readonly rules: readonly string[];
}

/** Writes nothing. */
export const strikes: Script<Record<never, never>, Struck> = script(
  {
    keys: ["calls", "strikes"],
    args: {},
    reply: (raw) => {
      const [version, rules] = raw as [string, string[]];
      return { version, rules };
    },
  },
  /* lua */ `
local rules = redis.pcall('HKEYS', strikes)                 -- of another type: then there are none (invariant 5)
return { redis.call('HGET', calls, '@strikes') or '', rules.err and {} or rules }
`,
);
