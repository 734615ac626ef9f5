/**
 * Marks that somebody listens to events.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { allowWhenFull, time } from "./_common.ts";

/** Events are published for so many milliseconds more. Never shortens what another watcher asked for. */
export const watch: Script<{ span: "number" }, void> = script(
  {
    keys: ["stream", "calls"],
    args: { span: "number" },
    reply: () => {},
  },
  /* lua */ `
${time}
local before = call('HGET', calls, '@watch')
if not before or tonumber(before) < now + span then
  ${allowWhenFull}
  call('HSET', calls, '@watch', now + span)
end
return 1
`,
);
