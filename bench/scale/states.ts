/**
 * Tasks that lie on a docket: one subject for each state in which there may be many.
 *
 * @module
 */

import { type Docket, type PlannedCall, Worker } from "../../mod.ts";
import { randomId } from "../../src/base/ids.ts";
import { type Gate, NEW } from "../../src/storage/contract.ts";
import type { Place } from "../scenario.ts";
import { connect, customer, type Welcome } from "./work.ts";
import { freshMetrics, measureFresh } from "./fresh.ts";
import { lookMetrics, measureLooks, open } from "./looks.ts";
import { bytesEach, inChunks, type Subject } from "./subject.ts";

const CHUNK = 5_000;

/** Every state in which a million tasks may be; those in line are dearer to put there, and fewer. */
export const states: readonly Subject[] = [
  state("pending", "tasks that are queued", [1e3, 1e4, 1e5, 1e6], fillPending),
  state("scheduled", "tasks that are due tomorrow", [1e3, 1e4, 1e5, 1e6], fillScheduled),
  state("terminal", "records of tasks that completed", [1e3, 1e4, 1e5, 1e6], fillTerminal),
  state("waiting", "tasks in line before a limit", [1e3, 1e4, 1e5], fillWaiting),
];

function state(
  name: string,
  title: string,
  counts: readonly number[],
  fill: Subject["fill"],
): Subject {
  return {
    name,
    title,
    counts,
    mostRepeated: 100_000,
    metrics: { ...freshMetrics, ...lookMetrics, bytes: bytesEach },
    fill,
    async measure(place, _count, key = "") {
      const looks = await measureLooks(place, key);
      return { ...await measureFresh(place), ...looks };
    },
  };
}

async function fillPending(place: Place, count: number): Promise<string | undefined> {
  await using docket = await connect(place);
  return await addMany(docket, count, (i) => docket.call<Welcome>("welcome")(customer(i)));
}

async function fillScheduled(place: Place, count: number): Promise<string | undefined> {
  await using docket = await connect(place);
  const delay = { days: 1 };
  return await addMany(docket, count, (i) => {
    return docket.call<Welcome>("welcome", { delay })(customer(i));
  });
}

/** Adds and runs them, side by side. */
async function fillTerminal(place: Place, count: number): Promise<string | undefined> {
  const done = new AbortController();
  let left = count;
  const welcome: Welcome = () => {
    if (--left === 0) done.abort();
  };
  await using docket = await connect(place, { tasks: { welcome } });
  await using worker = new Worker(docket, { concurrency: 100 });
  const running = worker.runForever({ signal: done.signal });
  const key = await addMany(docket, count, (i) => docket.call(welcome)(customer(i)));
  await running;
  return key;
}

/** The first of them holds the gate, and the rest stand in line. It is a worker's part, played with the storage's verbs. */
async function fillWaiting(place: Place, count: number): Promise<string | undefined> {
  await using docket = await connect(place);
  await using storage = await open(place);
  const gates: readonly Gate[] = [{ kind: "concurrency", id: "line", max: 1 }];
  const consumer = `filler~${randomId()}`;
  let key: string | undefined;
  let call = 0;
  await inChunks(count + 1, 1_000, async (from, to) => {
    key = await addMany(docket, to - from, (i) => {
      return docket.call<Welcome>("welcome")(customer(from + i));
    });
    const token = randomId();
    const { claims } = await storage.step({
      consumer,
      lane: 0,
      call: call++,
      token,
      commits: [],
      want: 1_000,
      from: NEW,
      maxDeliveries: 5,
    });
    await storage.enter(claims.map(({ key }) => ({ key, token, gates, ttl: 900_000 })));
  });
  return key;
}

/** Gives the key of the last. */
async function addMany(
  docket: Docket,
  count: number,
  plan: (i: number) => PlannedCall,
): Promise<string | undefined> {
  let key: string | undefined;
  await inChunks(count, CHUNK, async (from, to) => {
    const executions = await docket.addAll(
      Array.from({ length: to - from }, (_, i) => plan(from + i)),
    );
    key = executions.at(-1)?.key;
  });
  return key;
}
