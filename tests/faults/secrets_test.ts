/**
 * F48: a password is in nothing that the library gives away, whatever fails: errors with all that hangs on them, logs with
 * their fields, spans, what a storage says of itself, and what `ps` shows. The command line's own tests are in
 * `tests/cli/secrets_test.ts` and `tests/cli/unreachable_test.ts`.
 *
 * @module
 */

import { match, ok, strictEqual as equal } from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import process from "node:process";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import { Redis } from "ioredis";
import { freePort, type OwnRedis, startRedis } from "../../scripts/redis.ts";
import { ConnectionError, Docket, type DocketOptions, Worker } from "../../mod.ts";
import { internalsOf } from "../../src/docket/internals.ts";
import { captureLogs } from "../_logs.ts";
import { captureSpans } from "../_telemetry.ts";

/** As it is, and as a URL writes it. */
const CANARY = "canary/pass word";
const WRITTEN = encodeURIComponent(CANARY);

const logged = captureLogs("debug");
const spans = captureSpans();

let server: OwnRedis;

before(async () => {
  server = await startRedis({ args: ["--requirepass", CANARY, "--databases", "2"] });
});

after(() => server[Symbol.asyncDispose]());

function greet(): string {
  return "hello";
}

/** How a connection can fail, with the password in the URL or in an option. */
const FAILURES: Readonly<Record<string, () => Promise<DocketOptions>>> = {
  "that nobody listens for": async () => ({ url: urlOf(await freePort()) }),
  "whose password is wrong": () => Promise.resolve({ url: urlOf(server.port, `${WRITTEN}-not`) }),
  "whose password is wrong in an option": () =>
    Promise.resolve({ url: bare(), redis: { password: `${CANARY}-not` } }),
  "whose user is not known": () =>
    Promise.resolve({ url: `redis://${WRITTEN}:${WRITTEN}@127.0.0.1:${server.port}` }),
  "whose database there is not": () => Promise.resolve({ url: `${urlOf(server.port)}/7` }),
  "whose database is no number": () => Promise.resolve({ url: `${urlOf(server.port)}/${WRITTEN}` }),
  "that cannot be parsed": () => Promise.resolve({ url: `redis://:${WRITTEN}@host:port` }),
  "of no known scheme": () => Promise.resolve({ url: `amqp://:${WRITTEN}@host/${WRITTEN}` }),
  "where TLS is not spoken": () =>
    Promise.resolve({ url: urlOf(server.port).replace("redis:", "rediss:") }),
  "whose host there is not": () => Promise.resolve({ url: `redis://:${WRITTEN}@nowhere.invalid` }),
  "with an option that does not exist": () =>
    Promise.resolve({ url: urlOf(server.port), pasword: CANARY } as DocketOptions),
};

for (const [what, options] of Object.entries(FAILURES)) {
  test(`F48 a URL ${what} fails without a word of its password`, async () => {
    const given = await options();
    const error = await Docket.connect({ connectTimeout: "2s", commandTimeout: "1s", ...given })
      .then(() => undefined, (error) => error);

    ok(error instanceof Error, "it did not fail");
    expectNoSecret(everythingOf(error));
    expectNoSecret(everythingOf(logged));
  });
}

test("F48 a server that repeats the password has it repeated no further", async () => {
  const echo = createServer((socket) => {
    socket.on("data", (bytes) => socket.write(`-ERR ${`${bytes}`.replaceAll(/\s+/g, " ")}\r\n`));
    socket.on("error", () => {});
  });
  const port = await freePort();
  await new Promise<void>((resolve) => echo.listen(port, "127.0.0.1", resolve));
  try {
    const error = await Docket.connect({ url: urlOf(port), connectTimeout: "1s" })
      .then(() => undefined, (error) => error);

    ok(error instanceof ConnectionError, String(error));
    expectNoSecret(everythingOf(error));
    expectNoSecret(everythingOf(logged));
  } finally {
    echo.close();
  }
});

test("F48 a docket at work shows its password in no log, span, record or description", async () => {
  const url = urlOf(server.port);
  const admin = new Redis(server.socket, { password: CANARY, protocol: 2 });
  await using docket = await Docket.connect({ url, name: "quiet", tasks: [greet] });
  const execution = await docket.add(greet)();
  await using worker = new Worker(docket);
  const run = worker.runForever();
  equal(await execution.result(), "hello");
  await admin.call("CLIENT", ["KILL", "TYPE", "normal"]); // so that it has something to tell
  await docket.add(greet, { key: "again" })();
  const { storage } = internalsOf(docket);
  const examined = await storage.examine();
  const told = [docket, execution, worker, storage.url, await docket.snapshot(), examined];
  await worker.close();
  await run;
  const clients = await admin.call("CLIENT", "LIST");
  admin.disconnect();

  ok(logged.length > 0);
  ok(spans().length > 0);
  expectNoSecret(everythingOf(told.map((one) => inspect(one, { depth: 6 }))));
  expectNoSecret(everythingOf([logged, clients]));
  for (const { name, attributes, events, status } of spans()) {
    expectNoSecret(everythingOf({ name, attributes, events, status }));
    equal(attributes["db.connection_string"], undefined);
  }
});

test("F48 a worker's process shows no password to ps where its URL is in the environment", {
  skip: process.platform !== "linux",
}, async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("../../cli.ts", import.meta.url).pathname, "worker"],
    env: { DOCKET_URL: urlOf(server.port), DOCKET_NAME: "shown" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  try {
    const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
    let said = "";
    while (!said.includes("Working on")) said += (await reader.read()).value ?? "";
    const shown = await readFile(`/proc/${child.pid}/cmdline`, "utf8") +
      await readFile(`/proc/${child.pid}/comm`, "utf8");

    match(shown, /worker/);
    expectNoSecret(shown + said);
    child.kill("SIGTERM");
    for (let rest; !(rest = await reader.read()).done;) expectNoSecret(rest.value);
    equal((await child.status).code, 0);
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended, as it should.
    }
    await child.status;
  }
});

function urlOf(port: number, password = WRITTEN): string {
  return `redis://:${password}@127.0.0.1:${port}`;
}

function bare(): string {
  return `redis://127.0.0.1:${server.port}`;
}

/** Also what nobody is shown, such as causes, fields and properties of their own. */
function everythingOf(value: unknown): string {
  return inspect(value, {
    depth: 20,
    showHidden: true,
    maxArrayLength: null,
    maxStringLength: null,
  });
}

function expectNoSecret(text: string): void {
  const at = text.search(/canary/i);
  ok(at < 0, text.slice(Math.max(0, at - 300), at + 100));
}
