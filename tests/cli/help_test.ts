/**
 * `docket help`, `docket version` and `docket completion`: what can be known without a server.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, match, ok, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import config from "../../deno.json" with { type: "json" };
import { VERSION } from "../../src/cli/version.ts";
import { cliTest, COMMANDS, forEach, nameOf, read, refusalOf, run } from "./_docket.ts";

test("VERSION is that of deno.json", () => equal(VERSION, config.version));

test("docket … -h is docket … --help", async () => {
  for (const name of [[], ["add"], ["failed", "ls"]]) {
    const [short, long] = [await run([...name, "-h"]), await run([...name, "--help"])];

    equal(short.code, 0);
    equal(short.stdout, long.stdout);
  }
});

test("docket --version and docket version print the version", async () => {
  for (const args of [["--version"], ["version"]]) {
    deepEqual(await run(args), { code: 0, stdout: `${VERSION}\n`, stderr: "" });
  }
});

test("docket --help and docket help list every command", async () => {
  const flag = await run(["--help"]);

  deepEqual(await run(["help"]), flag);
  deepEqual([flag.code, flag.stderr], [0, ""]);
  const [, ...listed] = flag.stdout.split("\n\n");
  const names = [...listed.join("\n").matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map(([, name]) => name);
  const own = [...new Set(COMMANDS.map(([name]) => name))];
  deepEqual(names, [...own, "help", "version", "completion"]);
});

test("docket … --help explains every command, as docket help … does", async () => {
  await forEach(COMMANDS, async (command) => {
    const name = nameOf(command);
    const { code, stdout, stderr } = await run([...name, "--help"]);

    deepEqual([code, stderr], [0, ""]);
    match(stdout, new RegExp(`^Usage: docket ${name.join(" ")} `, "m"));
    match(stdout, /^ {2}--docket NAME .*\[default docket; DOCKET_NAME\]$/m);
    match(stdout, /^ {2}--url URL .*\[default redis:\/\/localhost:6379\/0; DOCKET_URL\]$/m);
  });
  for (const name of [["worker"], ["failed", "ls"]]) {
    deepEqual(await run(["help", ...name]), await run([...name, "--help"]));
  }
});

test("docket help worker tells the variable of each option", async () => {
  const { stdout } = await run(["help", "worker"]);

  const options = stdout.split("\n").filter((line) => line.startsWith("  --"));
  equal(options.length, 21);
  for (const option of options) match(option, /\[(default \S+; )?DOCKET_[A-Z_]+\]$/);
});

cliTest("docket --help is coloured in a terminal, and not with NO_COLOR", async (scene) => {
  const [colored, plain] = [{}, { NO_COLOR: "1" }].map((env) =>
    scene.terminal(["--help"], { env })
  );

  equal(await colored.ends(), 0);
  equal(await plain.ends(), 0);
  ok(helpIn(colored.output).includes("\x1b["));
  ok(!helpIn(plain.output).includes("\x1b"));
});

for (const shell of ["bash", "zsh", "fish", "pwsh", "nu"]) {
  test(`docket completion ${shell} gives a script`, async () => {
    const { code, stdout, stderr } = await read(["completion", shell]);

    deepEqual([code, stderr], [0, ""]);
    ok(stdout.split("\n").length > 5);
    ok(stdout.includes("docket"));
  });
}

test("docket completion bash gives a script that bash takes, and that completes", async () => {
  const { stdout } = await read(["completion", "bash"]);
  const { code, stdout: checked, stderr } = await new Deno.Command("bash", {
    args: ["-c", `${stdout}\ncomplete -p docket`],
    stdin: "null",
  }).output();

  const text = new TextDecoder();
  equal(code, 0, text.decode(stderr));
  match(text.decode(checked), /^complete .* docket$/m);
  match((await read(["completion", "bash", "work"])).stdout, /^workers?$/m);
});

for (
  const [args, reason] of [
    [[], /^Give a command, such as worker$/],
    [["nope"], /`nope`/],
    [["failed"], /^Give a command: failed ls, failed retry, failed rm$/],
    [["dead"], /^Give a command: dead ls, dead requeue, dead rm$/],
    [["tasks"], /^Give a command: tasks trace, tasks fail, tasks sleep$/],
    [["workers"], /^Give a command: workers ls, workers for-task$/],
    [["failed", "nope"], /`nope`/],
    [["help", "nope"], /nope/],
    [["completion"], /shell/],
    [["completion", "tcsh"], /"tcsh".*"bash".*"fish".*"nu".*"pwsh".*"zsh"/],
    [["snapshot", "--jsn"], /"--jsn"\. Did you mean `--json`\?/],
    [["snapshot", "extra"], /"extra"/],
    [["snapshot", "--limit", "0"], /`--limit`.*"0"/],
    [["snapshot", "--limit"], /--limit/],
    [["worker", "--bogus"], /"--bogus"/],
    [["add", "move", "-5"], /"-5"\. Put -- before negative numbers\.$/],
    [["add", "move", "--key", ""], /^Cannot use an empty key/],
    [["cancel"], /`KEY`/],
    [["cancel", "a", "b"], /"b"/],
    [["snapshot", "\x1b[31mred"], /\\u001b\[31mred/],
  ] as const
) {
  test(`docket ${args.join(" ")} is refused`.replaceAll("\x1b", "␛"), async () => {
    match(refusalOf(await run(args)), reason);
  });
}

/** From where the help begins: before, Deno clears its own line. */
function helpIn(output: string): string {
  return output.slice(output.indexOf("Distributed"));
}
