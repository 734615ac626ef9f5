/**
 * An add whose reply was lost is sent again. By then it may have run, and its record be overwritten by that of a later task of
 * its key: whoever added it is told that nobody knows, and it does not run twice (F14, invariant 27).
 *
 * @module
 */

import { deepStrictEqual as deepEqual, rejects, strictEqual as equal } from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type Docket, Perpetual, task } from "../../mod.ts";
import { onOwnRedis, type OwnRedisStage } from "../_harness.ts";

onOwnRedis("F14 a request whose reply was lost", (test) => {
  test("is not carried out again when a later task of its key has ended meanwhile", async (stage) => {
    await using relay = await Relay.to(stage.server.port);
    const { docket, runs } = await working(stage);
    const producer = await stage.connect({ url: relay.url });
    equal((await producer.add("note", { key: "first" })()).disposition, "scheduled");

    relay.swallowReplies();
    const adding = producer.add("note", { key: "k" })();
    const unknown = rejects(adding, { code: "CONNECTION", message: /may exist/ });
    await ran(stage, docket, runs, 2);
    await stage.soon((await docket.add("note", { key: "k" })()).result());
    relay.recover();

    await unknown;
    await stage.finish(docket);
    deepEqual(runs, ["first", "k", "k"]);
  });

  test("is not carried out again when its chain has come to its end meanwhile", async (stage) => {
    await using relay = await Relay.to(stage.server.port);
    const { docket, runs } = await working(stage);
    const producer = await stage.connect({ url: relay.url });
    await producer.add("note", { key: "first" })();

    relay.swallowReplies();
    const unknown = rejects(producer.add("twice", { key: "k" })(1), { code: "CONNECTION" });
    await ran(stage, docket, runs, 3);
    relay.recover();

    await unknown;
    await stage.finish(docket);
    deepEqual(runs, ["first", "k", "k"]);
  });

  test("that replaces does not replace what came after it", async (stage) => {
    await using relay = await Relay.to(stage.server.port);
    const { docket, runs } = await working(stage);
    const producer = await stage.connect({ url: relay.url });
    await producer.add("note", { key: "first" })();

    relay.swallowReplies();
    const unknown = rejects(producer.replace("note", { key: "k" })(), { code: "CONNECTION" });
    await ran(stage, docket, runs, 2);
    await stage.soon((await docket.add("note", { key: "k" })()).result());
    const later = await docket.add("note", { key: "k", delay: "1h" })();
    relay.recover();

    await unknown;
    equal((await later.refresh()).state, "scheduled");
    deepEqual(runs, ["first", "k", "k"]);
  });

  test("that cancels does not cancel what came after it", async (stage) => {
    await using relay = await Relay.to(stage.server.port);
    const { docket, runs } = await working(stage);
    const producer = await stage.connect({ url: relay.url });
    const first = await producer.add("note", { key: "k", delay: "1h" })();
    equal(await producer.cancel("other"), "none"); // Redis knows the script from now on

    relay.swallowReplies();
    const cancelling = Promise.all([producer.cancel("k"), producer.cancel("k")]);
    await stage.soon(rejects(docket.execution("k").then((found) => found!.result())));
    const later = await docket.add("note", { key: "k", delay: "1h" })();
    relay.recover();

    deepEqual(await cancelling, ["cancelled", "none"]);
    equal((await later.refresh()).state, "scheduled");
    await rejects(first.result(), { reason: "cancelled" });
    deepEqual(runs, []);
  });

  // What ended before it was sent says nothing about it.
  test("is carried out when it was not, and a task of its key ended before", async (stage) => {
    await using relay = await Relay.to(stage.server.port);
    const { docket, runs } = await working(stage);
    await stage.soon((await docket.add("note", { key: "k" })()).result());
    await stage.sleep(2_300); // longer than a try may take to arrive
    const producer = await stage.connect({ url: relay.url, commandTimeout: 2_000 });
    await producer.add("note", { key: "first" })();

    relay.swallowAll();
    const adding = producer.add("note", { key: "k" })();
    await stage.eventually(() => relay.swallowed > 0);
    relay.recover();

    equal((await adding).disposition, "scheduled");
    await stage.finish(docket);
    deepEqual(runs.toSorted(), ["first", "k", "k"]);
  });
});

/** A docket with a worker, which notes the keys of what it runs. */
async function working(
  stage: OwnRedisStage,
): Promise<{ readonly docket: Docket; readonly runs: string[] }> {
  const runs: string[] = [];
  const note = task("note", ({ key }): void => void runs.push(key));
  const twice = task(
    "twice",
    { perpetual: new Perpetual<[run: number]>() },
    ({ key, perpetual }, run: number): void => {
      runs.push(key);
      if (run === 2) perpetual.cancel();
      else perpetual.perpetuate(run + 1);
    },
  );
  const docket = await stage.connect({ tasks: { note, twice } });
  stage.start(docket);
  return { docket, runs };
}

/** Waits until so many have run and are settled. */
async function ran(stage: OwnRedisStage, docket: Docket, runs: readonly string[], count: number) {
  await stage.eventually(async () => {
    if (runs.length < count) return false;
    const { counts } = await docket.snapshot({ limit: 1 });
    return counts.scheduled + counts.queued + counts.running === 0;
  });
}

/** A way to a server on which replies, or all, may get lost. */
class Relay implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #lost: "nothing" | "replies" | "all" = "nothing";
  /** How many packets were lost. */
  swallowed = 0;

  private constructor(port: number) {
    this.#server = createServer((client) => {
      const server = connect(port, "127.0.0.1");
      this.#pass(client, server, () => this.#lost === "all");
      this.#pass(server, client, () => this.#lost !== "nothing");
    });
  }

  static async to(port: number): Promise<Relay> {
    const relay = new Relay(port);
    relay.#server.listen(0, "127.0.0.1");
    await once(relay.#server, "listening");
    return relay;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}/0`;
  }

  swallowReplies(): void {
    this.#lost = "replies";
  }

  swallowAll(): void {
    this.#lost = "all";
  }

  /** Nothing is lost any more: those who are connected have to connect anew. */
  recover(): void {
    this.#lost = "nothing";
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.recover();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #pass(from: Socket, to: Socket, isLost: () => boolean): void {
    this.#sockets.add(from);
    from.on("data", (bytes) => {
      if (isLost()) this.swallowed++;
      else to.write(bytes);
    });
    from.on("error", () => {}); // what counts is that it is closed
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
