/**
 * What a piece of work costs: this process, and the server.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { Redis } from "ioredis";
import type { Metric, Place, Sample } from "./scenario.ts";

/** What something cost in all. The server's part is left out where there is no server. */
export interface Cost {
  readonly seconds: number;
  readonly clientMicros: number;
  readonly server?: {
    readonly micros: number;
    /** Every command, those called by scripts included. */
    readonly commands: number;
    /** Those that this process sent. */
    readonly sent: number;
  };
}

/** Measures with a connection of its own, whose commands do not count. */
export class Meter implements Disposable {
  readonly #redis?: Redis;
  #sent = 0;

  /** Opens a meter for the place. */
  constructor({ storage, url }: Place) {
    if (storage === "redis") this.#redis = new Redis(url);
    this.#countSent();
  }

  /** Measures one piece of work. */
  async during(work: () => Promise<unknown>): Promise<Cost> {
    const before = await this.#readServer();
    const cpu = cpuUsage();
    const start = performance.now();
    await work();
    const seconds = (performance.now() - start) / 1_000;
    const { user, system } = cpuUsage(cpu);
    const after = await this.#readServer();
    const server = before && after && {
      micros: after.micros - before.micros,
      commands: after.commands - before.commands,
      sent: after.sent - before.sent,
    };
    return { seconds, clientMicros: user + system, server };
  }

  [Symbol.dispose](): void {
    this.#redis?.disconnect();
  }

  async #readServer(): Promise<Required<Cost>["server"] | undefined> {
    if (!this.#redis) return undefined;
    const sent = this.#sent;
    const cpu = await this.#redis.info("cpu");
    const stats = await this.#redis.info("commandstats");
    const micros = sum(cpu, /^used_cpu_(?:sys|user):([\d.]+)/gm) * 1e6;
    const commands = sum(stats, /^cmdstat_(?!info:).+?:calls=(\d+)/gm);
    return { micros, commands, sent };
  }

  /** Where they leave: the server's statistics do not tell a client's XREADGROUP from that of a script. */
  #countSent(): void {
    const own = this.#redis;
    const count = () => this.#sent++;
    const { sendCommand } = Redis.prototype;
    Redis.prototype.sendCommand = function (...args) {
      if (this !== own) count();
      return sendCommand.apply(this, args);
    };
  }
}

/** The rows of {@linkcode perUnit}. */
export function costMetrics(unit: string): Readonly<Record<string, Metric>> {
  return {
    rate: { label: "per second" },
    clientCpu: { label: `client CPU µs per ${unit}`, digits: 1 },
    redisCpu: { label: `Redis CPU µs per ${unit}`, digits: 1 },
    redisCommands: { label: `Redis commands per ${unit}`, digits: 2 },
    sentCommands: { label: `of these sent by the client`, digits: 3 },
  };
}

/** A cost that was shared by so many units of work. */
export function perUnit({ seconds, clientMicros, server }: Cost, units: number): Sample {
  const client = { rate: units / seconds, clientCpu: clientMicros / units };
  if (!server) return client;
  return {
    ...client,
    redisCpu: server.micros / units,
    redisCommands: server.commands / units,
    sentCommands: server.sent / units,
  };
}

function sum(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
}
