/**
 * Writes what the scripts read: when a task is due, and what became of it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Millis } from "../../base/clock.ts";
import type { CancelReason } from "../../base/errors.ts";
import { ID_LENGTH } from "../../base/ids.ts";
import { divideEnding } from "./ending.ts";
import type { Call, Commit, Due, Entry, Gate, Lease, Progress, Settlement } from "../contract.ts";

/** The last instant that a `Date` can tell. Beyond it numbers would print with an exponent. */
const END_OF_TIME: Millis = 8.64e15;

/** `""` at once, `"<ms>"` an instant, `"+<ms>"` a delay on the server's clock (invariant 79). */
export function encodeDue(due: Due): string {
  if (!due) return "";
  return "at" in due ? `${whole(due.at)}` : `+${whole(due.after)}`;
}

/** Whole milliseconds, never sooner than asked for. */
export function whole(millis: Millis): Millis {
  return Math.min(END_OF_TIME, Math.max(0, Math.ceil(millis)));
}

/**
 * The scripts cut ids out of rows by their length.
 *
 * @throws {TypeError} When this one is of another.
 */
export function expectId(id: string, what: string): void {
  if (id.length === ID_LENGTH) return;
  throw new TypeError(
    `Cannot use ${JSON.stringify(id)} as a ${what}: it must have ${ID_LENGTH} characters`,
  );
}

/** What a run reports, for the scripts: its numbers, a comma where there is a message, and the message. */
export function encodeProgress({ current, total, message }: Progress): [string, string] {
  return [`${current},${total}${message === undefined ? "" : ","}`, message ?? ""];
}

/** The head of a call: mode, generation, due. */
export function encodeHead({ mode, generation, due }: Call): string {
  return (mode === "replace" ? "r" : "a") + generation + encodeDue(due);
}

/** Commits as groups of one token and one time to live, and where each of them went. */
export interface Grouped {
  readonly rest: (string | number)[];
  /** The index of each commit, in the order of the groups. */
  readonly order: readonly number[];
}

/** What commits have in common that travel as one group. */
interface Group {
  readonly token: string;
  readonly ttl: Millis;
  readonly started: string;
  /** Key and outcome of each. */
  readonly items: string[];
  /** The index of each. */
  readonly order: number[];
}

/**
 * Groups commits, so that tokens, times to live and when the runs started, which they mostly share, travel once. A key that
 * comes again goes into a later group: of two commits under one token the first counts, as everywhere.
 */
export function groupCommits(commits: readonly Commit[], recordTtl: Millis): Grouped {
  if (commits.length === 1) { // an idle worker's: it is waited for
    const [{ key, token, settlement, leaves }] = commits;
    const { started, outcome } = encodeOutcome(settlement);
    const rest = [token, ttlOf(settlement, recordTtl), started, 1, key];
    rest.push(encodeLeaves(leaves) + outcome);
    return { rest, order: [0] };
  }
  const groups = new Map<string, Group>();
  const keys = new Set<string>();
  for (let i = 0; i < commits.length; i++) {
    const { key, token, settlement, leaves } = commits[i];
    const ttl = ttlOf(settlement, recordTtl);
    const { started, outcome } = encodeOutcome(settlement);
    const name = `${token}${ttl} ${started}${keys.has(key) ? ` ${i}` : ""}`;
    let group = groups.get(name);
    if (!group) groups.set(name, group = { token, ttl, started, items: [], order: [] });
    group.items.push(key, encodeLeaves(leaves) + outcome);
    group.order.push(i);
    keys.add(key);
  }
  const rest: (string | number)[] = [];
  const order: number[] = [];
  for (const group of groups.values()) {
    rest.push(group.token, group.ttl, group.started, group.order.length);
    for (const item of group.items) rest.push(item);
    for (const i of group.order) order.push(i);
  }
  return { rest, order };
}

