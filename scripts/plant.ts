/**
 * Plants bugs in a copy of the sources, one at a time, and checks that the model test goes red for each, on the storage
 * where it was planted, or that the simulator does, and that both stay green without.
 * `deno run -A scripts/plant.ts [--on memory|redis|simulator] [words of a bug's name]`.
 *
 * It exits with 1 when a bug is not caught, when a patch does not fit the sources any more, or when the test is red
 * without any.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { bugs } from "./plants/bugs.ts";
import { gateBugs } from "./plants/gates.ts";
import type { Bug, Patch } from "./plants/plant.ts";
import { protocolBugs } from "./plants/protocol.ts";
import { startRedis } from "./redis.ts";

const root = new URL("../", import.meta.url);

/** What is needed to look for them. */
const parts = ["deno.json", "deno.lock", "mod.ts", "src", "scripts", "tests", "chaos"];

/** For each ground, how many sequences, or seeds, are tried before a bug counts as missed. */
const grounds = { memory: 10_000, redis: 2_000, simulator: 1_000 } as const;
type Ground = keyof typeof grounds;

/** Longer than any test takes, also on a busy machine: one that does hangs. */
const patience = 600_000;

interface Finding {
  readonly bug: string;
  readonly ground: Ground;
  /** Whether all is as it should be. */
  readonly ok: boolean;
  readonly what: string;
}

async function main(args: string[]): Promise<number> {
  const { values, positionals: words } = parseArgs({
    args,
    allowPositionals: true,
    options: { on: { type: "string", default: "" } },
  });
  const chosen = [...bugs, ...gateBugs, ...protocolBugs].filter(({ name }) =>
    words.every((word) => name.includes(word))
  );
  const where = (Object.keys(grounds) as Ground[]).filter((ground) => ground.startsWith(values.on));
  await using redis = await startRedis();
  const findings = await Promise.all(where.map((ground) => survey(ground, chosen, redis.url)));
  const failed = findings.flat().filter(({ ok }) => !ok);
  console.log(`${findings.flat().length - failed.length} as they should be, ${failed.length} not`);
  return failed.length > 0 || chosen.length === 0 ? 1 : 0;
}

/** All bugs of one ground, in a copy of the sources; at first none, unless that is known to be well. */
export async function survey(
  ground: Ground,
  chosen: readonly Bug[],
  url: string,
  { isWell = false }: { readonly isWell?: boolean } = {},
): Promise<Finding[]> {
  const copy = await Deno.makeTempDir({ prefix: "docket_plant_" });
  try {
    for (const part of parts) await copyTree(new URL(part, root), `${copy}/${part}`);
    if (chosen.every((bug) => !bug[ground])) return [];
    const findings: Finding[] = [];
    if (!isWell) {
      findings.push(await look(ground, "none", undefined, copy, url));
      report(findings[0]);
    }
    for (const bug of chosen) {
      const patch = bug[ground];
      if (!patch) continue;
      const finding = await look(ground, bug.name, patch, copy, url);
      report(finding);
      findings.push(finding);
    }
    return findings;
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

/** One bug: planted, looked for, taken out again. */
async function look(
  ground: Ground,
  bug: string,
  patch: Patch | undefined,
  copy: string,
  url: string,
): Promise<Finding> {
  if (!patch) {
    const { caught, what } = await runTest(ground, copy, url);
    return { bug, ground, ok: caught === false, what };
  }
  const path = `${copy}/${patch.file}`;
  const source = await Deno.readTextFile(path);
  const fits = source.split(patch.find).length - 1;
  if (fits !== 1) {
    const what = `the patch of ${patch.file} fits ${fits} times: ${JSON.stringify(patch.find)}`;
    return { bug, ground, ok: false, what };
  }
  try {
    await Deno.writeTextFile(path, source.replace(patch.find, () => patch.replace));
    const { caught, what } = await runTest(ground, copy, url);
    return { bug, ground, ok: caught === true, what };
  } finally {
    await Deno.writeTextFile(path, source);
  }
}

/** Runs what is to find it; `caught` is undefined when it neither passed nor found anything. */
async function runTest(
  ground: Ground,
  copy: string,
  url: string,
): Promise<{ readonly caught?: boolean; readonly what: string }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: argsOf(ground),
    cwd: copy,
    env: {
      NO_COLOR: "1",
      REDIS_URL: url,
      ...ground !== "simulator" &&
        { DOCKET_SEED: "1", DOCKET_RUNS: `${grounds[ground]}`, DOCKET_SHRINK: "no" },
    },
    stdin: "null",
    signal: AbortSignal.timeout(patience),
  }).output();
  const text = new TextDecoder();
  const output = text.decode(stdout) + text.decode(stderr);
  if (success) {
    const passed = /^ok \| 1 passed|every promise was kept$/m.test(output);
    const what = passed ? `green in ${grounds[ground]} runs` : `no test ran: ${output}`;
    return { caught: passed ? false : undefined, what };
  }
  const [, run, replay, first] = output.match(/run (\d+); replay with DOCKET_SEED=(\S+)\n(.*)/) ??
    [];
  // Lua that does not compile would be "caught" too.
  if (!run || /compiling script|SyntaxError/.test(output)) return { what: `broken: ${output}` };
  return { caught: true, what: `run ${run}, seed ${replay}: ${first.slice(0, 70)}` };
}

/** A planted bug may leave a variable without a reader, or a condition that is never true: nothing is checked. */
function argsOf(ground: Ground): string[] {
  if (ground !== "simulator") {
    return ["test", "-A", "--no-check", "--filter", `(${ground})`, "tests/model/model_test.ts"];
  }
  return ["run", "-A", "--no-check", "chaos/simulator/main.ts", "--seeds", `${grounds[ground]}`];
}

function report({ bug, ground, ok, what }: Finding): void {
  const verdict = bug === "none" ? ok ? "green" : "RED" : ok ? "caught" : "MISSED";
  console.log(`${bug.padEnd(60)} ${ground.padEnd(9)} ${verdict.padEnd(6)} ${what}`);
}

async function copyTree(from: URL, to: string): Promise<void> {
  const { isDirectory } = await Deno.stat(from);
  if (!isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) {
    await copyTree(
      new URL(`${from.href.replace(/\/$/, "")}/${encodeURIComponent(name)}`),
      `${to}/${name}`,
    );
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
