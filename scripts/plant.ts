/**
 * Plants bugs in a copy of the sources, one at a time, and checks that the model test goes red for each, on the storage
 * where it was planted, and stays green without. `deno run -A scripts/plant.ts [words of a bug's name]`.
 *
 * It exits with 1 when a bug is not caught, when a patch does not fit the sources any more, or when the test is red
 * without any.
 *
 * @module
 */
import { bugs } from "./plants/bugs.ts";
import { gateBugs } from "./plants/gates.ts";
import type { Bug, Patch } from "./plants/plant.ts";
import { startRedis } from "./redis.ts";

const root = new URL("../", import.meta.url);

/** What the model test needs. */
const parts = ["deno.json", "deno.lock", "mod.ts", "src", "scripts", "tests"];

/** On each storage, how many sequences are tried before a bug counts as missed. */
const storages = { memory: 10_000, redis: 2_000 } as const;
type StorageName = keyof typeof storages;

/** Longer than any test takes, also on a busy machine: one that does hangs. */
const patience = 600_000;

interface Finding {
  readonly bug: string;
  readonly storage: StorageName;
  /** Whether all is as it should be. */
  readonly ok: boolean;
  readonly what: string;
}

async function main(words: readonly string[]): Promise<number> {
  const chosen = [...bugs, ...gateBugs].filter(({ name }) =>
    words.every((word) => name.includes(word))
  );
  await using redis = await startRedis();
  const findings = await Promise.all([
    survey("memory", chosen, redis.url),
    survey("redis", chosen, redis.url),
  ]);
  const failed = findings.flat().filter(({ ok }) => !ok);
  console.log(`${findings.flat().length - failed.length} as they should be, ${failed.length} not`);
  return failed.length > 0 || chosen.length === 0 ? 1 : 0;
}

/** All bugs on one storage, in a copy of the sources. */
async function survey(
  storage: StorageName,
  chosen: readonly Bug[],
  url: string,
): Promise<Finding[]> {
  const copy = await Deno.makeTempDir({ prefix: "docket_plant_" });
  try {
    for (const part of parts) await copyTree(new URL(part, root), `${copy}/${part}`);
    const findings = [await look(storage, "none", undefined, copy, url)];
    report(findings[0]);
    for (const bug of chosen) {
      const patch = bug[storage];
      if (!patch) continue;
      const finding = await look(storage, bug.name, patch, copy, url);
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
  storage: StorageName,
  bug: string,
  patch: Patch | undefined,
  copy: string,
  url: string,
): Promise<Finding> {
  if (!patch) {
    const { caught, what } = await runTest(storage, copy, url);
    return { bug, storage, ok: caught === false, what };
  }
  const path = `${copy}/${patch.file}`;
  const source = await Deno.readTextFile(path);
  const fits = source.split(patch.find).length - 1;
  if (fits !== 1) {
    const what = `the patch of ${patch.file} fits ${fits} times: ${JSON.stringify(patch.find)}`;
    return { bug, storage, ok: false, what };
  }
  try {
    await Deno.writeTextFile(path, source.replace(patch.find, () => patch.replace));
    const { caught, what } = await runTest(storage, copy, url);
    return { bug, storage, ok: caught === true, what };
  } finally {
    await Deno.writeTextFile(path, source);
  }
}

/** Runs the model test; `caught` is undefined when it neither passed nor found a disagreement. */
async function runTest(
  storage: StorageName,
  copy: string,
  url: string,
): Promise<{ readonly caught?: boolean; readonly what: string }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // A planted bug may leave a variable without a reader, or a condition that is never true.
    args: ["test", "-A", "--no-check", "--filter", `(${storage})`, "tests/model/model_test.ts"],
    cwd: copy,
    env: {
      NO_COLOR: "1",
      REDIS_URL: url,
      DOCKET_SEED: "1",
      DOCKET_RUNS: `${storages[storage]}`,
      DOCKET_SHRINK: "no",
    },
    stdin: "null",
    signal: AbortSignal.timeout(patience),
  }).output();
  const text = new TextDecoder();
  const output = text.decode(stdout) + text.decode(stderr);
  if (success) {
    const passed = /^ok \| 1 passed/m.test(output);
    const what = passed ? `green in ${storages[storage]} runs` : `no test ran: ${output}`;
    return { caught: passed ? false : undefined, what };
  }
  const [, run, replay, first] = output.match(/run (\d+); replay with DOCKET_SEED=(\S+)\n(.*)/) ??
    [];
  // Lua that does not compile would be "caught" too.
  if (!run || /compiling script|SyntaxError/.test(output)) return { what: `broken: ${output}` };
  return { caught: true, what: `run ${run}, seed ${replay}: ${first.slice(0, 70)}` };
}

function report({ bug, storage, ok, what }: Finding): void {
  const verdict = bug === "none" ? ok ? "green" : "RED" : ok ? "caught" : "MISSED";
  console.log(`${bug.padEnd(60)} ${storage.padEnd(6)} ${verdict.padEnd(6)} ${what}`);
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
