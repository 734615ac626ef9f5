/**
 * F49: who abuses the port of metrics and health costs little, and keeps nobody else from an answer. What it answers, to
 * whom, and on which address is tested in `tests/cli/metrics_test.ts`.
 *
 * @module
 */

import { match, ok, strictEqual as equal } from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { serve } from "../../src/cli/http.ts";

const PAGE = { status: 200, type: "text/plain", text: "well\n" };

/** The slowest may take 5 seconds, and is looked for once a second. */
const CUT_OFF = 15_000;

const ASK = "GET /page HTTP/1.1\r\nHost: localhost\r\n";

test("F49 headers of a megabyte are refused, in one or in many, and others are answered", async () => {
  await using served = await open();
  for (
    const header of [
      `A: ${"a".repeat(1_000_000)}\r\n`,
      "A: a\r\n".repeat(170_000),
      `Cookie: ${"a=b; ".repeat(200_000)}\r\n`,
    ]
  ) {
    const answer = await say(served.url, `${ASK}${header}\r\n`);

    ok(!answer.startsWith("HTTP/1.1 200"), answer.slice(0, 100));
    equal(await statusOf(served.url), 200);
  }
  const path = await say(served.url, `GET /${"a".repeat(1_000_000)} HTTP/1.1\r\n\r\n`);
  ok(!path.startsWith("HTTP/1.1 200"), path.slice(0, 100));
  equal(await statusOf(served.url), 200);
});

test("F49 whoever sends byte after byte is cut off, however many they are", async () => {
  await using served = await open();
  const slow = Array.from({ length: 80 }, () => new Drip(served.url));
  const began = performance.now();

  await Promise.all(slow.map((drip) => drip.over));

  const took = performance.now() - began;
  ok(took < CUT_OFF, `it took ${took} ms`);
  equal(slow.filter((drip) => drip.answer.startsWith("HTTP/1.1 200")).length, 0);
  equal(await statusOf(served.url), 200);
});

test("F49 whatever is sent, the next one who asks is answered", async () => {
  await using served = await open();
  const line = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.constantFrom("GET", "HEAD", " /page", " HTTP/1.1", " HTTP/9.9", "\r\n", "\r\n\r\n", ":"),
    fc.constantFrom("Host: localhost", "Transfer-Encoding: chunked", "Content-Length: -1"),
    fc.constantFrom("Expect: 100-continue", "Upgrade: websocket", "Connection: Upgrade", "\0"),
  );
  const sent = fc.array(line, { maxLength: 12 }).map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(sent, async (text) => {
      await say(served.url, text, true);
      equal(await statusOf(served.url), 200);
    }),
    { numRuns: 15 },
  );
});

test("F49 a page of another origin reads nothing under a name of its own", async () => {
  await using served = await open();
  const { port } = new URL(served.url);
  for (
    const host of [
      "evil.example",
      `evil.example:${port}`,
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "evil.example:localhost",
      "",
      "localhost@evil.example",
    ]
  ) {
    const answer = await say(served.url, `GET /page HTTP/1.1\r\nHost: ${host}\r\n\r\n`);

    match(answer, /^HTTP\/1\.1 40[03] /, host);
    ok(!answer.includes(PAGE.text));
  }
  for (const host of ["localhost", `LOCALHOST:${port}`, `127.0.0.1:${port}`, "[::1]"]) {
    const ask = `GET /page HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    match(await say(served.url, ask), /^HTTP\/1\.1 200 /, host);
  }
});

function open(): ReturnType<typeof serve> {
  return serve({ host: "127.0.0.1", port: 0, pages: { "/page": () => PAGE } });
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(`${url}/page`, { headers: { connection: "close" } });
  await response.body?.cancel();
  return response.status;
}

/** Sends some text, and gives all that is answered before the server closes; with `leaves`, goes away soon. */
function say(url: string, text: string, leaves = false): Promise<string> {
  const socket = connectTo(url);
  let answer = "";
  return new Promise((resolve) => {
    socket.on("data", (bytes) => answer += bytes);
    socket.on("error", () => {}); // cut off while it was sending
    socket.on("close", () => resolve(answer));
    socket.write(text, () => leaves && setTimeout(() => socket.destroy(), 20));
  });
}

/** Asks as slowly as it may. */
class Drip {
  /** Resolves when it was cut off. */
  readonly over: Promise<void>;
  answer = "";

  constructor(url: string) {
    const socket = connectTo(url);
    const timer = setInterval(() => socket.write("A: a\r\n"), 200);
    socket.on("data", (bytes) => this.answer += bytes);
    socket.on("error", () => {});
    this.over = new Promise((resolve) =>
      socket.on("close", () => {
        clearInterval(timer);
        resolve();
      })
    );
    socket.write(ASK);
  }
}

function connectTo(url: string): Socket {
  const { hostname, port } = new URL(url);
  return connect(Number(port), hostname);
}
