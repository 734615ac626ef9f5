/**
 * One test: a docket of its own on the Redis of `REDIS_URL`, and the processes that work on it.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, fail, strictEqual as equal } from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Redis } from "ioredis";
import { Child as ChildProcess, type Launch } from "../../chaos/child.ts";
import { randomId } from "../../src/base/ids.ts";
import { Docket } from "../../mod.ts";
import { assertNoLeaks } from "../_leaks.ts";
import { connect, type Happening, Journal } from "./_journal.ts";
import type { ProducerSetup } from "./_producer.ts";
import type { WorkerSetup } from "./_worker.ts";

/** Nothing that a test waits for takes longer, also on a busy machine: what does hangs. */
const PATIENCE = 30_000;

/** No test takes longer. */
const LONGEST = 90_000;

/** How often the journal is read while somebody waits for an entry. */
const GLANCE = 10;

/** Long enough that a live worker never loses it by accident, short enough to wait for. */
export const LEASE = 500;

/** A lease that does not run out within a test: whoever gets a task anyway was given it. */
export const NO_END = 600_000;

/** Declares a test that starts processes. None of them outlives it. */
export function processTest(sentence: string, body: (scene: Scene) => Promise<void>): void {
  test(sentence, async () => {
    const scene = await Scene.open();
    try {
      await within(LONGEST, body(scene).then(() => scene.clear()), "the test was over");
    } catch (error) {
      throw new Error(`${(error as Error).message}\n\n${await scene.report()}`, { cause: error });
    } finally {
      await scene.end();
    }
  });
}

/** A docket, its journal and its processes. */
export class Scene {
  /** A docket name that no other test uses. */
  readonly name = `processes.${randomId()}`;
  /** What has happened so far, as far as anybody has looked. */
  readonly happenings: Happening[] = [];
  /** Where the docket is. */
  readonly url: string;
  readonly #journal: Journal;
  readonly #children: Child[] = [];
  /** For what only strangers do. */
  readonly redis: Redis;
  #docket?: Docket;

  private constructor(url: string) {
    this.url = url;
    this.#journal = new Journal(url, this.name, "test");
    this.redis = connect(url);
  }

  /** Makes a scene. */
  static async open(): Promise<Scene> {
    const url = process.env.REDIS_URL;
    if (!url) {
      throw new Error(
        "Cannot test worker processes: set REDIS_URL, or run `deno task test`, which does",
      );
    }
    const scene = new Scene(url);
    scene.#docket = await Docket.connect({ name: scene.name, url });
    return scene;
  }

  /** The docket, as this process sees it: it adds, and looks at what became of it. */
  get docket(): Docket {
    return this.#docket!;
  }

  /** Starts a worker process; resolves when it is about to take work. */
  async worker(
    name: string,
    setup: Partial<WorkerSetup> = {},
    env: Launch["env"] = {},
  ): Promise<Child> {
    const child = this.launch(name, setup, env);
    await this.happened("up", { pid: child.pid });
    return child;
  }

  /** Starts a worker process, without waiting for it. */
  launch(
    name: string,
    { heap, ...setup }: Partial<WorkerSetup> & Pick<Launch, "heap"> = {},
    env: Launch["env"] = {},
  ): Child {
    const whole: WorkerSetup = {
      url: this.url,
      docket: this.name,
      redeliveryTimeout: LEASE,
      reconnectionDelay: 100,
      heartbeatInterval: 100,
      missedHeartbeats: 5,
      ...setup,
      name,
    };
    return this.#spawn("_worker.ts", name, whole, { heap, env });
  }

  /** Starts a producer process. */
  producer(setup: Omit<ProducerSetup, "url" | "docket">): Child {
    const whole: ProducerSetup = { ...setup, url: this.url, docket: this.name };
    return this.#spawn("_producer.ts", setup.name, whole);
  }

  /** Opens a gate: that of the worker of this name. */
  async open(gate: string): Promise<void> {
    await this.#journal.open(gate);
  }

