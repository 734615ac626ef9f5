/**
 * How `docket worker` stops, as a process with real signals: F05, invariant 75.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, fail, ok, strictEqual as equal } from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Docket, type Execution } from "../../mod.ts";
import { randomId } from "../../src/base/ids.ts";
import { internalsOf } from "../../src/docket/internals.ts";
import { assertNoLeaks } from "../_leaks.ts";
import { exitCodeIn, inTerminal, quote } from "./_terminal.ts";

const cli = fileURLToPath(new URL("../../cli.ts", import.meta.url));

/** Nothing here takes longer, also on a busy machine: what does hangs. */
const PATIENCE = 30_000;

/** By which a worker judges the leases of the dead: short enough to wait for. */
const LEASE = 500;

/** A lease that does not run out within a test: whoever gets a task anyway was given it. */
const NO_END = 3_600_000;

/** One ends when a file is there, the other never, whatever its signal says. */
const TASKS = `
import { access } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { task } from "@docket/docket";

const exists = (file: string) => access(file).then(() => true, () => false);

export const hold = task("hold", async ({ progress }, gate: string): Promise<void> => {
  progress.update({ message: "begun" });
  while (!await exists(gate)) await sleep(10);
});

export const stubborn = task("stubborn", async ({ progress }, gate: string): Promise<void> => {
  if (await exists(gate)) return;
  progress.update({ message: "begun" });
  setInterval(() => {}, 1_000);
  await new Promise(() => {});
});
`;

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  workerTest(`docket worker drains on ${signal}, and exits with 0`, async (scene) => {
    const execution = await scene.docket.add("hold")(scene.gate);
    const leaving = scene.worker("leaving", { lease: NO_END });
    await scene.begun(execution);

    leaving.kill(signal);
    await scene.until("it drains", () => scene.gone("leaving"));
    const late = await scene.docket.add("hold")(scene.gate);
    await scene.open();

    equal((await leaving.status).code, 0);
    await execution.refresh();
    deepEqual([execution.state, execution.worker], ["completed", "leaving"]);
    equal((await late.refresh()).state, "queued");
    await late.cancel();
  });
}

workerTest(
  "docket worker that drains keeps what it runs for as long as that takes",
  async (scene) => {
    const lease = 2_000; // no stall of a busy machine is as long
    const execution = await scene.docket.add("hold")(scene.gate);
    const leaving = scene.worker("leaving", { lease });
    await scene.begun(execution);
    const staying = scene.worker("staying", { lease });

    leaving.kill("SIGTERM");
    await pause(2 * lease); // it would be over, if nobody renewed it
    await scene.open();

    equal((await leaving.status).code, 0);
    await execution.refresh();
    deepEqual([execution.state, execution.worker], ["completed", "leaving"]);
    staying.kill("SIGTERM");
    equal((await staying.status).code, 0);
  },
);

workerTest("docket worker that has nothing to do exits with 0 at once", async (scene) => {
  const idle = scene.worker("idle");
  await scene.until("it is there", async () => !await scene.gone("idle"));

  idle.kill("SIGTERM");

  equal((await idle.status).code, 0);
  deepEqual(await scene.docket.workers(), []);
});

workerTest("docket worker gives back what the grace period does not see end", async (scene) => {
  const execution = await scene.docket.add("stubborn")(scene.gate);
  const leaving = scene.worker("leaving", { lease: NO_END, grace: "100ms" });
  await scene.begun(execution);

  leaving.kill("SIGTERM");

  equal((await leaving.status).code, 0);
  await execution.refresh();
  deepEqual([execution.state, execution.attempt], ["queued", 1]); // at once, and nothing charged
  await scene.open();
  const next = scene.worker("next", { lease: NO_END });
  await execution.result({ timeout: PATIENCE });
  await execution.refresh();
  deepEqual([execution.worker, execution.attempt], ["next", 1]);
  next.kill("SIGTERM");
  equal((await next.status).code, 0);
});

workerTest("docket worker ends at a second signal with 130", async (scene) => {
  const execution = await scene.docket.add("hold")(scene.gate);
  const leaving = scene.worker("leaving", { lease: NO_END });
  await scene.begun(execution);

  leaving.kill("SIGINT");
  await scene.until("it drains", () => scene.gone("leaving"));
  leaving.kill("SIGINT");

  equal((await leaving.status).code, 130);
  await execution.refresh();
  equal(execution.state, "running"); // until somebody finds that its lease is over
  await scene.open();
  const next = scene.worker("next", { lease: LEASE });
  await execution.result({ timeout: PATIENCE });
  await execution.refresh();
  deepEqual([execution.worker, execution.attempt], ["next", 1]);
  next.kill("SIGTERM");
  equal((await next.status).code, 0);
});

