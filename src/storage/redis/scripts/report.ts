/**
 * Shows how far runs are.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { events, flags, time } from "./_common.ts";

/** How long a report is shown at most, in milliseconds: a run that says nothing for longer may still be at it. */
const SHOWN = 7 * 86_400_000;

/**
 * The rest: for each run its key, its token (22), the numbers as `current,total`, a comma behind them where there is a
 * message, and the message.
 *
 * Only the bearer of the token reports (invariants 19, 25). The row is marked, so that whoever ends the run takes the report
 * away with it. The first write needs memory: with Redis full nothing is written, and nothing is lost by that.
 */
export const report: Script<Record<never, never>, void> = script(
  {
    keys: ["state", "calls", "progressPrefix", "events"],
    args: {},
    reply: () => {},
  },
  /* lua */ `
${time}
local watched = call('HGET', calls, '@watch')
${events}
${flags}
for i = FIRST, #ARGV, 4 do
  local key, token, numbers, message = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local row = call('HGET', state, key)
  if row and byte(row, 1) == 82 and sub(row, 25, 46) == token then
    call('SET', progressPrefix .. key, token .. numbers .. '|' .. message, 'PX', '${SHOWN}')
    local flags = byte(row, 2) - 48
    if flags % 8 < 4 then call('HSET', state, key, flagged(row, flags + 4)) end
    tell('P', sub(row, 3, 24), key, 0, message, numbers)
  end
end
publish()
return 1
`,
);
