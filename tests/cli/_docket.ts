/**
 * The command line as its users meet it: a process, started somewhere else than in this project, on a docket of its own.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  fail,
  match,
  ok,
  strictEqual as equal,
} from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Docket } from "../../mod.ts";
import { RedisStage } from "../_harness.ts";
import { exitCodeIn, inTerminal, quote } from "./_terminal.ts";

/** The program. */
export const CLI = fileURLToPath(new URL("../../cli.ts", import.meta.url));

/** Nothing that a test waits for takes longer, also on a busy machine: what does hangs. */
const PATIENCE = 30_000;

/** No test takes longer. */
const LONGEST = 90_000;

/** How many processes one test has at the same time. */
const AT_ONCE = 4;

/** Every command, as it can be given on an empty docket. */
export const COMMANDS: readonly (readonly string[])[] = [
  ["worker", "--until-finished"],
  ["snapshot"],
  ["top"],
  ["watch", "key"],
  ["add", "trace", "hello"],
  ["replace", "trace", "--key", "key", "hello"],
  ["cancel", "key"],
  ["clear", "--yes"],
  ["strike", "nothing"],
  ["restore", "nothing"],
  ["strikes"],
  ["failed", "ls"],
  ["failed", "retry", "--all"],
  ["failed", "rm", "--all"],
  ["dead", "ls"],
  ["dead", "requeue", "--all"],
  ["dead", "rm", "--all"],
  ["tasks", "trace"],
  ["tasks", "fail"],
  ["tasks", "sleep", "0"],
  ["workers", "ls"],
  ["workers", "for-task", "trace"],
  ["doctor"],
];

/** Those that do not need a terminal. */
export const PIPED: readonly (readonly string[])[] = COMMANDS.filter(([name]) => name !== "top");

/** The name of a command, without what it is given. */
export function nameOf(command: readonly string[]): string[] {
  return ["failed", "dead", "tasks", "workers"].includes(command[0])
    ? command.slice(0, 2)
    : command.slice(0, 1);
}

/** What a process left. */
export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a process is started. */
export interface Setup {
  /** Besides what every process here has; `undefined` takes away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Instead of `docket`. */
  readonly script?: string;
}

/** Runs `docket` to its end, without a terminal and without input. What it says is plain. */
export async function run(args: readonly string[], setup: Setup = {}): Promise<Output> {
  const output = await read(args, setup);
  for (const text of [output.stdout, output.stderr]) expectPlain(text);
  return output;
}

/** As {@linkcode run}, whatever it says. */
export async function read(args: readonly string[], setup: Setup = {}): Promise<Output> {
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", setup.script ?? CLI, ...args],
    ...start(setup),
    stdin: "null",
    signal: AbortSignal.timeout(PATIENCE),
  }).output();
  const text = new TextDecoder("utf-8", { fatal: true });
  return {
    code: output.code,
    stdout: text.decode(output.stdout),
    stderr: text.decode(output.stderr),
  };
}

/** Throws when a text holds what can drive a terminal, or turn its lines around. */
export function expectPlain(text: string): void {
  const odd = text.replaceAll("\n", "").match(/[\p{Cc}\p{Bidi_C}\u2028\u2029]/gu) ?? [];
  deepEqual(odd.map((one) => one.codePointAt(0)?.toString(16)), [], "control characters");
}

/** Sees that it was refused: code 2, one clear line, a hint. Gives the line. */
export function refusalOf({ code, stdout, stderr }: Output): string {
  const [line, hint, ...rest] = stderr.split("\n");
  equal(code, 2, stderr);
  equal(stdout, "");
  match(line, /^docket: \S/);
  ok(line.length < 250, line);
  match(hint, /^Try: docket ([a-z-]+ ){0,2}--help$/);
  deepEqual(rest, [""]);
  return line.slice("docket: ".length);
}

/** Sees that it went wrong without a stack trace: code 1, one line. Gives the line. */
export function complaintOf({ code, stdout, stderr }: Output): string {
  const [line, ...rest] = stderr.split("\n");
  equal(code, 1, stderr);
  equal(stdout, "");
  match(line, /^docket: \S/);
  deepEqual(rest, [""]);
  return line.slice("docket: ".length);
}

