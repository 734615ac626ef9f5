/**
 * Every option that has an environment variable, in one table: what the command line does not say the variable does, and
 * else the default.
 *
 * @module
 */

import { env } from "node:process";
import { formatMessage, message, text } from "@optique/core/message";
import { map, multiple, optional, withDefault } from "@optique/core/modifiers";
import type { Parser } from "@optique/core/parser";
import { negatableFlag, option } from "@optique/core/primitives";
import { choice, integer, string, type ValueParser } from "@optique/core/valueparser";
import { UsageError } from "./errors.ts";
import { boolean, duration } from "./values.ts";

/** An option that is `--flag value`, where `value` may stand in an environment variable instead. */
interface Setting<T> {
  readonly flag: `--${string}`;
  readonly variable: string;
  readonly value: ValueParser<"sync", T>;
  /** What it is when neither says, as one would write it. */
  readonly usually?: string;
  /** May be repeated; in the variable there are commas between. */
  readonly many?: true;
  readonly help: string;
}

/** What every command needs that looks at a docket. */
export const PLACE = {
  docket: {
    flag: "--docket",
    variable: "DOCKET_NAME",
    value: string({ metavar: "NAME" }),
    usually: "docket",
    help: "the name of the docket",
  },
  url: {
    flag: "--url",
    variable: "DOCKET_URL",
    value: string({ metavar: "URL" }),
    usually: "redis://localhost:6379/0",
    help: "where it is kept; a password is better in the variable: ps does not show that",
  },
} as const satisfies Table;

/** What `docket worker` needs besides. */
export const WORKER = {
  tasks: {
    flag: "--tasks",
    variable: "DOCKET_TASKS",
    value: string({ metavar: "MODULE[:EXPORT]" }),
    many: true,
    help: "a file or package that exports tasks, and which export; can be repeated",
  },
  ...PLACE,
  name: {
    flag: "--name",
    variable: "DOCKET_WORKER_NAME",
    value: string({ metavar: "NAME" }),
    help: "the worker's name, a label for people; host#pid if not given",
  },
  loggingLevel: {
    flag: "--logging-level",
    variable: "DOCKET_LOGGING_LEVEL",
    value: choice(["debug", "info", "warning", "error", "fatal"], {
      metavar: "LEVEL",
      caseInsensitive: true,
    }),
    usually: "info",
    help: "the least that is logged: debug, info, warning, error or fatal",
  },
  loggingFormat: {
    flag: "--logging-format",
    variable: "DOCKET_LOGGING_FORMAT",
    value: choice(["pretty", "plain", "json"], { metavar: "FORMAT", caseInsensitive: true }),
    help: "pretty, plain or json; pretty on a terminal and else plain, if not given",
  },
  concurrency: {
    flag: "--concurrency",
    variable: "DOCKET_WORKER_CONCURRENCY",
    value: integer({ metavar: "N", min: 1 }),
    usually: "10",
    help: "how many tasks run at once",
  },
  redeliveryTimeout: {
    flag: "--redelivery-timeout",
    variable: "DOCKET_WORKER_REDELIVERY_TIMEOUT",
    value: duration(),
    usually: "30s",
    help: "the lease: how long after a worker's death its tasks are given to others",
  },
  leaseThread: {
    flag: "--lease-thread",
    variable: "DOCKET_WORKER_LEASE_THREAD",
    value: boolean(),
    usually: "false",
    help: "keep leases from a thread while a task computes without a pause",
  },
  reconnectionDelay: {
    flag: "--reconnection-delay",
    variable: "DOCKET_WORKER_RECONNECTION_DELAY",
    value: duration(),
    usually: "5s",
    help: "the longest pause before a call that failed is tried again",
  },
  minimumCheckInterval: {
    flag: "--minimum-check-interval",
    variable: "DOCKET_WORKER_MINIMUM_CHECK_INTERVAL",
    value: duration(),
    usually: "1s",
    help: "how long one blocking read lasts at most",
  },
  schedulingResolution: {
    flag: "--scheduling-resolution",
    variable: "DOCKET_WORKER_SCHEDULING_RESOLUTION",
    value: duration(),
    usually: "2ms",
    help: "tasks due within this of each other are queued together",
  },
  scheduleAutomaticTasks: {
    flag: "--schedule-automatic-tasks",
    variable: "DOCKET_WORKER_SCHEDULE_AUTOMATIC_TASKS",
    value: boolean(),
    usually: "true",
    help: "whether this worker keeps automatic tasks going",
  },
  untilFinished: {
    flag: "--until-finished",
    variable: "DOCKET_WORKER_UNTIL_FINISHED",
    value: boolean(),
    usually: "false",
    help: "whether to end once the docket has nothing left to run",
  },
  gracePeriod: {
    flag: "--grace-period",
    variable: "DOCKET_WORKER_GRACE_PERIOD",
    value: duration(),
    usually: "25s",
    help: "how long running tasks may go on when the worker is told to stop",
  },
  maxDeliveries: {
    flag: "--max-deliveries",
    variable: "DOCKET_WORKER_MAX_DELIVERIES",
    value: integer({ metavar: "N", min: 1 }),
    usually: "5",
    help: "a task that was handed out so often and never settled is dead",
  },
  fallback: {
    flag: "--fallback",
    variable: "DOCKET_WORKER_FALLBACK",
    value: string({ metavar: "MODULE:EXPORT" }),
    help: "a function that runs the tasks which nobody registered",
  },
  metricsPort: {
    flag: "--metrics-port",
    variable: "DOCKET_WORKER_METRICS_PORT",
    value: port(),
    help: "serve /metrics for Prometheus on this port; 0 is any that is free",
  },
  metricsHost: {
    flag: "--metrics-host",
    variable: "DOCKET_WORKER_METRICS_HOST",
    value: string({ metavar: "HOST" }),
    usually: "127.0.0.1",
    help: "the address to serve /metrics on; 0.0.0.0 is any",
  },
  healthPort: {
    flag: "--health-port",
    variable: "DOCKET_WORKER_HEALTH_PORT",
    value: port(),
    help: "serve /livez and /readyz on this port; it may be the same one",
  },
  healthHost: {
    flag: "--health-host",
    variable: "DOCKET_WORKER_HEALTH_HOST",
    value: string({ metavar: "HOST" }),
    usually: "127.0.0.1",
    help: "the address to serve /livez and /readyz on; 0.0.0.0 is any",
  },
} as const satisfies Table;

