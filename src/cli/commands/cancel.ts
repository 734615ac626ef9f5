/**
 * `docket cancel`: cancels what is live under a key.
 *
 * @module
 */

import { object } from "@optique/core/constructs";
import { argument } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { leaf } from "../command.ts";
import { connect } from "../connect.ts";
import { refusing } from "../errors.ts";
import { parsersOf, PLACE } from "../options.ts";

/** The command: 0 when there was something to cancel, else 1. */
export const cancel = leaf({
  name: "cancel",
  brief: "Cancel what is live under a key",
  parser: object({ ...parsersOf(PLACE), key: argument(string({ metavar: "KEY" })) }),
  async run({ key, ...place }, terminal) {
    await using docket = await connect(place, terminal);
    const quoted = JSON.stringify(key);
    switch (await refusing(() => docket.cancel(key))) {
      case "cancelled":
        terminal.print(`Cancelled ${quoted}`);
        return 0;
      case "requested":
        terminal.print(`Asked ${quoted} to stop: it runs`);
        return 0;
      case "none":
        terminal.print(`Nothing is live under ${quoted}`);
        return 1;
    }
  },
});
