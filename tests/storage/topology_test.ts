/**
 * Who is asked where a docket is, when some of those who could know are wrong: servers that say what a test has them say.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, rejects, strictEqual as equal } from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { perHost } from "../../src/base/hosts.ts";
import { readAddress } from "../../src/storage/redis/address.ts";
import { Client } from "../../src/storage/redis/client.ts";
import { Cluster } from "../../src/storage/redis/cluster.ts";
import { Connection } from "../../src/storage/redis/connection.ts";
import { keysOf } from "../../src/storage/redis/keys.ts";
import { Sentinels } from "../../src/storage/redis/sentinels.ts";
import { Lonely, type Topology } from "../../src/storage/redis/topology.ts";

/** More tries than there are servers. */
const TRIES = 5;

/** A server that answers each command as told, given its words in lower case; else with OK. */
class Oracle implements AsyncDisposable {
  asked = 0;
  readonly #server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      for (const command of `${bytes}`.split(/(?=^\*\d+\r\n)/m)) {
        const answer = this.#answer(command.toLowerCase());
        if (answer !== undefined) this.asked++;
        socket.write(answer ?? "+OK\r\n");
      }
    });
  });
  readonly #answer: (command: string) => string | undefined;

  constructor(answer: (command: string) => string | undefined) {
    this.#answer = answer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async open(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => void this.#server.close(() => resolve()));
  }
}

const MASTER = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

/** A sentinel that names this port. */
function naming(port: number): Promise<Oracle> {
  return new Oracle((command) =>
    command.includes("get-master-addr") ? `*2\r\n${bulk("127.0.0.1")}${bulk(`${port}`)}` : undefined
  ).open();
}

/** A node that says that this port has all slots, in so many ranges. */
function mapping(port: () => number, ranges = 1): Promise<Oracle> {
  const size = Math.floor(16_384 / ranges);
  return new Oracle((command) => {
    if (!command.includes("slots")) return undefined;
    const each = Array.from({ length: ranges }, (_, n) => {
      const last = n === ranges - 1 ? 16_383 : (n + 1) * size - 1;
      return `*3\r\n:${n * size}\r\n:${last}\r\n*2\r\n${bulk("127.0.0.1")}:${port()}\r\n`;
    });
    return `*${ranges}\r\n${each.join("")}`;
  }).open();
}

async function master(): Promise<Oracle> {
  return await new Oracle((command) => command.includes("role") ? MASTER : undefined).open();
}

/** A port where nobody listens. */
async function deadPort(): Promise<number> {
  await using oracle = await master();
  return oracle.port;
}

function listOf(oracles: readonly Oracle[]): string {
  return oracles.map(({ port }) => `127.0.0.1:${port}`).join(",");
}

function connecting(topology: Topology): Connection {
  return new Connection({ topology, clock: systemClock, connectTimeout: 2_000, onLost() {} });
}

/** After how many tries it is connected. */
async function triesOf(topology: Topology): Promise<number> {
  const connection = connecting(topology);
  try {
    for (let tries = 1; tries <= TRIES; tries++) {
      if (await connection.ready().then(() => true, () => false)) return tries;
    }
    return Infinity;
  } finally {
    connection.close();
  }
}

test("Sentinels asks another when the one that answers first names a server that is gone", async () => {
  await using server = await master();
  await using stale = await naming(await deadPort());
  await using other = await naming(server.port);
  const urls = perHost(`redis+sentinel://${listOf([stale, other])}/main`)!;

  equal(await triesOf(new Sentinels(readAddress(urls), systemClock)), 2);
});

test("Cluster asks another when the node that answers first names an owner that is gone", async () => {
  await using server = await master();
  const gone = await deadPort();
  await using stale = await mapping(() => gone);
  await using other = await mapping(() => server.port);
  const urls = perHost(`redis+cluster://${listOf([stale, other])}/`)!;

  equal(await triesOf(new Cluster(readAddress(urls), "docket", systemClock)), 2);
});

test("Cluster asks a node once, however many ranges of slots it has", async () => {
  const gone = await deadPort();
  await using node = await mapping(() => gone, 300);
  const urls = perHost(`redis+cluster://${listOf([node])}/`)!;
  const cluster = new Cluster(readAddress(urls), "docket", systemClock);
  const { signal } = new AbortController();
  cluster.doubt(await cluster.find(signal));
  const before = node.asked;

  await cluster.find(signal);

  equal(node.asked, before + 1);
});

test("Connection gives up a try that leads elsewhere when it hears where the docket is", async () => {
  await using slow = await master();
  const { promise: verifying, resolve: verify } = Promise.withResolvers<void>();
  const place = { name: "old", redis: readAddress(perHost(`redis://${listOf([slow])}`)!).named[0] };
  const topology: Topology = {
    find: () => Promise.resolve(place),
    verify: (redis) => {
      verify();
      return new Promise((_, reject) => redis.once("close", () => reject(new Error("closed"))));
    },
    heed() {},
    doubt() {},
  };
  const connection = connecting(topology);
  const opening = rejects(connection.call((redis) => redis.ping(), 2_000), /elsewhere/);
  await verifying;

  connection.follow("new");

  await opening;
  connection.close();
});

for (const refused of ["set", "wait"]) {
  test(`Client says how many replicas have what was written, also where ${refused} is forbidden`, async () => {
    await using server = await new Oracle((command) => {
      if (command.includes("evalsha")) return "+done\r\n";
      if (command.includes(`\r\n${refused}\r\n`)) {
        return `-NOPERM User x has no permissions to run the '${refused}' command\r\n`;
      }
      return command.includes("\r\nwait\r\n") ? ":1\r\n" : undefined;
    }).open();
    const [redis] = readAddress(perHost(`redis://${listOf([server])}`)!).named;
    const client = new Client({
      topology: new Lonely({ name: "", redis }),
      docket: "docket",
      keys: keysOf("docket"),
      url: "url",
      clock: systemClock,
      commandTimeout: 2_000,
      connectTimeout: 2_000,
    });
    const invocation = { sha: "a", source: "b", operands: [1, "x"], read: (raw: unknown) => raw };

    const result = await client.runReplicated(invocation, { replicas: 1, timeout: 100 }, "mark", {
      what: "schedule tasks",
    });

    deepEqual(result, { reply: "done", acknowledged: 0 });
    client.close();
  });
}