/** Does it to each, some at a time. */
export async function forEach<T>(
  all: Iterable<T>,
  act: (one: T) => Promise<void>,
): Promise<void> {
  const rest = [...all].values();
  const lane = async () => {
    for (const one of rest) await act(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

/** Without what differs each time: instants, and spans. */
export function timeless(text: string): string {
  return text
    .replaceAll(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, "<instant>")
    .replaceAll(/\bin \d+[dhms]( \d+[hms])?/g, "in <span>")
    .replaceAll(/\b[\d.]+m?s ago\b/g, "<span> ago");
}

/** Declares a test of the command line. Nothing of it is left behind: no process, and nothing on the docket. */
export function cliTest(sentence: string, body: (scene: Scene) => Promise<void>): void {
  test(sentence, async () => {
    const scene = await Scene.open();
    try {
      await within(LONGEST, body(scene).then(() => scene.clear()), "the test was over");
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${scene.report()}`, { cause: error });
    } finally {
      await scene.end();
    }
  });
}

/** A docket on the Redis of `REDIS_URL`, a directory, and processes. */
export class Scene {
  /** The docket as the library sees it. */
  readonly stage: RedisStage = new RedisStage();
  /** Where processes start: in no project. */
  readonly directory: string;
  readonly #children: Live[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Makes a scene. */
  static async open(): Promise<Scene> {
    return new Scene(await Deno.makeTempDir({ prefix: "docket_cli_" }));
  }

  /** The name of the docket. */
  get name(): string {
    return this.stage.name;
  }

  /** Connects to it, through the library. */
  connect(): Promise<Docket> {
    return this.stage.connect();
  }

  /** Runs `docket` to its end. */
  run(...args: readonly string[]): Promise<Output> {
    return this.runWith({}, ...args);
  }

  /** Runs `docket` to its end, started in another way. */
  runWith({ env, ...setup }: Setup, ...args: readonly string[]): Promise<Output> {
    return run(args, { cwd: this.directory, ...setup, env: { ...this.#env, ...env } });
  }

  /** Runs `docket`, which goes well and has nothing to remark; gives what it prints. */
  async prints(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    deepEqual({ code, stderr }, { code: 0, stderr: "" }, args.join(" "));
    return stdout;
  }

  /** Runs `docket`, which refuses; gives its reason. */
  async refuses(...args: readonly string[]): Promise<string> {
    return refusalOf(await this.run(...args));
  }

  /** Runs `docket`, which fails as it should; gives its reason. */
  async complains(...args: readonly string[]): Promise<string> {
    return complaintOf(await this.run(...args));
  }

  /** Starts `docket` without waiting for its end. */
  live(...args: readonly string[]): Live {
    return this.liveWith({}, ...args);
  }

  /** Starts `docket` in another environment without waiting for its end. */
  liveWith(env: Setup["env"], ...args: readonly string[]): Live {
    const guarded = fileURLToPath(new URL("_guarded.ts", import.meta.url));
    const command = [Deno.execPath(), "run", "-A", guarded, ...args];
    return this.#spawn(command, env);
  }

  /** Starts `docket` in a terminal: 80 columns and 24 lines, unless `stty` says otherwise before. */
  terminal(args: readonly string[], { env, stty }: Setup & { readonly stty?: string } = {}): Live {
    const docket = [Deno.execPath(), "run", "-A", CLI, ...args].map(quote).join(" ");
    const line = stty ? `stty ${stty}; ${docket}` : docket;
    const codeFile = `${this.directory}/code-${this.#children.length}`;
    return this.#spawn(inTerminal(line, codeFile), { TERM: "xterm-256color", ...env }, codeFile);
  }

  /** Runs `docket` in a terminal to its end, and gives all it showed. */
  async shows(...args: readonly string[]): Promise<string> {
    const child = this.terminal(args);
    equal(await child.ends(), 0, child.output);
    return child.output;
  }

  /** Starts a shell in which `docket` is a command. */
  async shell(script: string): Promise<Output> {
    const docket = `docket() { ${[Deno.execPath(), "run", "-A", CLI].map(quote).join(" ")} "$@"; }`;
    const output = await new Deno.Command("sh", {
      args: ["-c", `${docket}; ${script}`],
      ...start({ cwd: this.directory, env: this.#env }),
      stdin: "null",
      signal: AbortSignal.timeout(PATIENCE),
    }).output();
    const text = new TextDecoder();
    return {
      code: output.code,
      stdout: text.decode(output.stdout),
      stderr: text.decode(output.stderr),
    };
  }

  /** Writes a file where processes start, and gives its name. */
  async file(name: string, text: string): Promise<string> {
    await Deno.writeTextFile(`${this.directory}/${name}`, text);
    return name;
  }

  /** Stops what still lives, and sees that nothing is left on the docket. */
  async clear(): Promise<void> {
    await Promise.all(this.#children.map(async (child) => {
      child.kill("SIGTERM");
      await child.ends();
    }));
    await this.connect();
    await this.stage.clear();
  }

  /** What processes said, for people. */
  report(): string {
    return this.#children.map((child) => child.output).join("\n");
  }

  /** Kills what still lives, and closes what is open. */
  async end(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(this.#children.map((child) => child.ends()));
    await this.stage.close().catch(() => {}); // it did, unless the test failed, which matters more
    await Deno.remove(this.directory, { recursive: true });
  }

  get #env(): Readonly<Record<string, string>> {
    return { DOCKET_URL: this.stage.url, DOCKET_NAME: this.name };
  }

  #spawn(command: readonly string[], env: Setup["env"] = {}, codeFile?: string): Live {
    const setup = { cwd: this.directory, env: { ...this.#env, ...env } };
    const child = new Live(command, setup, codeFile);
    this.#children.push(child);
    return child;
  }
}

/** A process that lives for a while. */
export class Live {
  readonly #process: Deno.ChildProcess;
  readonly #exit: Promise<number>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #readers = new Set<() => void>();
  #output = "";
  #ended = false;

  /** Its exit code is what a file says, if one is given. */
  constructor([program, ...args]: readonly string[], setup: Setup, codeFile?: string) {
    this.#process = new Deno.Command(program, { args, ...start(setup), stdin: "piped" }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#input.closed.catch(() => {}); // it has ended
    this.#exit = this.#watch(codeFile);
  }

  /** What it has said so far, on both of its outputs. */
  get output(): string {
    return this.#output;
  }

  /** Waits until it has said something, before or after this call. */
  async says(what: RegExp | string): Promise<void> {
    const said = () =>
      typeof what === "string" ? this.#output.includes(what) : what.test(this.#output);
    await within(PATIENCE, this.#until(said, what), `it said ${what}`);
  }

  /** Types in its terminal. */
  async type(text: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(text));
  }

  /** Sends a signal. To a process that has ended, none. */
  kill(signal: Deno.Signal): void {
    if (this.#ended) return;
    try {
      this.#process.kill(signal);
    } catch {
      // It has ended just now.
    }
  }

  /** Waits for its end, and gives its exit code. */
  async ends(): Promise<number> {
    return await within(PATIENCE, this.#exit, "it ended");
  }

  #until(said: () => boolean, what: RegExp | string): Promise<void> {
    return new Promise((resolve, reject) => {
      const read = () => {
        if (!said() && !this.#ended) return;
        this.#readers.delete(read);
        if (said()) resolve();
        else reject(new Error(`It ended without saying ${what}: ${JSON.stringify(this.#output)}`));
      };
      this.#readers.add(read);
      read();
    });
  }

  async #watch(codeFile?: string): Promise<number> {
    const { stdout, stderr, status } = this.#process;
    await Promise.all([this.#read(stdout), this.#read(stderr)]);
    const { code } = await status;
    const own = codeFile === undefined ? code : await exitCodeIn(codeFile);
    this.#ended = true;
    for (const read of [...this.#readers]) read();
    await this.#input.close().catch(() => {}); // broken already
    return own;
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      this.#output += chunk;
      for (const read of [...this.#readers]) read();
    }
  }
}

/** The environment of the tests says nothing about dockets and colours. */
function start({ env = {}, cwd = Deno.env.get("TMPDIR") ?? "/tmp" }: Setup): Deno.CommandOptions {
  const usual = Object.entries(Deno.env.toObject())
    .filter(([name]) => !/^(DOCKET_|NO_COLOR$|FORCE_COLOR$|CLICOLOR)/.test(name));
  const given = Object.entries({ DENO_NO_UPDATE_CHECK: "1", ...env })
    .filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    clearEnv: true,
    env: Object.fromEntries([...usual, ...given]),
    cwd,
    stdout: "piped",
    stderr: "piped",
  };
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
