/**
 * Says that a worker can claim.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { allowWhenFull, time } from "./_common.ts";

/**
 * For so many milliseconds more. With `renews` what it said of itself is kept, if it is still there: otherwise nothing is
 * written and the answer is false. The first write is one that a full Redis allows: its tasks can be claimed all the same.
 */
export const advertise: Script<
  { consumer: "text"; span: "text"; renews: "flag"; text: "text" },
  boolean
> = script(
  {
    keys: ["stream", "workers", "workerPrefix"],
    args: {
      consumer: "text",
      span: "text",
      renews: "flag",
      text: "text",
    },
    reply: (raw) => raw === 1,
  },
  /* lua */ `
${time}
local name = workerPrefix .. consumer
if renews then
  if call('PEXPIRE', name, span) == 0 then return 0 end
else
  ${allowWhenFull}
  call('SET', name, span .. '|' .. text, 'PX', span)
end
redis.pcall('ZADD', workers, now, consumer)                 -- of another type: nobody is shown until it is swept
return 1
`,
);