  /** Reads the journal until something is so; gives what the claim gave. */
  async until<T>(
    what: string,
    claim: (happenings: readonly Happening[]) => T | false | undefined | Promise<T | undefined>,
  ): Promise<T> {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      await this.look();
      const found = await claim(this.happenings);
      if (found !== undefined && found !== false) return found;
      if (performance.now() > deadline) fail(`It never happened: ${what}`);
      await pause(GLANCE);
    }
  }

  /** Waits for the next entry of a kind, after all that were seen when this was called. */
  async next(what: Happening["what"], which: Partial<Happening> = {}): Promise<Happening> {
    await this.look();
    const from = this.happenings.length;
    return await this.until(
      `${what} ${JSON.stringify(which)}`,
      () => select(this.happenings.slice(from), what, which)[0],
    );
  }

  /** Waits for an entry of a kind, seen already or not. */
  async happened(what: Happening["what"], which: Partial<Happening> = {}): Promise<Happening> {
    return await this.until(
      `${what} ${JSON.stringify(which)}`,
      (all) => select(all, what, which)[0],
    );
  }

  /** The entries of a kind, as of now. */
  async all(what: Happening["what"], which: Partial<Happening> = {}): Promise<Happening[]> {
    await this.look();
    return select(this.happenings, what, which);
  }

  /** Waits until a worker has looked at all leases so many times more, finding and taking what nobody renews. */
  async looks(worker: string, times: number): Promise<void> {
    await this.look();
    const from = this.happenings.length;
    await this.until(
      `${worker} looks ${times} times`,
      (all) => select(all.slice(from), "looked", { worker }).length >= times,
    );
  }

  /** Waits until a worker has looked after its automatic tasks so many times more. */
  async seeds(worker: string, times: number): Promise<void> {
    await this.look();
    const from = this.happenings.length;
    await this.until(
      `${worker} seeds ${times} times`,
      (all) => select(all.slice(from), "seeded", { worker }).length >= times,
    );
  }

  /** Reads what is new in the journal. */
  async look(): Promise<void> {
    const from = this.happenings.length;
    const news = await this.#journal.read(from);
    if (this.happenings.length === from) this.happenings.push(...news); // else another caller was faster
  }

  /** Has a worker process drain and end. One that has just been started would not know what a signal means. */
  async drain(child: Child): Promise<void> {
    await this.happened("up", { pid: child.pid });
    child.kill("SIGTERM");
    await child.ends(0);
  }

  /** Waits until the living have forgotten the dead, drains them, and sees that nothing of the docket is left. */
  async clear(): Promise<void> {
    const dead = this.#children.filter(({ alive, well }) => !alive && !well);
    if (dead.length > 0) {
      if (!this.#children.some(({ alive }) => alive)) await this.worker("undertaker");
      await this.forgotten(dead);
    }
    const living = this.#children.filter(({ alive }) => alive);
    await Promise.all(living.map((child) => this.drain(child)));
    await assertNoLeaks(this.url, this.name);
  }

  /** Waits until nothing is known any more of workers that died. */
  async forgotten(dead: readonly Child[]): Promise<void> {
    const names = dead.map(({ name }) => name);
    await this.until(`${names} are forgotten`, async () => {
      const known = await this.consumers();
      return known.every((consumer) => !names.some((name) => consumer.startsWith(`${name}~`)));
    });
  }

  /** The consumers of workers that are known to the group, remembered for a lost reply, or said to be advertised. */
  async consumers(): Promise<string[]> {
    const key = (name: string) => `{${this.name}}:${name}`;
    const remembered = (await this.redis.hkeys(key("calls")))
      .filter((field) => !field.startsWith("@"))
      .map((field) => field.slice(0, field.lastIndexOf(":")));
    const advertised = await this.redis.zrange(key("workers"), "0", "-1");
    const known = await this.redis.xinfo("CONSUMERS", key("stream"), "workers")
      .catch(() => []) as unknown[][]; // there is no group yet
    const names = known.map((info) => `${info[info.indexOf("name") + 1]}`);
    return [...new Set([...remembered, ...advertised, ...names])];
  }

  /** What happened, for people. */
  async report(): Promise<string> {
    await this.look().catch(() => {});
    const lines = this.happenings
      .filter(({ what }) => !["looked", "waiting", "seeded"].includes(what))
      .map((happening) => JSON.stringify(happening));
    return [...lines.slice(-60), ...this.#children.map((child) => child.report)].join("\n");
  }

  /** Kills every process, and closes the connections. */
  async end(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(this.#children.map((child) => child.exit));
    await this.#docket?.close();
    this.#journal.close();
    this.redis.disconnect();
  }

  #spawn(script: string, name: string, setup: unknown, how: Launch = {}): Child {
    const child = new Child(name, new URL(script, import.meta.url), setup, how);
    this.#children.push(child);
    return child;
  }
}

/** The entries of a kind. */
export function select(
  happenings: readonly Happening[],
  what: Happening["what"],
  which: Partial<Happening> = {},
): Happening[] {
  const wanted = Object.entries({ ...which, what });
  return happenings.filter((happening) =>
    wanted.every(([name, value]) => happening[name as keyof Happening] === value)
  );
}

/** A process of a test. */
export class Child extends ChildProcess {
  /** Whether it has ended by itself, and drained before. */
  get well(): boolean {
    return this.status?.code === 0;
  }

  /** How it is, and what it said, for people. */
  get report(): string {
    const end = this.status ? this.status.signal ?? this.status.code : "alive";
    return `${this.name} (${this.pid}): ${end}\n${this.output}`;
  }

  /** Waits for it to end, in this way. */
  async ends(how: number | Deno.Signal): Promise<void> {
    const { code, signal } = await within(PATIENCE, this.exit, `${this.name} ended`);
    if (typeof how === "number") deepEqual({ signal, code }, { signal: null, code: how });
    else equal(signal, how);
  }
}

/** Waits for a promise, but not for ever. */
async function within<T>(span: number, promise: Promise<T>, what: string): Promise<T> {
  const over = new AbortController();
  const late = pause(span, undefined, { signal: over.signal })
    .then(() => fail(`It never happened: ${what}`));
  try {
    return await Promise.race([promise, late]);
  } finally {
    over.abort();
    late.catch(() => {}); // it was in time
  }
}
