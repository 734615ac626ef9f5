/**
 * The processes of a simulation: workers and producers, as they come and go.
 *
 * @module
 */

import { Docket, type Execution, Worker } from "../../mod.ts";
import type { Millis } from "../../src/base/clock.ts";
import type { Chronicle } from "./chronicle.ts";
import { Host } from "./host.ts";
import { Link } from "./link.ts";
import { isGentle, type Plan, type Request } from "./plan.ts";
import type { Random } from "./random.ts";
import type { Server } from "./server.ts";
import type { Timeline } from "./timeline.ts";
import type { Weather } from "./weather.ts";
import { type Stage, tasksOf } from "./workload.ts";

/** Long after all is over: whoever looks finds every last record. */
const KEPT: Millis = 3_600_000;

/** A process with a docket. */
interface Process {
  readonly host: Host;
  readonly link: Link;
  readonly docket: Docket;
}

/** One that works. */
interface Working extends Process {
  readonly stop: AbortController;
  /** Resolves when it has stopped. */
  readonly done: Promise<void>;
}

/** What a {@linkcode Crew} needs. */
export interface CrewOptions {
  readonly timeline: Timeline;
  readonly chronicle: Chronicle;
  readonly random: Random;
  readonly server: Server;
  readonly weather: Weather;
  readonly plan: Plan;
}

/** All processes. */
export class Crew {
  readonly #options: CrewOptions;
  readonly #stage: Stage;
  readonly #workers: Working[] = [];
  readonly #producers: Process[] = [];
  #hired = 0;
  #bodies = 0;
  #starting = 0;
  /** Of producers that live: what they wait for. */
  readonly #waiting = new Map<Promise<unknown>, Host>();
  /** What has gone wrong that no history shows. */
  readonly complaints: string[] = [];

