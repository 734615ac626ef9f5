/**
 * `docket strike` and `docket restore`.
 *
 * @module
 */

import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { optional } from "@optique/core/modifiers";
import { argument } from "@optique/core/primitives";
import { choice, string } from "@optique/core/valueparser";
import type { Strike } from "../../base/strikes.ts";
import { leaf } from "../command.ts";
import { connect } from "../connect.ts";
import { refusing, UsageError } from "../errors.ts";
import { parsersOf, PLACE, type Values } from "../options.ts";
import type { Terminal } from "../terminal.ts";
import { typedValue, writeTyped } from "../values.ts";

const what = {
  ...parsersOf(PLACE),
  task: optional(
    argument(string({ metavar: "TASK" }), { description: message`its name; * for every task` }),
  ),
  parameter: optional(
    argument(string({ metavar: "PARAMETER" }), {
      description: message`its name, or a path such as order.customerId; * for none`,
    }),
  ),
  operator: optional(
    argument(choice(["==", "!=", ">", ">=", "<", "<=", "between"], { metavar: "OPERATOR" }), {
      description: message`how to compare the argument: == != > >= < <= between`,
    }),
  ),
  value: optional(
    argument(typedValue("VALUE"), {
      description: message`with what: 42, true, text, [1,5], or int:42, str:42, date:2026-01-31`,
    }),
  ),
};

/** `docket strike`. */
export const strike = leaf({
  name: "strike",
  brief: "Skip a task, or tasks with some argument, until restored",
  parser: object(what),
  run: (values, terminal) => change(values, true, terminal),
});

/** `docket restore`. */
export const restore = leaf({
  name: "restore",
  brief: "Take a strike back, given as it was struck",
  parser: object(what),
  run: (values, terminal) => change(values, false, terminal),
});

interface What extends Values<typeof PLACE> {
  readonly task?: string;
  readonly parameter?: string;
  readonly operator?: Strike["operator"];
  readonly value?: unknown;
}

async function change(what: What, struck: boolean, terminal: Terminal): Promise<number> {
  const strike = toStrike(what, struck);
  await using docket = await connect(what, terminal);
  const changed = await refusing(() => struck ? docket.strike(strike) : docket.restore(strike));
  const told = describe(strike);
  if (struck) terminal.print(changed ? `Struck ${told}` : `Struck already: ${told}`);
  else terminal.print(changed ? `Restored ${told}` : `Was not struck: ${told}`);
  return changed || struck ? 0 : 1;
}

function toStrike({ task, parameter, operator, value }: What, struck: boolean): Strike {
  const any = (name: string | undefined) => name === "*" || name === "" ? undefined : name;
  const named = { task: any(task), parameter: any(parameter) };
  if (named.parameter === undefined) {
    if (named.task === undefined) {
      throw new UsageError(
        `Cannot ${struck ? "strike" : "restore"} everything: name a task or a parameter`,
      );
    }
    if (operator !== undefined) {
      throw new UsageError("Cannot strike by a value alone: name the parameter to compare it with");
    }
    return { task: named.task };
  }
  if (operator === undefined || value === undefined) {
    throw new UsageError(
      `Cannot strike by ${JSON.stringify(parameter)} alone: say how to compare it, as in == 42`,
    );
  }
  return { ...named, operator, value };
}

/** `remind with customerId == 42`. */
export function describe({ task, parameter, operator = "==", value }: Strike): string {
  const condition = parameter === undefined
    ? ""
    : ` with ${parameter} ${operator} ${writeTyped(value)}`;
  return `${task ?? "every task"}${condition}`;
}
