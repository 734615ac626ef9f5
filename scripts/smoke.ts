/**
 * Whether a `docket` does what it is for: it loads task files from elsewhere, which share its library, and works through
 * what it is given. The release runs this with each binary; the tests run it with the sources.
 *
 * ```sh
 * deno run -A scripts/smoke.ts dist/docket             # on the Redis of REDIS_URL, or one of its own
 * deno run -A scripts/smoke.ts --memory dist/docket    # where there is no Redis
 * ```
 *
 * @module
 */
import { deepStrictEqual as deepEqual, match, strictEqual as equal } from "node:assert/strict";
import config from "../deno.json" with { type: "json" };
import { provideRedis } from "./redis.ts";

/** The package under its names; a file beside it; and an instance that only one library has. */
const TASKS = `
import { Docket, Retry, task } from "@docket/docket";
import { FakeClock } from "@docket/docket/testing";
import { greeting } from "./greeting.ts";

export const greet = task(
  "greet",
  { retry: new Retry({ attempts: 2 }) },
  ({ docket, retry }, name: string): string => {
    if (!(docket instanceof Docket)) throw new TypeError("There are two libraries");
    if (retry.attempt === 1) throw new Error("Once more");
    return \`\${greeting}, \${name}, at \${new FakeClock(0).now()}!\`;
  },
);
`;
const GREETING = `export const greeting: string = "Hello";\n`;

/** Once it has run it is over, and so is a worker that runs until nothing is left. */
const AUTOMATIC = `
import { Perpetual, task } from "@docket/docket";

export const once = task(
  "once",
  { perpetual: new Perpetual({ automatic: true }) },
  ({ perpetual, log }) => {
    log.info("It ran");
    perpetual.cancel();
  },
);
`;

/** Runs `docket`, given as a program and its first arguments. */
export async function smoke(docket: readonly string[], url: string | undefined): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "docket smoke " }); // a path with spaces
  const run = (args: readonly string[], env: Record<string, string>) =>
    output([...docket, ...args], { cwd: directory, env });
  try {
    await Deno.writeTextFile(`${directory}/tasks.ts`, TASKS);
    await Deno.writeTextFile(`${directory}/greeting.ts`, GREETING);
    await Deno.writeTextFile(`${directory}/automatic.ts`, AUTOMATIC);
    equal((await run(["version"], {})).stdout.trim(), config.version);
    await inMemory(run);
    if (url !== undefined) await onRedis(run, url);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

type Run = (args: readonly string[], env: Record<string, string>) => Promise<Output>;

async function inMemory(run: Run): Promise<void> {
  const worker = ["worker", "--tasks", "automatic.ts", "--until-finished"];
  const { stderr } = await run(worker, { DOCKET_URL: "memory://smoke" });
  match(stderr, /It ran/);
}

async function onRedis(run: Run, url: string): Promise<void> {
  const env = { DOCKET_URL: url, DOCKET_NAME: `smoke.${crypto.randomUUID()}` };
  await run(["add", "greet", "Jane", "--key", "jane"], env);
  const { executions } = JSON.parse((await run(["snapshot", "--json"], env)).stdout);
  deepEqual(executions.map(({ key }: { key: string }) => key), ["jane"]);
  await run(["worker", "--tasks", "tasks.ts", "--until-finished"], env);
  match((await run(["watch", "jane"], env)).stdout, /completed at attempt 2/);
}

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

async function output(
  [program, ...args]: readonly string[],
  options: Deno.CommandOptions,
): Promise<Output> {
  const command = new Deno.Command(program, { ...options, args, stdin: "null" });
  const ran = await command.output();
  const text = new TextDecoder();
  const [stdout, stderr] = [text.decode(ran.stdout), text.decode(ran.stderr)];
  if (ran.success) return { stdout, stderr };
  throw new Error(`Cannot run docket ${args.join(" ")}: it exited with ${ran.code}: ${stderr}`);
}

async function main(args: readonly string[]): Promise<void> {
  const docket = args.filter((arg) => arg !== "--memory");
  if (docket.length === 0) throw new TypeError("Give the program to run, such as dist/docket");
  const program = docket.length === 1 ? [await Deno.realPath(docket[0])] : docket;
  if (args.includes("--memory")) {
    await smoke(program, undefined);
  } else {
    await using redis = await provideRedis();
    await smoke(program, redis.url);
  }
  console.log("It works");
}

if (import.meta.main) await main(Deno.args);
