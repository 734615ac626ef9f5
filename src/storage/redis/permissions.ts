/**
 * What a docket's user must be allowed to do, and how one asks whether it is.
 *
 * @module
 */

import type { Keys } from "./keys.ts";

/** A command as the docket gives it: its name and arguments, for permissions go by keys and channels too. */
export type Command = readonly [name: string, ...args: string[]];

/** The messages with which Redis refuses, before 7.2 without a code: for a command, a key or a channel. */
const REFUSALS =
  /The user executing the script can't |ACL failure in script|No permissions? to access|has no permissions to/i;

/** Whether an answer says that the user lacks a permission. */
export function isRefusal(message: string): boolean {
  return message.startsWith("NOPERM") || REFUSALS.test(message);
}

/** Every command that is sent, or called by a script. */
export function neededCommands(keys: Keys): readonly Command[] {
  const { stream, state, dueSet, background, wake } = keys;
  const record = `${keys.recordPrefix}x`;
  const hashes = ["HDEL", "HEXISTS", "HGET", "HMGET"];
  const wholeHashes = ["HGETALL", "HKEYS", "HLEN"];
  return [
    ["PING"],
    ["TIME"],
    ["EVAL", "return 1", "1", keys.prefix],
    ["EVALSHA", "0".repeat(40), "1", keys.prefix],
    ["XADD", stream, "*", "k", "x"],
    ["XREADGROUP", "GROUP", "workers", "x", "STREAMS", stream, ">"],
    ["XACK", stream, "workers", "0-1"],
    ["XAUTOCLAIM", stream, "workers", "x", "1", "0"],
    ["XCLAIM", stream, "workers", "x", "1", "0-1"],
    ["XDEL", stream, "0-1"],
    ["XGROUP", "CREATE", stream, "workers", "0"],
    ["XGROUP", "CREATECONSUMER", stream, "workers", "x"],
    ["XGROUP", "DELCONSUMER", stream, "workers", "x"],
    ["XINFO", "CONSUMERS", stream, "workers"],
    ["XINFO", "GROUPS", stream],
    ["XPENDING", stream, "workers"],
    ["XRANGE", stream, "-", "+"],
    ["XTRIM", stream, "MAXLEN", "1"],
    ...hashes.map((name): Command => [name, state, "x"]),
    ...wholeHashes.map((name): Command => [name, state]),
    ["HSCAN", state, "0"],
    ["HSET", state, "x", "x"],
    ["ZADD", dueSet, "1", "x"],
    ["ZCARD", dueSet],
    ["ZCOUNT", dueSet, "0", "1"],
    ["ZMSCORE", dueSet, "x"],
    ["ZPOPMIN", dueSet],
    ["ZRANGE", dueSet, "0", "1"],
    ["ZRANGEBYSCORE", dueSet, "0", "1"],
    ["ZREM", dueSet, "x"],
    ["ZREMRANGEBYSCORE", dueSet, "0", "1"],
    ["ZREVRANGE", dueSet, "0", "1"],
    ["ZREVRANGEBYSCORE", dueSet, "1", "0"],
    ["ZREVRANK", dueSet, "x"],
    ["ZSCORE", dueSet, "x"],
    ["SADD", background, "x"],
    ["SCARD", background],
    ["SRANDMEMBER", background, "1"],
    ["SREM", background, "x"],
    ["GET", record],
    ["MGET", record],
    ["SET", record, "x"],
    ["PSETEX", record, "1", "x"],
    ["DEL", record],
    ["EXISTS", record],
    ["PEXPIRE", record, "1"],
    ["PTTL", record],
    ["RENAME", record, record],
    ["TYPE", record],
    ["PUBLISH", wake, "x"],
    ["SUBSCRIBE", wake],
    ["UNSUBSCRIBE", wake],
  ];
}

/** How many commands are named: more of them say no more. */
const MOST_NAMED = 10;

/** What a user may not do, in words that name it; `undefined` where there is nothing. */
export function describeDenied(
  denied: readonly Command[],
  needed: readonly Command[],
  keys: Keys,
): string | undefined {
  if (denied.length === 0) return undefined;
  const { prefix } = keys;
  const onKeys = needed.filter((command) => command.some((part) => part.startsWith(prefix)));
  if (onKeys.every((command) => denied.includes(command))) return describeKeys(keys);
  const names = [...new Set(denied.map(([name]) => name))];
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : "";
  return `run ${names.slice(0, MOST_NAMED).join(", ")}${more} on what begins with "${prefix}"`;
}

/** What a user may not do who is for other keys. */
export function describeKeys({ prefix }: Keys): string {
  return `touch the keys and channels that begin with "${prefix}"`;
}
