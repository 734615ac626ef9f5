/**
 * Tells which commands the user may not run.
 *
 * @module
 */

import type { Keys } from "../keys.ts";
import { type Command, neededCommands } from "../permissions.ts";
import { type Invocation, type Script, script } from "../script.ts";

/**
 * Asks only, and runs none of them. For each command 0 where it is denied, else 1; nothing where the server cannot tell:
 * before Redis 7.
 */
const permitted: Script<Record<never, never>, readonly number[] | undefined> = script(
  { keys: [], args: {}, reply: (raw) => raw === null ? undefined : raw as number[] },
  /* lua */ `
if not redis.acl_check_cmd then return false end
local answers, at = {}, FIRST
while at <= #ARGV do
  local last = at + ARGV[at]
  local known, allowed = pcall(redis.acl_check_cmd, unpack(ARGV, at + 1, last))
  answers[#answers + 1] = known and not allowed and 0 or 1  -- what the server does not know it cannot deny
  at = last + 1
end
return answers
`,
);

/** Prepares the question for some commands; gives those that are denied. */
export function deniedOf(
  keys: Keys,
  commands: readonly Command[] = neededCommands(keys),
): Invocation<readonly Command[] | undefined> {
  const invocation = permitted.call(keys, {}, commands.flatMap((one) => [one.length, ...one]));
  return {
    ...invocation,
    read: (raw) => {
      const answers = invocation.read(raw);
      return answers && commands.filter((_, i) => answers[i] === 0);
    },
  };
}