/**
 * A settlement, and when the run of a completed one started, if its text says so: the record keeps for how long it ran, in
 * fewer bytes.
 */
function encodeOutcome(settlement: Settlement): { started: string; outcome: string } {
  const ending = settlement.kind === "completed" && !settlement.stops &&
    divideEnding(settlement.text);
  if (!ending) return { started: "", outcome: encodeSettlement(settlement) };
  return { started: ending.started, outcome: `c${ending.text}` };
}

function ttlOf(settlement: Settlement, recordTtl: Millis): Millis {
  return whole("ttl" in settlement ? settlement.ttl ?? recordTtl : recordTtl);
}

/** Groups leases by token: token, size, keys. */
export function groupLeases(leases: readonly Lease[]): Grouped {
  const groups = new Map<string, number[]>();
  leases.forEach(({ token }, i) => {
    const group = groups.get(token);
    if (group) group.push(i);
    else groups.set(token, [i]);
  });
  const rest: (string | number)[] = [];
  const order: number[] = [];
  for (const [token, group] of groups) {
    rest.push(token, group.length);
    for (const i of group) {
      rest.push(leases[i].key);
      order.push(i);
    }
  }
  return { rest, order };
}

const REASONS: Readonly<Record<CancelReason, string>> = {
  cancelled: "c",
  replaced: "r",
  struck: "s",
  dropped: "d",
  cleared: "x",
};

/** The gates that it leaves, before the settlement. */
function encodeLeaves(leaves: Commit["leaves"]): string {
  if (!leaves || leaves.length === 0) return "";
  const each = leaves.map(({ id, max }) => `${Buffer.byteLength(id)}|${max}|${id}`);
  return `G${leaves.length}|${each.join("")}`;
}

const GATES: Readonly<Record<Gate["kind"], string>> = {
  concurrency: "h",
  rate: "r",
  cooldown: "c",
  debounce: "d",
};

/** What goes to the script of an entry: key, token, TTL, how many gates; and five values for each of these. */
export function encodeEntry({ key, token, gates, ttl }: Entry): (string | number)[] {
  const encoded: (string | number)[] = [key, token, `${whole(ttl)}`, gates.length];
  for (const gate of gates) encoded.push(GATES[gate.kind], gate.id, ...valuesOf(gate));
  return encoded;
}

function valuesOf(gate: Gate): readonly [number, number, number] {
  switch (gate.kind) {
    case "concurrency":
      return [gate.max, 0, 0];
    case "rate":
      return [gate.max, gate.per, gate.excess === "drop" ? 1 : 0];
    case "cooldown":
      return [gate.period, 0, 0];
    case "debounce":
      return [gate.quiet, 0, 0];
  }
}

function encodeSettlement(settlement: Settlement): string {
  switch (settlement.kind) {
    case "completed":
    case "failed": {
      const { kind, text, stops } = settlement;
      return `${stops ? "E" : ""}${kind === "completed" ? "C" : "F"}${text}`;
    }
    case "cancelled":
      return `X${REASONS[settlement.reason]}${settlement.text}`;
    case "dead":
      return `D${settlement.text}`;
    case "retried":
      return `T${encodeDue(settlement.due)}`;
    case "released":
      return `${settlement.held ? "H" : "L"}${encodeDue(settlement.due)}`;
    case "succeeded": {
      const { generation, due, body } = settlement;
      const ending = encodeEnd(settlement);
      const text = ending.slice(1);
      const head = `P${ending[0]}${generation}${encodeDue(due)}`;
      return `${head}|${Buffer.byteLength(text)}|${text}${body}`; // Lua counts bytes
    }
  }
}

/** A letter and the text; of a cancelled run its reason before the text. */
function encodeEnd(
  { state, reason = "cancelled", text }: Extract<Settlement, { kind: "succeeded" }>,
): string {
  if (state === "cancelled") return `X${REASONS[reason]}${text}`;
  return `${state === "completed" ? "C" : "F"}${text}`;
}
