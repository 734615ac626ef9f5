/**
 * Looks whether Redis is fit to keep tasks, and at what it keeps. Nothing here changes anything, and none of it is done
 * while work is done: when a worker starts, and when somebody asks.
 *
 * @module
 */

import type { Millis } from "../../base/clock.ts";
import { ConnectionError, messageOf, ProtocolError } from "../../base/errors.ts";
import type {
  ConsumerState,
  Examination,
  Finding,
  Inspection,
  Storage,
  Waiting,
} from "../contract.ts";
import { measureFamilies } from "./families.ts";
import { type Info, judgeInfo, mayForget, readInfo, serverOf } from "./info.ts";
import { describeDenied, isRefusal, neededCommands } from "./permissions.ts";
import { deniedOf } from "./scripts/permitted.ts";
import type { Site } from "./site.ts";

/** Longer than a lease usually lasts. */
const SILENCE: Millis = 60_000;

/** Inspects one docket's Redis. */
export class Inspector implements Pick<Storage, "inspect" | "examine"> {
  readonly #site: Site;

  constructor(site: Site) {
    this.#site = site;
  }

  async inspect({ signal }: Waiting = {}): Promise<Inspection> {
    const look = new Look(this.#site, signal);
    await look.judge();
    return look.inspection;
  }

  async examine(
    { signal, silence = SILENCE }: Waiting & { readonly silence?: Millis } = {},
  ): Promise<Examination> {
    const look = new Look(this.#site, signal);
    const info = await look.judge();
    const consumers = await look.consumers();
    const { families, partial, lasting } = await measureFamilies(look);
    const silent = (consumers ?? []).filter(({ alive, pending, idle }) =>
      !alive && pending > 0 && idle > silence
    );
    if (silent.length > 0) look.findings.push(orphaned(silent));
    if (lasting.length > 0) look.findings.push(neverExpiring(lasting));
    const entries = families.find(({ name }) => name === "stream")?.entries ?? 0;
    const pending = consumers?.reduce((sum, one) => sum + one.pending, 0);
    const server = info && serverOf(info);
    return {
      ...look.inspection,
      ...server && { server },
      families,
      partial,
      queue: { entries, ...pending !== undefined && { pending } },
      ...consumers && { consumers },
    };
  }
}

/** One look: what it asks, and what it found. */
export class Look {
  readonly site: Site;
  readonly findings: Finding[] = [];
  readonly #unknown: string[] = [];
  readonly signal?: AbortSignal;

  constructor(site: Site, signal: AbortSignal | undefined) {
    this.site = site;
    this.signal = signal;
  }

  /** As far as it is. */
  get inspection(): Inspection {
    return { findings: this.findings, unknown: this.#unknown };
  }

  /** What the server and the user's permissions make impossible, or risky. */
  async judge(): Promise<Info | undefined> {
    const info = await this.#info();
    if (info) this.findings.push(...judgeInfo(info, await this.#save(info)));
    const missing = await this.#missing();
    if (missing) {
      const text =
        `The user of Redis may not ${missing}: allow it what Docket's guide to production lists`;
      this.findings.unshift({ about: "permissions", text });
    }
    return info;
  }

  /** Who claims; `undefined` where that may not be asked. */
  async consumers(): Promise<ConsumerState[] | undefined> {
    const { keys } = this.site;
    const infos = await this.allowed("consumers", async () => {
      try {
        return await this.command("XINFO", "CONSUMERS", keys.stream, "workers") as unknown[][];
      } catch (error) {
        if (/NOGROUP|no such key/i.test(messageOf(error))) return []; // nobody has worked here yet
        throw error;
      }
    });
    if (!infos) return undefined;
    const alive = await Promise.all(infos.map((info) => {
      const key = `${keys.workerPrefix}${field(info, "name")}`;
      return this.allowed("workers", () => this.command("EXISTS", key));
    }));
    return infos.map((info, i) => ({
      consumer: String(field(info, "name")),
      pending: Number(field(info, "pending")),
      idle: Number(field(info, "idle")),
      alive: alive[i] !== 0, // who cannot be asked about is not told of
    }));
  }

  /** Asks one thing. */
  command(name: string, ...args: (string | number)[]): Promise<unknown> {
    const patience = { what: "look at the docket", signal: this.signal };
    return this.site.client.command(name, args, patience);
  }

  /** Asks what may be forbidden, or not be known to this server: then it is `undefined`, and noted once. */
  async allowed<T>(what: string, ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (!isForbidden(error)) throw error;
      const note = `${what}: ${messageOf((error as Error).cause)}`;
      if (!this.#unknown.includes(note)) this.#unknown.push(note);
      return undefined;
    }
  }

  /** What the user may not do, in words. */
  async #missing(): Promise<string | undefined> {
    const { client, keys } = this.site;
    const patience = { what: "ask for permissions", signal: this.signal };
    const needed = neededCommands(keys);
    try {
      const denied = await client.run(deniedOf(keys, needed), patience);
      if (denied === undefined) this.#unknown.push("permissions: this Redis cannot tell them");
      return describeDenied(denied ?? [], needed, keys);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      return `even be asked: ${messageOf((error as Error).cause)}`; // it may run no scripts, or is for other keys
    }
  }

  async #info(): Promise<Info | undefined> {
    const text = await this.allowed("the server", () => this.command("INFO"));
    return text === undefined ? undefined : readInfo(String(text));
  }

  /** Asked for only where INFO leaves it open: it is an administrator's command, and often forbidden. */
  async #save(info: Info): Promise<string | undefined> {
    if (!mayForget(info)) return undefined;
    const reply = await this.allowed("snapshots", () => this.command("CONFIG", "GET", "save"));
    return (reply as string[] | undefined)?.[1];
  }
}

/** Whether it was answered, and refused: asking again would not help. */
function isForbidden(error: unknown): boolean {
  if (error instanceof ProtocolError) return true;
  return error instanceof ConnectionError && isRefusal(messageOf(error.cause));
}

function field(info: readonly unknown[], name: string): unknown {
  return info[info.indexOf(name) + 1];
}

function orphaned(silent: readonly ConsumerState[]): Finding {
  const pending = silent.reduce((sum, one) => sum + one.pending, 0);
  const text =
    `Consumers without a worker: ${silent.length}; they hold ${pending} tasks that nobody ` +
    "has taken over: start a worker";
  return { about: "consumers", text };
}

/** How many keys are named. */
const NAMED = 3;

function neverExpiring(lasting: readonly string[]): Finding {
  const named = lasting.slice(0, NAMED).map((key) => JSON.stringify(key)).join(", ");
  const more = lasting.length > NAMED ? `, and ${lasting.length - NAMED} more` : "";
  const text =
    `Keys that nobody will delete begin with the docket's name, and are none of its own, ` +
    `or have lost their time to live: ${named}${more}`;
  return { about: "keys", text };
}
