/** What only the memory storage promises. */

import { deepStrictEqual as deepEqual, ok, strictEqual as equal, throws } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { randomId } from "../../src/base/ids.ts";
import { NEW, type Settlement, type Storage } from "../../src/storage/contract.ts";
import { Gates } from "../../src/storage/memory/gates.ts";
import { Heap, type Timed } from "../../src/storage/memory/heap.ts";
import { openMemory } from "../../src/storage/memory/handle.ts";
import { Line, type Linked } from "../../src/storage/memory/line.ts";
import { Records } from "../../src/storage/memory/records.ts";
import { Task } from "../../src/storage/memory/task.ts";
import { FakeClock } from "../../src/testing/clock.ts";

function open(url: string, clock: FakeClock, docket = "docket"): Storage {
  return openMemory(new URL(url), { docket, clock, recordTtl: 1_000 });
}

async function add(storage: Storage, key: string): Promise<void> {
  await storage.schedule([
    { key, generation: randomId(), mode: "add", due: undefined, body: "" },
  ]);
}

test("openMemory() shares a memory by URL and docket", async () => {
  const clock = new FakeClock();
  const name = randomId();
  await add(open(`memory://${name}/a`, clock), "key");

  const counts = [
    open(`memory://${name}/a`, clock),
    open(`memory://${name}/a?b`, clock),
    open(`memory://${name}/b`, clock),
    open(`memory://${name}`, clock),
    open(`memory://${randomId()}/a`, clock),
    open(`memory://${name}/a`, clock, "docket.a"),
  ].map((storage) => storage.count());

  deepEqual(await Promise.all(counts), [1, 1, 0, 0, 0, 0]); // invariant 8
});

test("openMemory() keeps its tasks when all handles are closed", async () => {
  const clock = new FakeClock();
  const url = `memory://${randomId()}`;
  const storage = open(url, clock);
  await add(storage, "key");

  await storage[Symbol.asyncDispose]();

  equal(await open(url, clock).count(), 1);
});

test("openMemory() refuses a second clock", () => {
  const url = `memory://${randomId()}`;
  open(url, new FakeClock());

  throws(() => open(url, new FakeClock()), TypeError); // invariant 79
});

test("openMemory() shows its URL without secrets", () => {
  const storage = open(`memory://user:secret@${randomId()}?secret`, new FakeClock());

  ok(!storage.url.includes("secret")); // invariant 85
});

test("Storage sets no timer in memory, whatever waits", async () => {
  const clock = new FakeClock();
  const storage = open(`memory://${randomId()}`, clock);
  const controller = new AbortController();

  const waiting = storage.wait("worker", 1, 1_000, { signal: controller.signal });
  await storage.schedule([
    { key: "a", generation: randomId(), mode: "add", due: { after: 10_000 }, body: "" },
  ]);

  equal(clock.pending, 0); // invariant 77: idle costs nothing
  controller.abort();
  equal(await waiting, undefined);
});

test("Storage tells its listeners before the verb returns, and lets them call verbs", async () => {
  const clock = new FakeClock();
  const storage = open(`memory://${randomId()}`, clock);
  const controller = new AbortController();
  const counts: Promise<number>[] = [];
  await storage.watch(() => void counts.push(storage.count()), controller);

  const adding = add(storage, "a");

  equal(await counts[0], 1); // the verb had done its work
  await adding;
  controller.abort();
});

test("Storage forgets records without a timer, by and by", async () => {
  const clock = new FakeClock(0);
  const records = new Records();
  const ended = { generation: "g", state: "completed", endedAt: 0, text: "" } as const;
  for (let i = 0; i < 100; i++) records.keep(`old ${i}`, ended, 10);
  await clock.advance(20);

  equal(records.find("old 50", clock.now()), undefined);
  for (let i = 0; i < 60; i++) records.keep(`new ${i}`, { ...ended, endedAt: clock.now() }, 10);

  // Each new one drove out two old ones.
  equal(records.size, 60);
  await clock.advance(20);
  records.sweep(clock.now(), 20);
  equal(records.size, 40);
});

