/**
 * `docket clear`: cancels everything that waits.
 *
 * @module
 */

import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { option } from "@optique/core/primitives";
import { leaf } from "../command.ts";
import { connect } from "../connect.ts";
import { UsageError } from "../errors.ts";
import { parsersOf, PLACE } from "../options.ts";
import { count } from "../render.ts";

/** The command. */
export const clear = leaf({
  name: "clear",
  brief: "Cancel everything that is scheduled, queued or waiting",
  parser: object({
    ...parsersOf(PLACE),
    yes: option("--yes", "-y", { description: message`do not ask` }),
  }),
  async run({ yes, ...place }, terminal) {
    if (!yes && !terminal.canAsk) {
      throw new UsageError("Cannot ask whether to clear: there is no terminal; give --yes");
    }
    await using docket = await connect(place, terminal);
    if (!yes) {
      const { counts } = await docket.snapshot({ limit: 1 });
      const waiting = count(counts.scheduled + counts.queued + counts.waiting, "task");
      const answer = await terminal.ask(`Cancel ${waiting} on ${docket.name}? [y/N] `);
      if (!/^y(es)?$/i.test(answer.trim())) {
        terminal.note("Nothing cleared");
        return 1;
      }
    }
    terminal.print(`Cleared ${count(await docket.clear(), "task")} from ${docket.name}`);
    return 0;
  },
});