  constructor(options: CrewOptions) {
    const { chronicle, server, plan } = options;
    this.#options = options;
    this.#stage = {
      chronicle,
      server,
      count: () => ++this.#bodies,
      lose: (run) => {
        if (isGentle(plan)) this.complaints.push(`${run} has lost its lease, and nothing broke`);
      },
    };
  }

  /** Whether there are workers, and no other is to come. */
  get isComplete(): boolean {
    return this.#workers.length > 0 && this.#starting === 0;
  }

  /** Whether somebody still waits for something. */
  get waits(): boolean {
    return [...this.#waiting.values()].some((host) => !host.dead);
  }

  /** Starts another worker after a while. */
  hireAfter(delay: Millis): void {
    this.#starting++;
    this.#options.timeline.after(delay, () => {
      void this.hire().finally(() => this.#starting--);
    });
  }

  /** Starts another worker. */
  async hire(): Promise<void> {
    const { plan } = this.#options;
    const process = await this.#connect(`w${++this.#hired}`);
    const { docket, host } = process;
    const worker = new Worker(docket, {
      name: host.name,
      concurrency: plan.concurrency,
      maxDeliveries: plan.maxDeliveries,
      redeliveryTimeout: plan.lease,
      reconnectionDelay: 300,
      gracePeriod: 200,
    });
    const stop = new AbortController();
    const done = worker.runForever({ signal: stop.signal }).then(() => docket.close());
    this.#workers.push({ ...process, stop, done });
    done.catch((error) => this.complaints.push(`${host.name} ended: ${error}`));
  }

  /** Starts another producer. */
  async enlist(): Promise<void> {
    this.#producers.push(await this.#connect(`p${this.#producers.length + 1}`));
  }

  /** Has a producer ask. */
  ask(request: Request): void {
    const producer = this.#producers[request.producer];
    if (!producer || producer.host.dead) return;
    const { host } = producer;
    const asking = this.#ask(producer, request).catch((error) => {
      this.#note(host, `cannot ${request.kind} ${request.key}: ${error.name}`);
    }).finally(() => this.#waiting.delete(asking));
    this.#waiting.set(asking, host);
  }

  /** Kills a worker. */
  kill(which: number): boolean {
    const working = this.#workers.splice(which % this.#workers.length, 1).at(0);
    if (working) this.#kill(working.host);
    return working !== undefined;
  }

  /** Kills a producer. */
  killProducer(which: number): void {
    const producer = this.#producers[which];
    if (producer) this.#kill(producer.host);
  }

  /** Stops a worker, and has it go on later. */
  stall(which: number, span: Millis): void {
    const { timeline, chronicle, plan } = this.#options;
    const working = this.#workers[which % this.#workers.length];
    if (!working?.host.up) return;
    const { host } = working;
    chronicle.tell({ kind: "adrift", worker: host.name });
    host.freeze();
    timeline.after(span, () => {
      if (host.dead) return;
      this.#note(host, "goes on");
      host.thaw();
      timeline.after(plan.lease, () => chronicle.tell({ kind: "steady", worker: host.name }));
    });
  }

  /** Has a worker stop by itself. */
  dismiss(which: number): boolean {
    const working = this.#workers.splice(which % this.#workers.length, 1).at(0);
    if (!working) return false;
    this.#note(working.host, "is to stop");
    working.stop.abort();
    this.#leaving.push(working);
    return true;
  }

  readonly #leaving: Working[] = [];

  /** Has all workers stop; resolves when they have. */
  async dismissAll(): Promise<void> {
    while (this.dismiss(0)) { /* the next */ }
    for (const { done } of this.#leaving) await done;
  }

  /** What those who have left in order have left behind: timers that are set, calls that nobody answers. */
  remains(): readonly string[] {
    return this.#leaving.filter(({ host, link }) => !host.dead && host.timers + link.underWay > 0)
      .map(({ host, link }) =>
        `${host.name} has left ${host.timers} timers and ${link.underWay} calls`
      );
  }

  async #connect(name: string): Promise<Process> {
    const { timeline, chronicle, server, weather, random, plan } = this.#options;
    const skew = random.pick([0, 0, 1, -1]) * random.between(1, 3_600_000);
    const host = new Host(name, timeline, skew);
    const { patience } = plan;
    const link = new Link({ host, server, weather, timeline, chronicle, patience });
    this.#note(host, "begins");
    const docket = await Docket.connect({
      storage: link.storage,
      clock: host.clock,
      heartbeatInterval: 500,
      executionTtl: KEPT,
      tasks: tasksOf(host, this.#stage),
    });
    return { host, link, docket };
  }

  async #ask({ docket, host }: Process, request: Request): Promise<void> {
    const { key } = request;
    switch (request.kind) {
      case "cancel":
        return this.#note(host, `cancel ${key}: ${await docket.cancel(key)}`);
      case "strike": {
        const { task, span } = request;
        await docket.strike({ task });
        this.#note(host, `struck ${task}`);
        await new Promise<void>((resolve) => host.clock.timer(span, resolve));
        // Whoever cannot tell whether it is done does it again.
        for (let isDone = false; !isDone;) {
          isDone = await docket.restore({ task }).then(() => true, () => false);
        }
        return this.#note(host, `restored ${task}`);
      }
      case "add":
      case "replace": {
        const { kind, task, script, delay, waits } = request;
        const schedule = kind === "add"
          ? docket.add(task, { key, delay })
          : docket.replace(task, { key, delay });
        const execution: Execution = await schedule(script);
        this.#note(host, `${kind} ${key}: ${execution.disposition}`);
        if (!waits || execution.disposition === "struck") return;
        await execution.result().catch(() => {});
        return this.#note(host, `knows that ${key} is ${execution.state}`);
      }
    }
  }

  #kill(host: Host): void {
    host.kill();
    this.#options.chronicle.tell({ kind: "died", worker: host.name });
  }

  #note({ name }: Host, what: string): void {
    this.#options.chronicle.note(name, what);
  }
}
