/**
 * Says that a worker cannot claim any more.
 *
 * @module
 */

import { type Script, script } from "../script.ts";

/** Takes down what it said of itself. */
export const withdraw: Script<{ consumer: "text" }, void> = script(
  {
    keys: ["workers", "workerPrefix"],
    args: { consumer: "text" },
    reply: () => {},
  },
  /* lua */ `
redis.call('DEL', workerPrefix .. consumer)
redis.pcall('ZREM', workers, consumer)
return 1
`,
);
