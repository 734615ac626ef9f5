/**
 * `docket top`: a docket at work, for as long as somebody looks.
 *
 * @module
 */

import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { withDefault } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { leaf } from "../command.ts";
import { connect } from "../connect.ts";
import { UsageError } from "../errors.ts";
import { parsersOf, PLACE } from "../options.ts";
import { TopView } from "../top/view.ts";
import { duration } from "../values.ts";

/** How often it may be looked, in milliseconds. */
const INTERVAL = { shortest: 100, longest: 3_600_000 };

/** The command. */
export const top = leaf({
  name: "top",
  brief: "Show a docket at work, until Ctrl-C",
  parser: object({
    ...parsersOf(PLACE),
    interval: withDefault(
      option("--interval", duration(), {
        description: message`how long between two looks [default 1s]`,
      }),
      1_000,
    ),
  }),
  async run({ interval, ...place }, terminal) {
    if (interval < INTERVAL.shortest || interval > INTERVAL.longest) {
      throw new UsageError("Cannot use this --interval: give something from 100ms to 1h");
    }
    if (!terminal.interactive) {
      throw new UsageError("Cannot watch here: top draws on a terminal, and this is none");
    }
    await using docket = await connect(place, terminal);
    const view = new TopView(docket, terminal);
    return await terminal.live(() => view.show(interval));
  },
});
