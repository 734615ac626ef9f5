/** How the URLs of a Redis are read: whom they name, and how those who are heard of are spoken with. */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { test } from "node:test";
import { perHost } from "../../src/base/hosts.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openStorage } from "../../src/storage/open.ts";
import { type Address, readAddress } from "../../src/storage/redis/address.ts";
import { slotOf } from "../../src/storage/redis/slot.ts";

function read(url: string, own?: Readonly<Record<string, unknown>>): Address {
  const urls = perHost(url);
  ok(urls, "no URL");
  return readAddress(urls, own);
}

/** What says with whom a client speaks, and as whom. */
function brief({ host, port, username, password, db, tls }: Address["named"][0]): unknown {
  return { host, port, username, password, db, tls };
}

const plain = { username: undefined, password: undefined, tls: undefined, db: 0 };

test("readAddress() reads a cluster's nodes, with one name and password for all", () => {
  const { kind, named, at } = read("redis+cluster://us%40er:p%2Fw@one:7000,two,[::1]:7002/");

  const known = { ...plain, username: "us@er", password: "p/w" };
  equal(kind, "cluster");
  deepEqual(named.map(brief), [
    { ...known, host: "one", port: 7000 },
    { ...known, host: "two", port: 6379 },
    { ...known, host: "::1", port: 7002 },
  ]);
  deepEqual(brief(at("10.0.0.9", 7003)), { ...known, host: "10.0.0.9", port: 7003 });
});

test("readAddress() reads sentinels, who are told no password but their own", () => {
  const { kind, named, master, at } = read(
    "redis+sentinel://user:pw@one,two:5000/my%20main/3?sentinelUsername=watcher&sentinelPassword=s%26w",
  );

  const watcher = { ...plain, username: "watcher", password: "s&w" };
  equal(kind, "sentinels");
  equal(master, "my main");
  deepEqual(named.map(brief), [
    { ...watcher, host: "one", port: 26379 },
    { ...watcher, host: "two", port: 5000 },
  ]);
  const known = { ...plain, username: "user", password: "pw", db: 3 };
  deepEqual(brief(at("10.0.0.9", 6379)), { ...known, host: "10.0.0.9", port: 6379 });
  const [open] = read("redis+sentinel://user:pw@one/main").named;
  deepEqual(brief(open), { ...plain, host: "one", port: 26379 });
});

test("readAddress() takes passwords from the client's options as well", () => {
  const own = { password: "pw", sentinelPassword: "sw" };

  const { named: [sentinel], at } = read("redis+sentinel://one/main?sentinelPassword=no", own);

  equal(sentinel.password, "sw");
  equal(at("two", 1).password, "pw");
});

test("readAddress() speaks TLS with those who are heard of, and checks their own names", () => {
  const ca = "a certificate";
  for (const scheme of ["rediss+cluster", "valkeys+cluster", "rediss+sentinel"]) {
    const { named: [seed], at } = read(`${scheme}://one/${/sent/.test(scheme) ? "main" : ""}`, {
      tls: { ca },
    });

    deepEqual(seed.tls, { servername: "one", rejectUnauthorized: true, ca });
    deepEqual(at("two", 1).tls, { servername: "two", rejectUnauthorized: true, ca });
    deepEqual(at("10.0.0.9", 1).tls, { rejectUnauthorized: true, ca });
  }
  const { named: [seed], at } = read("redis+sentinel://one/main", {
    tls: { ca },
    sentinelTLS: { ca: "another" },
  });
  deepEqual(seed.tls, { servername: "one", rejectUnauthorized: true, ca: "another" });
  deepEqual(at("two", 1).tls, { servername: "two", rejectUnauthorized: true, ca });
});

test("readAddress() finds servers under other addresses than they know themselves by", () => {
  const natMap = { "10.0.0.9:6379": { host: "outside", port: 7009 } };
  for (const map of [natMap, (key: string) => natMap[key as keyof typeof natMap] ?? null]) {
    const { at } = read("rediss+cluster://one/", { natMap: map });

    const { host, port, tls } = at("10.0.0.9", 6379);
    deepEqual({ host, port, tls }, {
      host: "outside",
      port: 7009,
      tls: { servername: "outside", rejectUnauthorized: true },
    });
    equal(at("10.0.0.8", 6379).host, "10.0.0.8");
  }
});

test("readAddress() lets nothing decide where to connect to but the URL", () => {
  const own = { path: "/run/x", sentinels: [{ host: "x" }], name: "x", host: "x", port: 1 };

  const { named: [seed], at } = read("redis+cluster://one:2/", own);

  for (const options of [seed, at("one", 2)]) {
    const { host, port, path, sentinels, name } = options;
    deepEqual([host, port, path, sentinels, name], ["one", 2, undefined, undefined, undefined]);
  }
});

test("readAddress() refuses what names no master, no host, or a database of a cluster", () => {
  throws(() => read("redis+sentinel://one"), /without the master's name/);
  throws(() => read("redis+sentinel://one/main/0/1"), /without the master's name/);
  throws(() => read("redis+sentinel://one/main/secret"), /database is not a number/);
  throws(() => read("redis+cluster://one/1"), /database other than 0/);
  throws(() => read("redis+cluster:/"), /names no host/);
});

test("openStorage() echoes nothing of a URL that it cannot read", async () => {
  const options = {
    docket: "d",
    clock: systemClock,
    recordTtl: 1,
    commandTimeout: 1,
    connectTimeout: 1,
  };
  for (
    const url of [
      "redis+cluster://:secret,one:x",
      "redis+sentinel://user:se/cret@one,two/main",
      "redis+cluster://one:secret",
      "redis+other://secret",
    ]
  ) {
    await rejects(openStorage(url, options), (error) => {
      ok(error instanceof TypeError && !error.message.includes("secret"), String(error));
      ok(error.message.includes("redis+sentinel:"), error.message);
      return true;
    });
  }
});

test("slotOf() is where Redis puts the keys with that hash tag", () => {
  deepEqual(["123456789", "docket", "a.b", ""].map(slotOf), [12739, 1732, 1366, 0]);
});
