/**
 * What user code lets escape from its tasks, under `docket worker`: a rejected promise that nobody awaits changes nothing, an
 * error that nobody caught ends the worker, and loses nothing (F12).
 *
 * @module
 */

import { doesNotMatch, match, ok, strictEqual as equal } from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Docket } from "../../mod.ts";
import { randomId } from "../../src/base/ids.ts";
import { assertNoLeaks } from "../_leaks.ts";

const cli = fileURLToPath(new URL("../../cli.ts", import.meta.url));

/** Nothing here takes longer, also on a busy machine: what does hangs. */
const PATIENCE = 30_000;

/** A task says "begun" when its handler runs. */
const TASKS = `
import { setTimeout as sleep } from "node:timers/promises";
import { task } from "@docket/docket";

export async function leak(): Promise<string> {
  void Promise.reject(new Error("leaked db://jane:canary@host", { cause: new Error("db://j:canary@host") }));
  await sleep(50);
  return "done";
}

export const hold = task("hold", async ({ execution }): Promise<string> => {
  if (execution.worker === "next") return "by the next at delivery " + execution.deliveries;
  console.error("begun");
  setInterval(() => {}, 1_000);
  return await new Promise(() => {});
});

export const explode = task("explode", async ({ execution }): Promise<string> => {
  if (execution.worker === "next") return "by the next at delivery " + execution.deliveries;
  setTimeout(() => {
    throw new Error("nobody catches this");
  }, 10);
  return await new Promise(() => {});
});

export async function nearly(): Promise<string> {
  await sleep(100);
  return "done in time";
}
`;

accidentTest(
  "F12 a rejection that nobody handles is logged, and neither the task's result nor the worker suffers",
  async ({ docket, worker }) => {
    const leaking = await docket.add<() => string>("leak")();
    const child = worker("careless");

    equal(await leaking.result({ timeout: PATIENCE }), "done");
    const later = await docket.add<() => string>("nearly")();
    equal(await later.result({ timeout: PATIENCE }), "done in time");
    child.kill("SIGTERM");

    equal((await child.status).code, 0);
    const said = await child.said;
    match(said, /A promise was rejected, and nobody handled it: leaked db:/);
    doesNotMatch(said, /canary/);
  },
);

accidentTest(
  "F12 an error that nobody caught ends the worker with 1: what is nearly done ends, the rest is given back",
  async ({ docket, worker }) => {
    const held = await docket.add<() => string>("hold")();
    const child = worker("careless");
    await child.begun;
    const [exploding, nearly] = await docket.addAll([
      docket.call<() => string>("explode")(),
      docket.call<() => string>("nearly")(),
    ]);

    equal((await child.status).code, 1);
    match(await child.said, /An error was thrown, and nobody caught it: nobody catches this/);
    const next = worker("next");
    equal(await nearly.result({ timeout: PATIENCE }), "done in time");
    for (const execution of [held, exploding]) {
      // At once: the lease goes on for an hour. And nothing is charged.
      equal(await execution.result({ timeout: PATIENCE }), "by the next at delivery 1");
      equal((await execution.refresh()).attempt, 1);
    }
    next.kill("SIGTERM");
    equal((await next.status).code, 0);
  },
);

interface Scene {
  readonly docket: Docket;
  readonly worker: (name: string) => CarelessWorker;
}

interface CarelessWorker {
  readonly status: Promise<Deno.CommandStatus>;
  /** All of its log, when it has ended. */
  readonly said: Promise<string>;
  /** Resolves when the task that holds has begun. */
  readonly begun: Promise<void>;
  kill(signal: Deno.Signal): void;
}

function accidentTest(sentence: string, body: (scene: Scene) => Promise<void>): void {
  test(sentence, async () => {
    const url = process.env.REDIS_URL;
    ok(url, "REDIS_URL is not set: `deno task test:faults` does that");
    const directory = await Deno.makeTempDir({ prefix: "docket_accidents_" });
    await Deno.writeTextFile(`${directory}/tasks.ts`, TASKS);
    const name = `accidents-${randomId()}`;
    const children: Deno.ChildProcess[] = [];
    const worker = (label: string) => {
      const args = ["worker", "--tasks", `${directory}/tasks.ts`, "--name", label];
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", cli, ...args, "--redelivery-timeout", "1h", "--grace-period", "1h"],
        cwd: directory,
        env: { DOCKET_URL: url, DOCKET_NAME: name, NO_COLOR: "1" },
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn();
      children.push(child);
      const late = setTimeout(() => child.kill("SIGKILL"), 2 * PATIENCE);
      void child.status.then(() => clearTimeout(late));
      return listening(child);
    };
    const docket = await Docket.connect({ name, url });
    try {
      await body({ docket, worker });
    } finally {
      for (const child of children) await end(child);
      await docket.close();
      await Deno.remove(directory, { recursive: true });
    }
    await assertNoLeaks(url, name);
  });
}

function listening(child: Deno.ChildProcess): CarelessWorker {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const said = (async () => {
    let text = "";
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes("begun")) begin();
    }
    return text;
  })();
  return { status: child.status, said, begun, kill: (signal) => child.kill(signal) };
}

async function end(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended, as it should.
  }
  await child.status;
}
