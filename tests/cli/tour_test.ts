/**
 * The README's tour of the command line does what it shows.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Docket } from "../../mod.ts";
import { randomId } from "../../src/base/ids.ts";
import { assertNoLeaks } from "../_leaks.ts";

const root = new URL("../../", import.meta.url);
const cli = fileURLToPath(new URL("cli.ts", root));

/** A command as it is typed, and what it prints. */
interface Step {
  readonly command: string;
  readonly printed: string[];
}

test("The README's tour prints what the README says", async () => {
  const url = process.env.REDIS_URL;
  ok(url, "REDIS_URL is not set: `deno task test` does that");
  const name = `tour-${randomId()}`;
  const [exported, ...steps] = readTour(await Deno.readTextFile(new URL("README.md", root)));
  ok(exported.command.startsWith("export ") && steps.length > 10);

  for (const { command, printed } of steps) {
    const output: string = await run(command, { DOCKET_URL: url, DOCKET_NAME: name });

    const shown: string = output.replaceAll(name, "tour")
      .replaceAll(url, "redis://localhost:6379/0")
      .replaceAll(root.href, "file:///…/");
    deepEqual(shown.trimEnd().split("\n").map(timeless), printed.map(timeless), command);
  }

  await using docket = await Docket.connect({ url, name });
  await docket.restore({ task: "charge", parameter: "order", value: 42 });
  await docket.clear();
  await assertNoLeaks(url, name);
});

function readTour(readme: string): Step[] {
  const [, text = ""] = /```console\n([\s\S]*?)```/.exec(readme) ?? [];
  const steps: Step[] = [];
  for (const line of text.trimEnd().split("\n")) {
    if (line.startsWith("$ ")) steps.push({ command: line.slice(2), printed: [] });
    else steps.at(-1)?.printed.push(line);
  }
  return steps;
}

async function run(command: string, env: Record<string, string>): Promise<string> {
  const docket = `docket() { '${Deno.execPath()}' run -A '${cli}' "$@"; }`;
  const { code, stdout } = await new Deno.Command("sh", {
    args: ["-c", `${docket}; ${command} 2>&1`],
    cwd: fileURLToPath(root),
    env,
    stdin: "null",
  }).output();
  const output = new TextDecoder().decode(stdout);
  equal(code, 0, `${command}: ${output}`);
  return output;
}

/** Without what differs each time: instants, spans, and the widths of columns that hold them. */
function timeless(line: string): string {
  return line
    .replace(/^\d{4}-\d{2}-\d{2}T[\d:.]+Z/, "<instant>")
    .replaceAll(/\bin \d+[hms]( \d+[ms])?/g, "in <span>")
    .replaceAll(/\b[\d.]+m?s ago|\bnow\b/g, "<just now>")
    .replaceAll(/\b\d+ ms\b/g, "<span>")
    .replaceAll(/ {2,}/g, "  ");
}
