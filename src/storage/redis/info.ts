/**
 * What Redis tells of itself with INFO, and what of that is wrong for a docket.
 *
 * @module
 */

import type { Finding } from "../contract.ts";

/** The oldest Redis that the scripts run on. */
const OLDEST = [6, 2] as const;

/** Sections, without their names: what INFO gives, by field. */
export type Info = ReadonlyMap<string, string>;

/** Reads the text that INFO gives. */
export function readInfo(text: string): Info {
  const info = new Map<string, string>();
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0 && line[0] !== "#") info.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return info;
}

/** What it is, as in "Redis 7.0.15"; `undefined` where it does not say. */
export function serverOf(info: Info): string | undefined {
  const valkey = info.get("valkey_version");
  if (valkey !== undefined) return `Valkey ${valkey}`;
  const redis = info.get("redis_version");
  return redis === undefined ? undefined : `Redis ${redis}`;
}

/**
 * Whether INFO leaves open that Redis makes snapshots: there is no append-only file, and no snapshot was made since the
 * start. Which ones are to be made only its configuration says.
 */
export function mayForget(info: Info): boolean {
  if (info.get("aof_enabled") !== "0") return false;
  const saves = info.get("rdb_saves"); // since Redis 7
  if (saves !== undefined) return saves === "0";
  const now = Number(info.get("server_time_usec")) / 1_000_000;
  const start = now - Number(info.get("uptime_in_seconds"));
  return Number(info.get("rdb_last_save_time")) - start < 2; // it counts from the start, which is told in whole seconds
}

/**
 * What is wrong, the worst first.
 *
 * @param save How `save` is configured; `undefined` where that may not be asked for.
 */
export function judgeInfo(info: Info, save: string | undefined): Finding[] {
  return [...version(info), ...eviction(info), ...persistence(info, save), ...disk(info)];
}

function version(info: Info): Finding[] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(info.get("redis_version") ?? "") ?? [];
  if (major === undefined || Number(major) > OLDEST[0]) return [];
  if (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1]) return [];
  const text = `${serverOf(info)} is too old: Docket needs Redis ${
    OLDEST.join(".")
  } or later, or Valkey`;
  return [{ about: "version", text }];
}

function eviction(info: Info): Finding[] {
  const policy = info.get("maxmemory_policy") ?? "noeviction";
  if (policy === "noeviction") return [];
  const text =
    `Redis may delete tasks when its memory is full: its maxmemory-policy is ${policy}; set it to noeviction`;
  return [{ about: "eviction", text }];
}

function persistence(info: Info, save: string | undefined): Finding[] {
  if (!mayForget(info) || (save ?? "") !== "") return [];
  const keeps = save === ""
    ? 'keeps nothing on disk (appendonly no, save "")'
    : "keeps no append-only file, and has made no snapshot since it was started";
  const text =
    `Redis ${keeps}: when it stops, everything on the docket may be lost; set appendonly yes`;
  return [{ about: "persistence", text }];
}

function disk(info: Info): Finding[] {
  const failed = [
    ...info.get("aof_enabled") === "1" && info.get("aof_last_write_status") === "err"
      ? ["append-only file"]
      : [],
    ...info.get("rdb_last_bgsave_status") === "err" ? ["last snapshot"] : [],
  ];
  return failed.map((what) => ({
    about: "disk",
    text: `Redis could not write its ${what}: its log says why; look after its disk`,
  }));
}
