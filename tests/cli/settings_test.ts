/**
 * The options of `docket worker` and their environment variables: one table, every row of it.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { WORKER } from "../../src/cli/options.ts";
import { cliTest, forEach, refusalOf, run } from "./_docket.ts";

type Name = keyof typeof WORKER;

/** How a setting is written in a variable, what that is, and another way of writing it that must not be taken. */
interface Sample {
  readonly written: string;
  readonly value: unknown;
  readonly usual?: unknown;
  /** Nothing can be wrong with it before somebody uses it. */
  readonly bad?: string;
  /** What the flags are that say the same. */
  readonly flags: readonly string[];
}

const SAMPLES: Readonly<Record<Name, Sample>> = {
  tasks: {
    written: "a.ts, b.ts:c",
    value: ["a.ts", "b.ts:c"],
    usual: [],
    flags: ["--tasks", "a.ts", "--tasks", "b.ts:c"],
  },
  docket: { written: "orders", value: "orders", usual: "docket", flags: ["--docket", "orders"] },
  url: {
    written: "redis://elsewhere:1/2",
    value: "redis://elsewhere:1/2",
    usual: "redis://localhost:6379/0",
    flags: ["--url", "redis://elsewhere:1/2"],
  },
  name: { written: "me", value: "me", flags: ["--name=me"] },
  loggingLevel: {
    written: "WARNING",
    value: "warning",
    usual: "info",
    bad: "loud",
    flags: ["--logging-level", "warning"],
  },
  loggingFormat: {
    written: "json",
    value: "json",
    bad: "xml",
    flags: ["--logging-format", "json"],
  },
  concurrency: { written: "3", value: 3, usual: 10, bad: "0", flags: ["--concurrency", "3"] },
  redeliveryTimeout: {
    written: "1:30",
    value: 90_000,
    usual: 30_000,
    bad: "soon",
    flags: ["--redelivery-timeout", "90"],
  },
  leaseThread: {
    written: "true",
    value: true,
    usual: false,
    bad: "perhaps",
    flags: ["--lease-thread"],
  },
  reconnectionDelay: {
    written: "250ms",
    value: 250,
    usual: 5_000,
    bad: "-1",
    flags: ["--reconnection-delay", "250ms"],
  },
  minimumCheckInterval: {
    written: "5m",
    value: 300_000,
    usual: 1_000,
    bad: "5 minutes",
    flags: ["--minimum-check-interval", "300s"],
  },
  schedulingResolution: {
    written: "0.5",
    value: 500,
    usual: 2,
    bad: "1:2",
    flags: ["--scheduling-resolution", "500ms"],
  },
  scheduleAutomaticTasks: {
    written: "no",
    value: false,
    usual: true,
    bad: "maybe",
    flags: ["--no-schedule-automatic-tasks"],
  },
  untilFinished: {
    written: "1",
    value: true,
    usual: false,
    bad: "2",
    flags: ["--until-finished"],
  },
  gracePeriod: {
    written: "1:30:45",
    value: 5_445_000,
    usual: 25_000,
    bad: "1:30:45:00",
    flags: ["--grace-period", "1h30m45s"],
  },
  maxDeliveries: {
    written: "7",
    value: 7,
    usual: 5,
    bad: "many",
    flags: ["--max-deliveries", "7"],
  },
  fallback: { written: "a.ts:b", value: "a.ts:b", flags: ["--fallback", "a.ts:b"] },
  metricsPort: { written: "9464", value: 9464, bad: "65536", flags: ["--metrics-port", "9464"] },
  metricsHost: {
    written: "0.0.0.0",
    value: "0.0.0.0",
    usual: "127.0.0.1",
    flags: ["--metrics-host", "0.0.0.0"],
  },
  healthPort: { written: "8080", value: 8080, bad: "http", flags: ["--health-port", "8080"] },
  healthHost: { written: "::", value: "::", usual: "127.0.0.1", flags: ["--health-host", "::"] },
};

const settings = Object.entries(WORKER) as [Name, (typeof WORKER)[Name]][];
const values = Object.fromEntries(settings.map(([name]) => [name, SAMPLES[name].value]));
const usual = Object.fromEntries(
  settings.filter(([name]) => SAMPLES[name].usual !== undefined)
    .map(([name]) => [name, SAMPLES[name].usual]),
);
const flags = settings.flatMap(([name]) => SAMPLES[name].flags);
const written = (which: "written" | "bad") =>
  Object.fromEntries(settings.map(([name, { variable }]) => [variable, SAMPLES[name][which]]));

test("Every option of docket worker has a variable of its own", () => {
  const variables = settings.map(([, { variable }]) => variable);

  equal(new Set(variables).size, 21);
  for (const variable of variables) match(variable, /^DOCKET_[A-Z_]+$/);
});

test("docket worker has its usual settings where neither flag nor variable says", async () => {
  deepEqual(await settle({}), { success: true, value: usual });
});

test("docket worker takes every setting from its variable", async () => {
  deepEqual(await settle(written("written")), { success: true, value: values });
});

test("docket worker takes every setting from its flag, whatever the variable says", async () => {
  deepEqual(await settle(written("bad"), ...flags), { success: true, value: values });
});

test("docket worker takes an empty variable for none", async () => {
  const empty = Object.fromEntries(settings.map(([, { variable }]) => [variable, " "]));

  deepEqual(await settle(empty), { success: true, value: usual });
});

test("docket worker names the variable that holds a bad value", async () => {
  const bad = settings.filter(([name]) => SAMPLES[name].bad !== undefined);
  equal(bad.length, 14);

  await forEach(bad, async ([name, { variable }]) => {
    const reason = refusalOf(await run(["worker"], { env: { [variable]: SAMPLES[name].bad } }));
    ok(reason.startsWith(`${variable}: `), reason);
    ok(reason.includes(`"${SAMPLES[name].bad}"`), reason);
  });
});

test("docket worker names the flag that holds a bad value", async () => {
  const bad = settings.filter(([name, { flag }]) =>
    SAMPLES[name].bad !== undefined && SAMPLES[name].flags.includes(flag)
  );
  equal(bad.length, 13);

  await forEach(bad, async ([name, { flag }]) => {
    const reason = refusalOf(await run(["worker", `${flag}=${SAMPLES[name].bad}`]));
    ok(reason.includes(`\`${flag}`), reason);
  });
});

cliTest("docket worker works as its variables say", async (scene) => {
  const tasks = await scene.file("tasks.js", "export function work() {}");
  const child = scene.liveWith({
    DOCKET_TASKS: tasks,
    DOCKET_WORKER_NAME: "from a variable",
    DOCKET_WORKER_CONCURRENCY: "3",
    DOCKET_LOGGING_FORMAT: "json",
  }, "worker");
  await child.says("Working on ");
  const docket = await scene.connect();
  await scene.stage.eventually(async () => (await docket.workers()).length > 0);

  const [worker] = await docket.workers();

  deepEqual([worker.name, worker.concurrency], ["from a variable", 3]);
  deepEqual(Object.keys(worker.tasks), ["trace", "fail", "sleep", "work"]);
  equal(JSON.parse(child.output.split("\n")[0]).level, "INFO");
});

/** What these variables and arguments come to. */
async function settle(
  env: Readonly<Record<string, string | undefined>>,
  ...args: readonly string[]
): Promise<unknown> {
  const script = fileURLToPath(new URL("_settings.ts", import.meta.url));
  const { code, stdout, stderr } = await run(args, { env, script });
  equal(code, 0, stderr);
  return JSON.parse(stdout);
}
