/**
 * F48: a password appears in no output, wherever it was written (invariant 85).
 *
 * @module
 */

import { doesNotMatch, match, ok, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { startRedis } from "../../scripts/redis.ts";
import { COMMANDS, forEach, nameOf, type Output, read, refusalOf, run } from "./_docket.ts";

const PASSWORD = "canary";
const SECRET = `redis://user:${PASSWORD}@127.0.0.1:1/0`;

test("docket … --help shows nothing of the environment", async () => {
  await forEach([[], ...COMMANDS.map(nameOf)], async (name) => {
    const output = await run([...name, "--help"], { env: { DOCKET_URL: SECRET } });

    equal(output.code, 0);
    expectNoSecret(output);
  });
  for (
    const args of [["version"], ["completion", "bash"], ["completion", "fish", "snapshot", ""]]
  ) {
    const output = await read(args, { env: { DOCKET_URL: SECRET, DOCKET_NAME: SECRET } });
    equal(output.code, 0);
    expectNoSecret(output);
  }
});

for (
  const url of [
    `redis://:${PASSWORD}@host:port/0`, // cannot be parsed
    `//:${PASSWORD}@host`,
    `${PASSWORD}`,
    `redis://:${PASSWORD}@`,
    `redis:/:${PASSWORD}@host`, // one slash is missing, or both: it is a path then
    `redis:${PASSWORD}@host`,
    `http://user:${PASSWORD}@host/${PASSWORD}?${PASSWORD}`, // of no scheme that is known
    `memory://:${PASSWORD}@host`,
    `redis+cluster://:${PASSWORD}@127.0.0.1:1,127.0.0.1:2/`, // nobody is there
    `redis+cluster://:${PASSWORD}@127.0.0.1:1,127.0.0.1:2/5`,
    `redis+cluster://:${PASSWORD}/127.0.0.1:1,127.0.0.1:2`,
    `redis+sentinel://:${PASSWORD}@127.0.0.1:1,127.0.0.1:2`,
    `rediss+sentinel://127.0.0.1:1/main?sentinelPassword=${PASSWORD}`,
  ]
) {
  test(`docket snapshot of ${url} is refused without a word of it`, async () => {
    for (const given of [{ DOCKET_URL: url }, undefined]) {
      const args = given ? ["snapshot"] : ["snapshot", "--url", url];
      const output = await run(args, { env: given });

      ok([1, 2].includes(output.code), output.stderr);
      expectNoSecret(output);
    }
  });
}

test("A URL where none belongs is not repeated with its password", async () => {
  for (
    const args of [
      [SECRET],
      ["snapshot", SECRET],
      ["snapshot", `--ulr=${SECRET}`],
      ["snapshot", "--limit", SECRET],
      ["snapshot", "--docket", SECRET],
      ["worker", "--tasks", SECRET],
      ["worker", "--until-finished", "--url", "memory://", "--name", `|${SECRET}`],
      ["help", SECRET],
      ["completion", SECRET],
    ]
  ) {
    const output = await run(args);

    ok([1, 2].includes(output.code), output.stderr);
    expectNoSecret(output);
  }
  const name = await run(["snapshot"], { env: { DOCKET_NAME: SECRET } });
  match(refusalOf(name), /docket's name/);
  expectNoSecret(name);
});

test("A password in --url is warned of, as ps shows it; one in DOCKET_URL is not", async () => {
  await using server = await startRedis({ args: ["--requirepass", PASSWORD] });
  const url = `redis://:${PASSWORD}@127.0.0.1:${server.port}`;
  const warning = /^Warning: --url has a password, which ps shows to everybody: set DOCKET_URL$/m;

  for (const command of [["snapshot"], ["worker", "--until-finished"]]) {
    const flag = await run([...command, `--url=${url}`]);
    const variable = await run(command, { env: { DOCKET_URL: url } });

    equal(flag.code + variable.code, 0);
    match(flag.stderr, warning);
    doesNotMatch(variable.stderr, warning);
    for (const output of [flag, variable]) expectNoSecret(output);
  }
  const user = await run(["snapshot", "--url", "redis://user@127.0.0.1:1"]);
  doesNotMatch(user.stderr, warning);
  for (
    const url of [
      `redis+cluster://:${PASSWORD}@127.0.0.1:1,127.0.0.1:2/`,
      `redis+sentinel://127.0.0.1:1,127.0.0.1:2/main?sentinelPassword=${PASSWORD}`,
    ]
  ) {
    match((await run(["snapshot", "--url", url])).stderr, warning);
  }
});

function expectNoSecret({ stdout, stderr }: Output): void {
  ok(!/canary/i.test(stdout + stderr), stdout + stderr);
}
