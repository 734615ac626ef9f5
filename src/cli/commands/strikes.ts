/**
 * `docket strikes`: what is struck now.
 *
 * @module
 */

import { object } from "@optique/core/constructs";
import { leaf } from "../command.ts";
import { connect } from "../connect.ts";
import { json, parsersOf, PLACE } from "../options.ts";
import { writeTyped } from "../values.ts";

/** The command. */
export const strikes = leaf({
  name: "strikes",
  brief: "List what is struck now",
  parser: object({ ...parsersOf(PLACE), json }),
  async run({ json, ...place }, terminal) {
    await using docket = await connect(place, terminal);
    const strikes = (await docket.strikes()).map(({ task, parameter, operator, value }) => ({
      task: task ?? null,
      parameter: parameter ?? null,
      operator: operator ?? null,
      value: parameter === undefined ? null : writeTyped(value),
    }));
    if (json) {
      terminal.json(strikes);
      return 0;
    }
    const rows = strikes.map((one) => [
      one.task ?? "*",
      one.parameter ?? "*",
      one.operator ?? "",
      one.value ?? "",
    ]);
    if (rows.length === 0) terminal.print(`Nothing is struck on ${docket.name}`);
    else terminal.table(["TASK", "PARAMETER", "OPERATOR", "VALUE"], rows);
    return 0;
  },
});
