/**
 * Says that a worker cannot claim any more.
 *
 * @module
 */

import { type Script, script } from "../script.ts";

/** Takes down what it said of itself. */
export const withdraw: Script<
  "workers",
  { workerPrefix: "text"; consumer: "text" },
  void
> = script(
  {
    keys: ["workers"],
    args: { workerPrefix: "text", consumer: "text" },
    reply: () => {},
  },
  /* lua */ `
redis.call('DEL', workerPrefix .. consumer)
redis.pcall('ZREM', workers, consumer)
return 1
`,
);
