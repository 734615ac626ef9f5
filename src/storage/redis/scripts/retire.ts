/**
 * Forgets a consumer, and tidies up.
 *
 * @module
 */

import { type Script, script } from "../script.ts";
import { time } from "./_common.ts";
import { tidy } from "./_tidy.ts";

/**
 * The rest are the fields that `calls` may have for this consumer. Only when nothing is pending with it: DELCONSUMER throws
 * pending work away (invariant 37). Then it is not advertised any more either. Answers whether the consumer is gone.
 */
export const retire: Script<{ consumer: "text" }, boolean> = script(
  {
    keys: ["stream", "calls", "workers", "workerPrefix"],
    args: { consumer: "text" },
    reply: (raw) => raw === 1,
  },
  /* lua */ `
${time}
local pending = redis.pcall('XPENDING', stream, 'workers', '-', '+', 1, consumer)
if not pending.err then
  ${tidy}
  if #pending > 0 then return 0 end
  call('XGROUP', 'DELCONSUMER', stream, 'workers', consumer)
end
call('HDEL', calls, unpack(ARGV, FIRST))
call('DEL', workerPrefix .. consumer)
redis.pcall('ZREM', workers, consumer)
return 1
`,
);