test("Storage keeps only the newest ten thousand of what is parked", () => {
  const records = new Records();
  const ended = { generation: "g", state: "dead", endedAt: 0, text: "" } as const;

  for (let i = 0; i < 10_002; i++) records.bury(`${i}`, ended);
  records.bury("2", ended); // parked anew: no longer the oldest
  records.bury("one more", ended);

  const buried = ["0", "1", "2", "3", "4"].map((key) => records.grave(key) !== undefined);
  deepEqual(buried, [false, false, true, false, true]); // invariant 40
});

test("Heap gives what is earliest, in order of arrival, also after removals", () => {
  class Item implements Timed {
    slot = 0;
    order = 0;
    constructor(readonly at: number, readonly name: number) {}
  }

  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(5), fc.nat(3))), (plan) => {
      const heap = new Heap<Item>();
      const model: Item[] = [];
      plan.forEach(([at, action], name) => {
        const index = (at * 7 + name) % (model.length || 1);
        if (action === 0 && model.length > 0) heap.remove(model.splice(index, 1)[0]);
        else {
          const item = new Item(at, name);
          model.push(item);
          heap.push(item);
        }
      });

      model.sort((a, b) => a.at - b.at || a.name - b.name);
      const drained: number[] = [];
      for (let first = heap.first; first; first = heap.first) {
        heap.remove(first);
        drained.push(first.name);
      }
      deepEqual(drained, model.map(({ name }) => name));
    }),
  );
});

test("Storage does not slow down with a long backlog", async () => {
  const storage = open(`memory://${randomId()}`, new FakeClock());
  const count = 100_000;
  await storage.schedule(Array.from({ length: count }, (_, i) => {
    return { key: `${i}`, generation: randomId(), mode: "add", due: undefined, body: "" } as const;
  }));
  const settlement: Settlement = { kind: "completed", text: "", ttl: 0 };
  const request = { consumer: "w", lane: 0, want: 100, from: NEW, maxDeliveries: 5 };
  const start = performance.now();

  let claims: Awaited<ReturnType<Storage["step"]>>["claims"] = [];
  for (let call = 1; call <= count / 100 + 1; call++) {
    const commits = claims.map(({ key, token }) => ({ key, token, settlement }));
    ({ claims } = await storage.step({ ...request, call, token: `${call}`, commits }));
  }

  equal(await storage.count(), 0);
  ok(performance.now() - start < 10_000); // far more than it takes, far less than anything quadratic
});

test("Storage forgets gates that nobody uses, also behind some that stay long", () => {
  const gates = new Gates();
  const pass = (n: number, period: number, now: number) => {
    const entry = { key: "", token: "", ttl: 0 };
    const cooldown = { kind: "cooldown", id: `${n}`, period } as const;
    const rate = { kind: "rate", id: `${n}`, max: 1, per: period, excess: "wait" } as const;
    const task = new Task(`${n}`, randomId(), undefined, "");
    gates.judge({ ...entry, gates: [cooldown, rate] }, task, now, () => false);
  };
  for (let n = 0; n < 5; n++) pass(n, 1_000_000, 0);
  for (let n = 5; n < 100; n++) pass(n, 10, 0);
  equal(gates.size, 200);

  for (let n = 100; n < 200; n++) pass(n, 1, 20 + n); // invariant 62

  ok(gates.size < 30, `${gates.size}`);
});

test("Line.insert() stands behind all that come before it", () => {
  interface Item extends Linked<Item> {
    readonly n: number;
  }
  fc.assert(fc.property(fc.array(fc.nat(20)), fc.nat(20), (numbers, left) => {
    const line = new Line<Item>();
    const items = numbers.map((n): Item => ({ n, ahead: undefined, behind: undefined }));
    for (const item of items) line.insert(item, (other) => other.n > item.n);
    const kept = items.filter(({ n }) => n !== left);
    for (const item of items) if (item.n === left) line.remove(item);

    // Of equals, who came first stands first.
    deepEqual([...line], kept.toSorted((a, b) => a.n - b.n));
  }));
});
