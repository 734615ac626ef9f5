/**
 * Work spread over a window: invariant 12.
 *
 * @module
 */

import {
  deepStrictEqual as deepEqual,
  ok,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { Agenda, type Execution } from "../../mod.ts";
import { onEveryStorage } from "../_harness.ts";

function remind(customerId: number): number {
  return customerId;
}

const START = Date.UTC(2100, 0, 1, 9);
const HOUR = 3_600_000;

/** Minutes after the start. */
function minutes(executions: readonly Execution[]): number[] {
  return executions.map(({ when }) => (when!.getTime() - START) / 60_000);
}

function agendaOf(size: number): Agenda {
  const agenda = new Agenda();
  for (let id = 0; id < size; id++) agenda.add(remind, { key: `remind-${id}` })(id);
  return agenda;
}

onEveryStorage("Agenda.scatter()", (test) => {
  test("spreads calls evenly, both ends included, and puts a single one in the middle", async (stage) => {
    const docket = await stage.connect();

    deepEqual(await new Agenda().scatter(docket, { over: "1h" }), []);
    const one = await agendaOf(1).scatter(docket, { over: "1h", start: START });
    await docket.clear();
    const five = await agendaOf(5).scatter(docket, { over: "1h", start: new Date(START) });

    deepEqual(minutes(one), [30]);
    deepEqual(minutes(five), [0, 15, 30, 45, 60]);
    deepEqual(
      five.map(({ task, args }) => [task, args]),
      [0, 1, 2, 3, 4].map((id) => ["remind", [id]]),
    );
    equal(agendaOf(5).size, 5);
  });

  test("begins now, by the docket's clock, unless it is told when", async (stage) => {
    const docket = await stage.connect();
    const { takenAt: before } = await docket.snapshot();

    const executions = await agendaOf(3).scatter(docket, { over: "1h" });

    const { takenAt: after, scheduled } = await docket.snapshot();
    for (const [i, offset] of [[1, HOUR / 2], [2, HOUR]] as const) {
      const due = (await executions[i].refresh()).when!.getTime() - offset;
      ok(before.getTime() <= due && due <= after.getTime() + 1, `${due}`);
    }
    equal(scheduled.length, 2); // the first is due at once
  });

  test("can be repeated with keys of its own, and tells what each call did", async (stage) => {
    const docket = await stage.connect();
    const agenda = agendaOf(3);
    const options = { over: "1h", start: START };
    await docket.cancel("remind-1");
    await agendaOf(2).scatter(docket, options);

    const executions = await agenda.scatter(docket, options);

    deepEqual(executions.map(({ disposition }) => disposition), ["exists", "exists", "scheduled"]);
    deepEqual(minutes(executions), [0, 60, 60]); // what exists stays where it is
    equal((await docket.snapshot()).counts.scheduled, 3);
  });

  test("schedules nothing when one of the calls cannot be scheduled", async (stage) => {
    const docket = await stage.connect();
    const agenda = agendaOf(2);
    agenda.add("remind")(() => {});

    await rejects(agenda.scatter(docket, { over: "1h" }), { code: "SERIALIZATION" });

    equal((await docket.snapshot()).counts.scheduled, 0);
    equal((await docket.snapshot()).counts.queued, 0);
  });

  test("moves each call by some of the jitter, and none before the window", async (stage) => {
    const docket = await stage.connect();
    const agenda = new Agenda();
    for (let id = 0; id < 50; id++) agenda.add(remind)(id);

    const executions = await agenda.scatter(docket, { over: "1h", start: START, jitter: "2m" });

    const moved = minutes(executions).map((minute, i) => minute - 60 * i / 49);
    ok(moved.every((by, i) => Math.abs(by) <= 2.001 && 60 * i / 49 + by >= 0), `${moved}`);
    ok(new Set(moved).size > 10, "nothing was moved");
  });

  test("refuses options that cannot be used, before anything is scheduled", async (stage) => {
    const docket = await stage.connect();
    const agenda = agendaOf(2);

    for (const over of [-1, NaN, "an hour"]) {
      await rejects(agenda.scatter(docket, { over }), RangeError);
    }
    await rejects(agenda.scatter(docket, { over: "1h", jitter: -1 }), RangeError);
    await rejects(agenda.scatter(docket, { over: "1h", jiter: 1 } as never), TypeError);
    throws(() => agenda.add(remind, { when: 5 } as never), TypeError);
    throws(() => agenda.add(remind, { key: "x".repeat(2_000) }), RangeError);
    await rejects(async () => await (agenda.add(remind) as never), TypeError); // forgotten arguments
    equal(agenda.size, 2);
    equal((await docket.snapshot()).counts.scheduled, 0);
  });
});
