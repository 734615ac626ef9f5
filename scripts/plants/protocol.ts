/**
 * The bugs that the simulator must find, planted one at a time by `scripts/plant.ts`: in what workers and the storage agree
 * on, where it takes a fault at the wrong moment to show.
 *
 * @module
 */

import { type Bug, patch } from "./plant.ts";

const requests = patch("src/storage/memory/requests.ts");
const work = patch("src/storage/memory/work.ts");
const site = patch("src/storage/memory/site.ts");
const gates = patch("src/storage/memory/gates.ts");
const places = patch("src/storage/memory/places.ts");
const fetcher = patch("src/worker/fetcher.ts");
const settler = patch("src/worker/settler.ts");
const reclaimer = patch("src/worker/reclaimer.ts");
const renewer = patch("src/worker/renewer.ts");
const scheduler = patch("src/worker/scheduler.ts");
const doorkeeper = patch("src/worker/doorkeeper.ts");

export const protocolBugs: readonly Bug[] = [
  {
    name: "a settlement counts under any token",
    simulator: work(
      "if (task?.run?.token !== token) return false;",
      "if (!task?.run) return false;",
    ),
  },
  {
    name: "live leases are taken over",
    simulator: work(
      "if (!task?.run || task.run.renewedAt > expired) break;",
      "if (!task?.run) break;",
    ),
  },
  {
    name: "a renewal keeps nothing",
    simulator: work(
      "    run.renewedAt = this.#clock.monotonic();\n    this.#tasks.stay",
      "    this.#tasks.stay",
    ),
  },
  {
    name: "a retry forgets that it is to be cancelled",
    simulator: work(
      "const ending = endingOf(task, settlement, ttl);",
      "if (settlement.kind === 'retried') task.cancelled = false;\n    const ending = endingOf(task, settlement, ttl);",
    ),
  },
  {
    name: "a retry is lost when it is to be cancelled",
    simulator: site(
      "    this.end(task, ending, now, consumer);\n    if (deferred)",
      "    if (!task.cancelled || ending.state !== 'cancelled') this.end(task, ending, now, consumer);\n    if (deferred)",
    ),
  },
  {
    name: "a cancelled task is taken over all the same",
    simulator: work("if (task.cancelled) { // never", "if (false) { // never"),
  },
  {
    name: "a replacement is lost when the run ends",
    simulator: site("if (deferred) this.tasks.admit", "if (deferred && false) this.tasks.admit"),
  },
  {
    name: "a replacement of what runs does not wait",
    simulator: requests(
      "    if (task?.run) {\n      // Deferred",
      "    if (task?.run && false) {\n      // Deferred",
    ),
  },
  {
    name: "a replacement whose answer was lost is dropped",
    simulator: requests(
      'if (task?.deferred?.generation === generation) return { kind: "deferred" };',
      'if (task?.deferred?.generation === generation) {\n      task.deferred = undefined;\n      return { kind: "deferred" };\n    }',
    ),
  },
  {
    name: "a schedule that is sent again is taken for new",
    simulator: requests(
      "#recognise({ key, generation }: Call, now: Millis): Verdict | undefined {",
      "#recognise({ key, generation }: Call, now: Millis): Verdict | undefined {\n    if (now) return;",
    ),
  },
  {
    name: "a step that is sent again claims again",
    simulator: work(
      "if (last && step.call <= last.call) return repeat(step, last, rules.version);",
      "",
    ),
  },
  {
    name: "what is due is forgotten by the second of a call",
    simulator: work(
      "this.#tasks.enqueue(task, now); // the very same",
      "if (promoted === 0) this.#tasks.enqueue(task, now); // the very same",
    ),
  },
  {
    name: "deliveries are not counted",
    simulator: work("task.deliveries++;", ""),
  },
  {
    name: "what dies keeps its place at the gate",
    simulator: site(
      "    this.tasks.giveBack(task, now);\n    if (ending.stops)",
      "    if (ending.state !== 'dead') this.tasks.giveBack(task, now);\n    if (ending.stops)",
    ),
  },
  {
    name: "what is cancelled keeps its place at the gate",
    simulator: site(
      "    this.tasks.giveBack(task, now);\n    this.end(task, cancelledAt",
      "    this.end(task, cancelledAt",
    ),
  },
  {
    name: "who comes again to the gate it holds is in its own way",
    simulator: gates("if (holders?.has(task)) return false;", ""),
  },
  {
    name: "a chain ends with a run that was handed out again",
    simulator: work(
      "const successor = cancelled ? undefined : successorOf(settlement);",
      "const successor = cancelled || task.deliveries > 1 ? undefined : successorOf(settlement);",
    ),
  },
  {
    name: "what is cancelled leaves no record",
    simulator: site(
      "    this.end(task, cancelledAt(task.attempt, reason, ttl), now);\n  }\n\n  /** Ends a replacement",
      "  }\n\n  /** Ends a replacement",
    ),
  },
  {
    name: "a dropped replacement is told to nobody",
    simulator: site("    this.end(dropped, cancelledAt(1, reason, ttl), now);", ""),
  },
  {
    name: "what is queued is told to one who waits, and only once",
    simulator: places("    this.#hints.arrival();\n    this.#hints.state", "    this.#hints.state"),
  },
  {
    name: "a claim that is told again is started again",
    simulator: fetcher(
      "if (this.#options.running.has(key, token) || this.#settler.has(key, token)) return true;",
      "",
    ),
  },
  {
    name: "what was settled while it was asked for is taken up again",
    simulator: settler("if (this.#asking > 0) this.#confirmed.push(commits);", ""),
  },
  {
    name: "who is busy never takes over",
    simulator: reclaimer(
      "await room.whenRoom(signal);",
      "if (room.room < 0) return;",
    ),
  },
  {
    name: "what is claimed after a stall is started all the same",
    simulator: fetcher(
      "if (now - sentAt >= DOUBTFUL * lease) return release(claim);",
      "",
    ),
  },
  {
    name: "only the first lease is renewed",
    simulator: renewer("const runs = [...running];", "const runs = [...running].slice(0, 1);"),
  },
  {
    name: "nobody gives up a lease that may be lost",
    simulator: renewer(
      "if (run.renewedAt < doubtful) lose(run);",
      "if (run.renewedAt < 0) lose(run);",
    ),
  },
  {
    name: "who is not hinted at never looks what is due",
    simulator: scheduler("Math.min(next, POLL)", "Math.min(next, 1e9)"),
  },
  {
    name: "who waits before a gate runs",
    simulator: doorkeeper('ttl }) === "passed"', 'ttl }) !== "dropped"'),
  },
  {
    name: "a claim counts from its answer on",
    simulator: fetcher("    start(claim, sentAt);", "    start(claim, now);"),
  },
];
