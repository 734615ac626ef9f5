/**
 * Puts tasks on the docket.
 *
 * @module
 */

import { sleep } from "../base/clock.ts";
import { ConnectionError, PayloadTooLargeError } from "../base/errors.ts";
import { toMillis } from "../base/duration.ts";
import { randomId, timeOrderedId } from "../base/ids.ts";
import { Backoff } from "../base/loop.ts";
import { annotateMessage, encodeMessage } from "../base/message.ts";
import { type OptionNames, refuseUnknownOptions } from "../base/options.ts";
import { meters } from "../instrumentation/meters.ts";
import { tracing } from "../instrumentation/spans.ts";
import type { Call, Scheduling, Verdict } from "../storage/contract.ts";
import type { Docket } from "./docket.ts";
import { Execution, existing } from "./execution.ts";
import type { Internals } from "./internals.ts";
import { type AddOptions, type CallOptions, toDue, validateKey } from "./options.ts";
import type { Plan } from "./planned_call.ts";
import type { AnyFunction } from "./registry.ts";

const CALL_OPTIONS: OptionNames<CallOptions> = { when: true, delay: true, key: true, ttl: true };
const ADD_OPTIONS: OptionNames<AddOptions> = { ...CALL_OPTIONS, signal: true, durability: true };

/** No request to the storage has more calls. */
const MOST = 1_000;

/** How calls are sent. */
export type Sending = Pick<Scheduling, "signal" | "replication">;

/** Plans calls and schedules them, in the light of what is struck. */
export class Producer {
  readonly #docket: Docket;
  readonly #internals: Internals;
  readonly #maxPayloadBytes: number;

  constructor(docket: Docket, internals: Internals, maxPayloadBytes: number) {
    this.#docket = docket;
    this.#internals = internals;
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** Checks task and options now; the returned function checks and encodes the arguments. */
  plan(
    verb: "add" | "replace" | "call",
    task: AnyFunction | string,
    options: AddOptions,
  ): (args: readonly unknown[]) => Plan {
    const { registry } = this.#internals;
    const definition = typeof task === "string" ? registry.get(task) : registry.add(task);
    const name = typeof task === "string" ? task : definition!.name;
    if (name === "") throw new TypeError('Cannot add a task without a name: give one, not ""');
    refuseUnknownOptions(`${verb}()`, options, verb === "call" ? CALL_OPTIONS : ADD_OPTIONS);
    const due = toDue(options);
    const ttl = options.ttl === undefined ? undefined : Math.ceil(toMillis("ttl", options.ttl));
    const mode = verb === "replace" ? verb : "add";
    if (options.key !== undefined) validateKey(options.key);
    // An automatic task is there once: another key would be another chain, which nobody could name.
    const usual = options.key ?? (definition?.seed() ? name : undefined);
    return (args) => {
      const key = usual ?? timeOrderedId();
      return { mode, task: name, key, args, due, body: this.encode(name, args, ttl) };
    };
  }

  /**
   * The stored form of a task with its arguments.
   *
   * @throws {SerializationError} When an argument cannot be carried.
   * @throws {PayloadTooLargeError} When they are too large.
   */
  encode(task: string, args: readonly unknown[], ttl?: number): string {
    const { codec } = this.#internals;
    const encoded = codec.encode(args, "args");
    this.#refuseLarge(encoded, task, "arguments");
    return encodeMessage(task, encoded, codec, ttl);
  }

  /**
   * What is kept of a result.
   *
   * @throws {SerializationError} When it cannot be carried.
   * @throws {PayloadTooLargeError} When it is too large: many ask for it, and Redis may have little room.
   */
  encodeResult(task: string | undefined, result: unknown): string {
    const encoded = this.#internals.codec.encode(result, "result");
    this.#refuseLarge(encoded, task, "result");
    return encoded;
  }

  /** Schedules one call: in one go, unless something is struck. */
  async add(
    plan: (args: readonly unknown[]) => Plan,
    args: readonly unknown[],
    sending: Sending,
  ): Promise<Execution> {
    sending.signal?.throwIfAborted();
    this.#internals.closed.throwIfAborted();
    const planned = plan(args);
    const tracer = tracing();
    if (!tracer) return await this.#add(planned, sending);
    const { mode, task, key } = planned;
    const attributes = { "docket.task": task, "docket.key": key, "messaging.message.id": key };
    return await tracer.produce(
      this.#internals.name,
      mode,
      attributes,
      (trace) => this.#add(traced(planned, trace), sending),
    );
  }

  async #add(planned: Plan, sending: Sending): Promise<Execution> {
    const { storage, book } = this.#internals;
    const { key, mode, due, body } = planned;
    const { signal, replication } = sending;
    const call: Call = { key, generation: randomId(), mode, due, body };
    if (book.version !== undefined && book.strikes.empty) {
      const [verdict] = await storage.schedule([call], {
        signal,
        strikes: book.version,
        replication,
      });
      if (verdict.kind !== "outdated") return this.#handle(planned, call, verdict);
    }
    const [execution] = await this.#send([planned], [call], sending);
    return execution;
  }

