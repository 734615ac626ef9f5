/**
 * Typed Lua scripts: names instead of `ARGV[7]`, and of keys that are put together by hand.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type Keys, type Name, named } from "./keys.ts";

/** How an argument arrives in Lua: as it is, as a number, or as a boolean. */
export type Kind = "text" | "number" | "flag";

type ValueOf<K extends Kind> = K extends "number" ? number : K extends "flag" ? boolean : string;

/** One call of a script, ready to be sent, also again: the bytes stay the same. */
export interface Invocation<Reply> {
  readonly sha: string;
  readonly source: string;
  /** How many keys, what all keys begin with, the arguments: what follows the hash in EVALSHA. */
  readonly operands: readonly (string | number)[];
  /** Makes sense of the answer. */
  read(raw: unknown): Reply;
}

/** The shape of a script: the Lua locals `keys` and `args` name, and what its answer means. */
export interface Shape<Args extends Record<string, Kind>, Reply> {
  readonly keys: readonly Name[];
  readonly args: Args;
  readonly reply: (raw: unknown) => Reply;
}

/** A script. */
export interface Script<Args extends Record<string, Kind>, Reply> {
  /** The whole Lua text. */
  readonly source: string;
  /** Prepares a call. `rest` follows the named arguments; in Lua it begins at `ARGV[FIRST]`. */
  call(
    keys: Pick<Keys, "prefix">,
    args: { readonly [A in keyof Args]: ValueOf<Args[A]> },
    rest?: readonly (string | number)[],
  ): Invocation<Reply>;
}

const CONVERSIONS: Readonly<Record<Kind, (name: string) => string>> = {
  text: () => "",
  number: (name) => `${name} = tonumber(${name})`,
  flag: (name) => `${name} = ${name} == '1'`,
};

/**
 * Declares a script whose keys and arguments are Lua locals of the same names. Keys that are seldom needed are better
 * {@linkcode named} where they are: a name costs a script of a few microseconds one hundredth of its time.
 */
export function script<const Args extends Record<string, Kind>, Reply>(
  shape: Shape<Args, Reply>,
  lua: string,
): Script<Args, Reply> {
  const names = Object.keys(shape.args);
  const source = [
    "local PREFIX = KEYS[1]",
    named(...shape.keys),
    ...names.length > 0 ? [`local ${names.join(", ")} = unpack(ARGV, 1, ${names.length})`] : [],
    ...names.map((name) => CONVERSIONS[shape.args[name]](name)).filter((line) => line !== ""),
    `local FIRST = ${names.length + 1}`,
    lua.trim(),
  ].join("\n");
  let sha: string | undefined;
  return {
    source,
    call({ prefix }, args, rest = []) {
      sha ??= createHash("sha1").update(source).digest("hex");
      const operands: (string | number)[] = [1, prefix];
      for (const name of names) operands.push(encode(args[name]));
      for (const item of rest) operands.push(item); // not spread: there may be thousands
      return { sha, source, operands, read: shape.reply };
    },
  };
}

function encode(value: string | number | boolean): string | number {
  return typeof value === "boolean" ? (value ? "1" : "0") : value;
}
