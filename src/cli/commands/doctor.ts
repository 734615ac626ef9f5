/**
 * `docket doctor`: what is wrong with a docket and with where it is kept.
 *
 * @module
 */

import { object } from "@optique/core/constructs";
import type { Millis } from "../../base/clock.ts";
import type { Docket } from "../../docket/docket.ts";
import { internalsOf } from "../../docket/internals.ts";
import type { Examination, Finding, Storage } from "../../storage/contract.ts";
import { leaf } from "../command.ts";
import { connect } from "../connect.ts";
import { json, parsersOf, PLACE } from "../options.ts";
import { count, size, span } from "../render.ts";
import type { Terminal } from "../terminal.ts";

/** How often the time is asked for; the quickest answer says most. */
const QUESTIONS = 5;

/** What a clock may be wrong by, beyond what cannot be told. */
const TOLERABLE: Millis = 1_000;

/** How far this machine's clock is behind the storage's, give or take the bound. */
interface Clock {
  readonly offset: Millis;
  readonly bound: Millis;
}

/** The command. */
export const doctor = leaf({
  name: "doctor",
  brief: "Look for what is wrong; exits with 1 when something is",
  parser: object({ ...parsersOf(PLACE), json }),
  async run({ json, ...place }, terminal) {
    await using docket = await connect(place, terminal);
    const { storage } = internalsOf(docket);
    const examined = await storage.examine();
    const clock = await compareClocks(storage);
    const findings = [...examined.findings, ...judgeClock(clock)];
    if (json) terminal.json(toJson(docket, storage, { ...examined, findings }, clock));
    else show(docket, storage, { ...examined, findings }, clock, terminal);
    return findings.length > 0 ? 1 : 0;
  },
});

/**
 * Of several questions the one that was answered first: half of the time it took is the most that the answer can be off,
 * and a little more, as both clocks are read in whole milliseconds.
 */
async function compareClocks(storage: Storage): Promise<Clock> {
  let best: Clock = { offset: 0, bound: Infinity };
  for (let i = 0; i < QUESTIONS; i++) {
    const start = performance.now();
    const here = Date.now();
    const there = await storage.now();
    const half = (performance.now() - start) / 2;
    if (half + 1 >= best.bound) continue;
    best = { offset: Math.round(there - here - half), bound: Math.ceil(half) + 1 };
  }
  return best;
}

function judgeClock({ offset, bound }: Clock): Finding[] {
  if (Math.abs(offset) - bound <= TOLERABLE) return [];
  const text =
    `This machine's clock is ${span(Math.abs(offset))} ${offset > 0 ? "behind" : "ahead of"} ` +
    'the storage\'s, which decides: an instant given as "when" is reached at another time than this machine thinks; ' +
    "synchronise both";
  return [{ about: "clock", text }];
}

function show(
  { name }: Docket,
  { url }: Storage,
  { server, findings, unknown, families, partial, queue, consumers }: Examination,
  { offset, bound }: Clock,
  terminal: Terminal,
): void {
  terminal.print(`${name} at ${url}${server ? `, ${server}` : ""}`);
  const where = offset > 0 ? "behind" : "ahead of";
  terminal.print(
    `clock: ${Math.abs(offset)} ms ${where} the storage's, give or take ${bound} ms`,
  );
  const handedOut = queue.pending === undefined ? "" : `, ${queue.pending} of them handed out`;
  terminal.print(`queue: ${count(queue.entries, "task")}${handedOut}`);
  if (consumers) {
    const orphans = consumers.filter((one) => !one.alive).length;
    terminal.print(`consumers: ${consumers.length}, ${orphans} of them without a worker`);
  }
  if (families.length > 0) {
    const rows = families.map(({ name, holds, keys, entries, bytes }) => [
      name,
      holds,
      `${keys}`,
      entries === undefined ? "" : `${entries}`,
      bytes === undefined ? "" : size(bytes),
    ]);
    terminal.table(["KEYS", "WHAT THEY HOLD", "HOW MANY", "ENTRIES", "ABOUT"], rows);
  }
  if (partial) terminal.print("Some keys were not looked at");
  for (const what of unknown) terminal.print(`Unknown: ${what}`);
  for (const { about, text } of findings) terminal.print(`Wrong (${about}): ${text}`);
  if (findings.length === 0) terminal.print("Nothing is wrong that could be seen");
}

function toJson(
  { name }: Docket,
  { url }: Storage,
  { server, findings, unknown, families, partial, queue, consumers }: Examination,
  clock: Clock,
): unknown {
  return {
    docket: name,
    url,
    server: server ?? null,
    clock,
    findings,
    unknown,
    families: families.map(({ name, holds, keys, entries, bytes }) => ({
      name,
      holds,
      keys,
      entries: entries ?? null,
      bytes: bytes ?? null,
    })),
    partial,
    queue: { entries: queue.entries, pending: queue.pending ?? null },
    consumers: consumers ?? null,
  };
}