  /** Schedules calls in the order given, and tells of each what became of it. */
  async scheduleAll(plans: readonly Plan[], sending: Sending = {}): Promise<Execution[]> {
    sending.signal?.throwIfAborted();
    this.#internals.closed.throwIfAborted();
    const tracer = tracing();
    if (!tracer || plans.length === 0) return await this.#scheduleAll(plans, sending);
    return await tracer.produce(
      this.#internals.name,
      "add",
      { "messaging.batch.message_count": plans.length },
      (trace) => this.#scheduleAll(plans.map((plan) => traced(plan, trace)), sending),
    );
  }

  /** Cancels a task. Its name, where it is known, is for those who count. */
  async cancel(
    target: { readonly key: string; readonly generation?: string },
    task?: string,
  ): Promise<"cancelled" | "requested" | "none"> {
    const { name, storage } = this.#internals;
    const cancel = async () => {
      const [answer] = await storage.cancel([target]);
      if (answer !== "none" && meters.look()) {
        meters.count("docket_tasks_cancelled", { docket: name, task });
      }
      return answer;
    };
    const tracer = tracing();
    if (!tracer) return await cancel();
    const { key } = target;
    const attributes = { "docket.key": key, "messaging.message.id": key };
    return await tracer.produce(name, "cancel", attributes, cancel);
  }

