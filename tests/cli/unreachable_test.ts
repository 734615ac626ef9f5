/**
 * What commands say when the server is not there, or does not answer as one: exit code 1, soon, and no secret (F48).
 *
 * @module
 */

import { match, ok, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import { startRedis } from "../../scripts/redis.ts";
import { complaintOf, forEach, nameOf, type Output, PIPED, run } from "./_docket.ts";

/** A password that nothing may print, in its two forms. */
const CANARY = "canary%2Fpassword";

/** Longer, nobody needs to wait. */
const SOON = 10_000;

test("docket … exits with 1 where nothing listens, and names the URL without its password", async () => {
  const port = closedPort();
  await forEach(PIPED, async (command) => {
    const output = await run(command, {
      env: { DOCKET_URL: `redis://user:${CANARY}@127.0.0.1:${port}/0?password=${CANARY}` },
    });

    const url = `redis://***@127.0.0.1:${port}/0`;
    ok(complaintOf(output).startsWith(`Cannot connect: ${url}: `), output.stderr);
    expectNoCanary(output);
  });
});

test("docket … exits with 1 when the password is wrong", async () => {
  await using server = await startRedis({ args: ["--requirepass", "another"] });
  await forEach(PIPED, async (command) => {
    const output = await run(command, {
      env: { DOCKET_URL: `redis://:${CANARY}@127.0.0.1:${server.port}` },
    });

    match(complaintOf(output), /^Cannot connect: redis:\/\/\*\*\*@127\.0\.0\.1:\d+: WRONGPASS /);
    expectNoCanary(output);
  });
  const output = await run(["snapshot"], { env: { DOCKET_URL: server.url } });
  match(complaintOf(output), /^Cannot connect: redis:\/\/127\.0\.0\.1:\d+\/0: NOAUTH /);
});

test("docket … works with the right password, and prints it nowhere", async () => {
  await using server = await startRedis({
    args: ["--requirepass", decodeURIComponent(CANARY)],
  });
  const env = {
    DOCKET_URL: `redis://:${CANARY}@127.0.0.1:${server.port}`,
    DOCKET_LOGGING_LEVEL: "debug",
  };
  await forEach(PIPED, async (command) => {
    const name = nameOf(command).join(" ");
    const output = await run(command, { env: { ...env, DOCKET_NAME: name.replace(" ", "-") } });

    const findsNothing = ["watch", "cancel", "restore", "workers for-task"].includes(name);
    equal(output.code, findsNothing ? 1 : 0, `${command}: ${output.stderr}`);
    expectNoCanary(output);
  });
  const worker = await run(["worker", "--until-finished"], {
    env: { ...env, DOCKET_NAME: "tasks-fail" },
  });
  match(worker.stderr, /: Howdy!$/m);
  expectNoCanary(worker);
});

test("docket … gives up soon where nobody answers, and where TLS is not spoken", async () => {
  await using server = await startRedis();
  using silent = listen();
  const urls = {
    silent: `redis://:${CANARY}@127.0.0.1:${silent.addr.port}`,
    tls: `rediss://:${CANARY}@127.0.0.1:${server.port}`,
  };
  await Promise.all(
    Object.values(urls).flatMap((url) =>
      [["snapshot"], ["worker", "--until-finished"]].map(async (command) => {
        const start = performance.now();
        const output = await run(command, { env: { DOCKET_URL: url } });

        ok(performance.now() - start < SOON);
        match(complaintOf(output), /^Cannot connect: rediss?:\/\/\*\*\*@127\.0\.0\.1:\d+: \S/);
        expectNoCanary(output);
      })
    ),
  );
});

/** A port on which nothing listens. */
function closedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Accepts connections, and says nothing. */
function listen(): Deno.TcpListener {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  void (async () => {
    const connections: Deno.TcpConn[] = [];
    for await (const connection of listener) connections.push(connection);
    for (const connection of connections) connection.close();
  })();
  return listener;
}

function expectNoCanary({ stdout, stderr }: Output): void {
  ok(!/canary/i.test(stdout + stderr), stdout + stderr);
}
