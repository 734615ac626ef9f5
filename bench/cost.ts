/**
 * What a piece of work costs: this process, and the server. It uses nothing of one runtime and no package, as the peers are
 * measured with it as well.
 *
 * @module
 */

import { cpuUsage } from "node:process";
import type { Metric, Sample } from "./scenario.ts";

/** What something cost in all. The server's part is left out where there is no server. */
export interface Cost {
  readonly seconds: number;
  readonly clientMicros: number;
  readonly server?: ServerCost;
}

/** The server's part. */
export interface ServerCost {
  readonly micros: number;
  /** Every command, those called by scripts included. */
  readonly commands: number;
  /** Those that the client sent; left out where nobody counts them. */
  readonly sent?: number;
}

/** Measures one piece of work, with what the server has done until now. */
export async function costOf(
  work: () => Promise<unknown>,
  readServer: () => Promise<ServerCost | undefined>,
): Promise<Cost> {
  const before = await readServer();
  const cpu = cpuUsage();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1_000;
  const { user, system } = cpuUsage(cpu);
  const after = await readServer();
  return { seconds, clientMicros: user + system, server: before && after && minus(after, before) };
}

/** What a server has done, from a section of its `INFO`; that command is not counted. */
export async function readInfo(info: (section: string) => Promise<string>): Promise<ServerCost> {
  const cpu = await info("cpu");
  const stats = await info("commandstats");
  return {
    micros: sum(cpu, /^used_cpu_(?:sys|user):([\d.]+)/gm) * 1e6,
    commands: sum(stats, /^cmdstat_(?!info:).+?:calls=(\d+)/gm),
  };
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
  const { micros, commands, sent } = server;
  const told = { ...client, redisCpu: micros / units, redisCommands: commands / units };
  return sent === undefined ? told : { ...told, sentCommands: sent / units };
}

function minus(after: ServerCost, before: ServerCost): ServerCost {
  const micros = after.micros - before.micros;
  const commands = after.commands - before.commands;
  if (after.sent === undefined || before.sent === undefined) return { micros, commands };
  return { micros, commands, sent: after.sent - before.sent };
}

function sum(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
}