  async #scheduleAll(
    plans: readonly Plan[],
    sending: Sending,
  ): Promise<Execution[]> {
    const { storage, book } = this.#internals;
    const parts: { readonly plans: readonly Plan[]; readonly calls: readonly Call[] }[] = [];
    for (let from = 0; from < plans.length; from += MOST) {
      const some = plans.slice(from, from + MOST);
      const calls = some.map(({ key, mode, due, body }): Call => {
        return { key, generation: randomId(), mode, due, body };
      });
      parts.push({ plans: some, calls });
    }
    if (book.version === undefined) await this.#look(sending.signal);
    const options = { ...sending, strikes: book.version };
    // All at once only where nothing is struck: a part that has to look again must not be overtaken.
    const verdicts = book.strikes.empty
      ? await Promise.all(parts.map(({ calls }) => storage.schedule(calls, options)))
      : [];
    const executions: Execution[] = [];
    for (const [n, { plans, calls }] of parts.entries()) {
      const isDone = verdicts[n]?.every(({ kind }) => kind !== "outdated");
      const handles = isDone
        ? plans.map((plan, i) => this.#handle(plan, calls[i], verdicts[n][i]))
        : await this.#send(plans, calls, sending);
      for (const handle of handles) executions.push(handle);
    }
    return executions;
  }

  /** Until it has looked at the strikes that there are. Calls sent again have their old ids: nothing is scheduled twice. */
  async #send(
    plans: readonly Plan[],
    calls: readonly Call[],
    sending: Sending,
  ): Promise<Execution[]> {
    const { storage, book } = this.#internals;
    const { signal, replication } = sending;
    if (book.version === undefined) await this.#look(signal);
    let looked: string | undefined;
    for (;;) {
      const { version } = book;
      const struck = plans.map((plan) => this.#isStruck(plan));
      if (struck.includes(true) && looked !== version) {
        await this.#look(signal); // perhaps it was restored meanwhile
        looked = book.version;
        continue;
      }
      const open = struck.includes(true) ? calls.filter((_, i) => !struck[i]) : calls;
      const verdicts = open.length > 0
        ? await storage.schedule(open, { signal, strikes: version, replication })
        : [];
      if (verdicts.some(({ kind }) => kind === "outdated")) {
        await this.#look(signal);
        continue;
      }
      let next = 0;
      return plans.map((plan, i) => this.#handle(plan, calls[i], struck[i] || verdicts[next++]));
    }
  }

  /** Reads what is struck: with a signal until that aborts, like every verb. */
  async #look(signal: AbortSignal | undefined): Promise<void> {
    const { book, clock, closed } = this.#internals;
    const backoff = new Backoff(20, 1_000);
    for (;;) {
      try {
        return await book.refresh(signal);
      } catch (error) {
        signal?.throwIfAborted();
        closed.throwIfAborted();
        if (!signal || !(error instanceof ConnectionError)) throw error;
        await sleep(clock, backoff.next(), signal);
      }
    }
  }

  /** Where the task is not known, nor are the names of its parameters: the workers will look at those. */
  #isStruck({ task, args }: Plan): boolean {
    const { book: { strikes }, registry } = this.#internals;
    if (strikes.empty) return false;
    const definition = registry.get(task);
    if (!definition) return strikes.strikesTask(task);
    return strikes.find(task, definition.parameters, args) !== undefined;
  }

  #handle(plan: Plan, { generation }: Call, verdict: Verdict | true): Execution {
    const { key, task, args, due } = plan;
    const docket = this.#docket;
    if (meters.look()) this.#count(plan, verdict);
    if (verdict !== true && verdict.kind === "exists") return existing(docket, verdict.live);
    const now = this.#internals.clock.now();
    const when = due === undefined ? now : "at" in due ? due.at : now + due.after;
    if (verdict === true) {
      return new Execution({
        docket,
        key,
        generation,
        disposition: "struck",
        scheduled: { task, args, when, state: "cancelled" },
        found: {
          ended: { generation, state: "cancelled", endedAt: now, text: "", reason: "struck" },
        },
      });
    }
    const state = verdict.kind === "deferred" ? "waiting" : when > now ? "scheduled" : "queued";
    const disposition = verdict.kind === "deferred" ? "deferred" : "scheduled";
    return new Execution({
      docket,
      key,
      generation,
      disposition,
      scheduled: { task, args, when, state },
    });
  }

  /** What was there already counts for nothing. */
  #count({ mode, task }: Plan, verdict: Verdict | true): void {
    const labels = { docket: this.#internals.name, task };
    if (verdict === true) return meters.count("docket_tasks_stricken", labels);
    if (verdict.kind === "exists") return;
    meters.count(mode === "replace" ? "docket_tasks_replaced" : "docket_tasks_added", labels);
    meters.count("docket_tasks_scheduled", labels);
    if (verdict.kind === "deferred") meters.count("docket_tasks_superseded", labels);
  }

  #refuseLarge(encoded: string, task: string | undefined, kind: "arguments" | "result"): void {
    const limit = this.#maxPayloadBytes;
    if (encoded.length * 3 <= limit) return; // no character takes more than three bytes
    const bytes = new TextEncoder().encode(encoded).length;
    if (bytes <= limit) return;
    const what = kind === "arguments"
      ? `schedule "${task}": its arguments take`
      : `keep the result of "${task}": it takes`;
    throw new PayloadTooLargeError(
      `Cannot ${what} ${bytes} bytes, more than the ${limit} allowed`,
      bytes,
      limit,
    );
  }
}

/** The same call, which tells whoever runs it who scheduled it (invariant 83). */
function traced(plan: Plan, trace: string | undefined): Plan {
  return trace === undefined ? plan : { ...plan, body: annotateMessage(plan.body, { trace }) };
}