function port(): ValueParser<"sync", number> {
  return integer({ metavar: "PORT", min: 0, max: 65_535 });
}

/** Whether to write for programs. */
export const json: Parser<"sync", boolean, unknown> = option("--json", {
  description: message`write JSON`,
});

/** How many to list at most. */
export const limit: Parser<"sync", number, unknown> = withDefault(
  option("--limit", integer({ metavar: "N", min: 1 }), {
    description: message`how many to list at most [default 1000]`,
  }),
  1_000,
);

type Table = Readonly<Record<string, Setting<unknown>>>;

/** The values that the options of a table have. */
export type Values<T extends Table> = { readonly [Name in keyof T]: ValueOf<T[Name]> };

type ValueOf<S> = S extends { readonly value: ValueParser<"sync", infer T> }
  ? S extends { readonly many: true } ? readonly T[]
  : S extends { readonly usually: string } ? T
  : T | undefined
  : never;

/** The parsers of the options of a table. */
export function parsersOf<const T extends Table>(
  table: T,
): { readonly [Name in keyof T]: Parser<"sync", ValueOf<T[Name]>, unknown> } {
  const parsers = Object.entries(table).map(([name, setting]) => [name, parserOf(setting)]);
  return Object.fromEntries(parsers);
}

function parserOf(setting: Setting<unknown>): Parser<"sync", unknown, unknown> {
  const { flag, value, many, usually } = setting;
  const description = message`${text(describe(setting))}`;
  const otherwise = () => read(setting, usually);
  if (many) {
    const given = multiple(option(flag, value, { description }));
    return map(given, (values) => values.length > 0 ? values : readMany(setting));
  }
  if (usually === "true" || usually === "false") {
    const names = { positive: flag, negative: flag.replace("--", "--no-") as `--${string}` };
    return map(optional(negatableFlag(names, { description })), (value) => value ?? otherwise());
  }
  return map(optional(option(flag, value, { description })), (value) => value ?? otherwise());
}

/** Without the variable's value: it may hold a secret (invariant 85). */
function describe({ variable, usually, help }: Setting<unknown>): string {
  return `${help} [${usually === undefined ? "" : `default ${usually}; `}${variable}]`;
}

function read({ variable, value }: Setting<unknown>, usually: string | undefined): unknown {
  const given = env[variable]?.trim();
  const written = given ? given : usually;
  return written === undefined ? undefined : readText(variable, value, written);
}

function readMany({ variable, value }: Setting<unknown>): unknown[] {
  const parts = (env[variable] ?? "").split(",").map((part) => part.trim());
  return parts.filter((part) => part !== "").map((part) => readText(variable, value, part));
}

function readText(variable: string, value: ValueParser<"sync", unknown>, written: string): unknown {
  const result = value.parse(written);
  if (result.success) return result.value;
  throw new UsageError(`${variable}: ${formatMessage(result.error, { quotes: true })}`);
}
