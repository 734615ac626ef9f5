/**
 * Where faults are played: a Redis of the test's own, and a network to it that can be broken.
 *
 * @module
 */

import { test } from "node:test";
import { type OwnRedis, startRedis } from "../../scripts/redis.ts";
import type { Docket, DocketOptions } from "../../mod.ts";
import { OwnRedisStage, perform } from "../_harness.ts";
import { Proxy } from "./_proxy.ts";

/** Backs off for so long at most, so that tests need not wait. */
export const quick = { reconnectionDelay: 50 } as const;

/** Declares a test; its title begins with the number of the fault. Arguments are the server's. */
export function faultTest(
  title: string,
  body: (stage: FaultStage) => Promise<void>,
  args: readonly string[] = [],
): void {
  test(title, async () => {
    await using server = await startRedis({ args });
    await using proxy = await Proxy.to(server.port);
    const stage = new FaultStage(title, server, proxy);
    await perform(stage, body).finally(() => stage.admin.disconnect());
  });
}

/** A server, and a network before it. */
export class FaultStage extends OwnRedisStage {
  readonly proxy: Proxy;
  readonly #title: string;

  constructor(title: string, server: OwnRedis, proxy: Proxy) {
    super(server);
    this.#title = title;
    this.proxy = proxy;
  }

  /** Connects by way of the network; {@linkcode connect} needs none. */
  through(options: DocketOptions = {}): Promise<Docket> {
    return this.connect({ url: this.proxy.url, ...options });
  }

  /** The connections that the server has of one type, by the port it sees them at, with their last command. */
  async connections(type: "normal" | "pubsub"): Promise<ReadonlyMap<number, string>> {
    const list = String(await this.admin.call("CLIENT", ["LIST", "TYPE", type]));
    const found = [...list.matchAll(/\baddr=127\.0\.0\.1:(\d+) .*\bcmd=(\S+)/g)];
    return new Map(found.map(([, port, command]) => [Number(port), command]));
  }

  /** Resolves when what these connections have brought is carried out, and they are closed. */
  async gone(ports: readonly number[]): Promise<void> {
    await this.eventually(async () => {
      const open = await this.connections("normal");
      return ports.every((port) => !open.has(port));
    });
  }

  /** Resolves when a worker waits for work in a blocking read. */
  async idle(): Promise<void> {
    await this.eventually(async () =>
      [...(await this.connections("normal")).values()].includes("xreadgroup")
    );
  }

  /** Tells what was measured, for people. */
  figure(text: string): void {
    console.log(`${this.#title.split(" ", 1)[0]}: ${text}`);
  }
}

/** How many seconds have passed since an instant of `performance.now()`. */
export function secondsSince(start: number): number {
  return Math.round(performance.now() - start) / 1_000;
}

/** Counts how often tasks run, by key. */
export class Tally {
  readonly runs = new Map<string, number>();

  /** One more. */
  count(key: string): void {
    this.runs.set(key, (this.runs.get(key) ?? 0) + 1);
  }

  /** What ran more than once. */
  get repeated(): readonly string[] {
    return [...this.runs].filter(([, count]) => count > 1).map(([key]) => key);
  }
}