workerTest("Ctrl-C in a terminal drains, and once more ends with 130", async (scene) => {
  for (const twice of [false, true]) {
    const execution = await scene.docket.add("hold")(scene.gate);
    await using terminal = scene.terminal("typed", { lease: NO_END });
    await scene.begun(execution);

    await terminal.type("\x03");
    await scene.until("it drains", () => scene.gone("typed"));
    if (twice) await terminal.type("\x03");
    else await scene.open();

    equal(await terminal.ends(), twice ? 130 : 0);
    await scene.close();
  }
  await scene.open();
  const next = scene.worker("next", { lease: LEASE });
  await scene.until(
    "all is done",
    async () => (await scene.docket.snapshot()).counts.running === 0,
  );
  next.kill("SIGTERM");
  await next.status;
});

interface Setup {
  readonly lease?: number;
  readonly grace?: string;
}

/** A docket of its own, a file to open, and workers that do not outlive the test. */
class Scene {
  readonly docket: Docket;
  readonly #directory: string;
  readonly #url: string;
  readonly #children: Deno.ChildProcess[] = [];
  readonly #consumers = new Set<string>();

  private constructor(docket: Docket, directory: string, url: string) {
    this.docket = docket;
    this.#directory = directory;
    this.#url = url;
  }

  static async start(): Promise<Scene> {
    const url = process.env.REDIS_URL;
    ok(url, "REDIS_URL is not set: `deno task test` does that");
    const directory = await Deno.makeTempDir({ prefix: "docket_stopping_" });
    await Deno.writeTextFile(`${directory}/tasks.ts`, TASKS);
    const name = `stopping-${randomId()}`;
    return new Scene(await Docket.connect({ name, url }), directory, url);
  }

  /** The file that tasks wait for. */
  get gate(): string {
    return `${this.#directory}/open`;
  }

  open(): Promise<void> {
    return Deno.writeTextFile(this.gate, "");
  }

  close(): Promise<void> {
    return Deno.remove(this.gate).catch(() => {});
  }

  worker(name: string, setup: Setup = {}): Deno.ChildProcess {
    return this.#spawn(Deno.execPath(), this.#args(name, setup), "null");
  }

  /** A worker in a pseudo-terminal, and somebody at its keyboard. */
  terminal(name: string, setup: Setup) {
    const line = [Deno.execPath(), ...this.#args(name, setup)].map(quote).join(" ");
    const codeFile = `${this.#directory}/code-${this.#children.length}`;
    const [program, ...args] = inTerminal(line, codeFile);
    const child = this.#spawn(program, args, "piped");
    const keyboard = child.stdin.getWriter();
    const type = (keys: string) => keyboard.write(new TextEncoder().encode(keys));
    const ends = async () => {
      await child.status;
      return await exitCodeIn(codeFile);
    };
    return { ends, type, [Symbol.asyncDispose]: () => keyboard.close().catch(() => {}) };
  }

  #args(name: string, { lease = LEASE, grace = "20s" }: Setup): string[] {
    const options = { name, "redelivery-timeout": `${lease}ms`, "grace-period": grace };
    const flags = Object.entries(options).map(([flag, value]) => `--${flag}=${value}`);
    return ["run", "-A", cli, "worker", "--tasks", `${this.#directory}/tasks.ts`, ...flags];
  }

  #spawn(program: string, args: string[], stdin: "null" | "piped"): Deno.ChildProcess {
    const child = new Deno.Command(program, {
      args,
      cwd: this.#directory,
      env: { DOCKET_URL: this.#url, DOCKET_NAME: this.docket.name },
      stdin,
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#children.push(child);
    return child;
  }

  /** What is claimed and has not begun is given back at once when its worker is to stop. */
  async begun(execution: Execution): Promise<void> {
    await this.until("it runs", async () => (await execution.refresh()).progress !== undefined);
    await this.until("it says so", async () => (await this.docket.workers()).length > 0);
    for (const { id } of await this.docket.workers()) this.#consumers.add(id);
  }

  /** Forgets the workers that were killed, as those who live do some time later. */
  async forgetDead(): Promise<void> {
    const { storage } = internalsOf(this.docket);
    for (const consumer of this.#consumers) equal(await storage.retire(consumer), true);
  }

  /** Whether no worker of this name can claim. */
  async gone(name: string): Promise<boolean> {
    return !(await this.docket.workers()).some((worker) => worker.name === name);
  }

  async until(what: string, claim: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + PATIENCE;
    while (!await claim()) {
      if (performance.now() > deadline) fail(`It never happened that ${what}`);
      await pause(10);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended, as it should.
      }
      await child.status;
    }
    await this.docket.close();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

function workerTest(sentence: string, body: (scene: Scene) => Promise<void>): void {
  test(sentence, async () => {
    await using scene = await Scene.start();
    await body(scene);
    await scene.forgetDead();
    await assertNoLeaks(process.env.REDIS_URL!, scene.docket.name);
  });
}
