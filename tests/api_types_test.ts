/**
 * What the compiler promises to users, and what happens at run time to those who do not ask it.
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
import { test } from "node:test";
import {
  Dependency,
  Depends,
  Docket,
  type DurationLike,
  type Execution,
  type ExecutionProgress,
  ExponentialRetry,
  type InstantLike,
  logged,
  loggedLength,
  type NameOf,
  Params,
  Perpetual,
  type PerpetualState,
  type PlannedCall,
  type Progress,
  Retry,
  type RetryState,
  type Snapshot,
  standardTasks,
  type Strike,
  task,
  type TaskContext,
  type TaskLogger,
  Timeout,
  type TimeoutState,
  Worker,
  type WorkerInfo,
} from "@docket/docket";
import type { Logger } from "@logtape/logtape";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;
function typed<_T extends true>(): void {}

// ── The declarations a user would write ─────────────────────────────────────────────────────────

async function greet(name: string, greeting = "Hello"): Promise<string> {
  return await Promise.resolve(`${greeting}, ${name}!`);
}

class Connection implements AsyncDisposable {
  closed = false;

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = await Promise.resolve(true);
  }
}

const opened: Connection[] = [];
const connection = new Depends(({ signal }) => {
  signal.throwIfAborted();
  const opening = new Connection();
  opened.push(opening);
  return opening;
});

const customers = new Depends({ connection }, ({ connection, key }) => ({
  find: (id: number) => `${id} via ${key}, closed: ${connection.closed}`,
}));

const yielded = new Depends(function* () {
  yield { rows: 3 };
});
const yieldedLater = new Depends(async function* ({ signal }) {
  signal.throwIfAborted();
  yield { query: (text: string) => text.length };
});
const promised = new Depends(() => Promise.resolve(1));

/** Looks at the first argument of its tasks, which must be a number. */
class ById extends Dependency<void, [id: number]> {
  override open(): void {}
}

/** As {@linkcode ById}, for what a function of the user's makes of the arguments. */
class By<Args extends readonly unknown[]> extends Dependency<void, Args> {
  readonly by: (...args: Args) => string | number;

  constructor(by: (...args: Args) => string | number) {
    super();
    this.by = by;
  }

  override open(): void {}
}

const sendWelcomeEmail = task(
  "sendWelcomeEmail",
  {
    retry: new Retry({ attempts: 5, delay: { seconds: 3 } }),
    timeout: new Timeout({ minutes: 1 }),
    db: connection,
  },
  async (
    { retry, db, signal },
    customerId: number,
    name: string,
    locale = "en",
  ): Promise<string> => {
    signal.throwIfAborted();
    await Promise.resolve(db.closed);
    return `${customerId} ${name} ${locale} attempt ${retry.attempt}`;
  },
);

const pollForChanges = task(
  "pollForChanges",
  async ({ docket, key }, file: string): Promise<void> => {
    await docket.replace(pollForChanges, { delay: "10s", key })(file);
  },
);

const lookUp = task(
  "lookUp",
  { customers },
  ({ customers }, id: number): string => customers.find(id),
);

// ── What the compiler says ──────────────────────────────────────────────────────────────────────

typed<
  Equal<
    Parameters<typeof sendWelcomeEmail>,
    [customerId: number, name: string, locale?: string | undefined]
  >
>();
typed<Equal<Parameters<typeof pollForChanges>, [file: string]>>();
typed<Equal<Awaited<ReturnType<typeof sendWelcomeEmail>>, string>>();
typed<Equal<Awaited<ReturnType<typeof lookUp>>, string>>(); // a promise, whatever the handler returns
typed<Equal<ReturnType<typeof lookUp>, Promise<string>>>();
typed<Equal<NameOf<typeof sendWelcomeEmail>, "sendWelcomeEmail">>();
typed<Equal<NameOf<typeof greet>, string>>();
typed<Equal<TaskContext["log"], TaskLogger>>();

/** LogTape's logger is what `log` is; no type of LogTape's is in the public surface. */
export const _log = (logger: Logger): TaskLogger => logger;

export async function _scheduling(docket: Docket): Promise<void> {
  const greeted = await docket.add(greet)("Jane");
  typed<Equal<typeof greeted, Execution<string>>>();
  await docket.add(greet, { when: new Date(), key: "greet" })("John", "Howdy");
  const sent = await docket.add(sendWelcomeEmail)(12345, "Jane");
  typed<Equal<Awaited<ReturnType<typeof sent.result>>, string>>();
  await docket.replace(sendWelcomeEmail, { key: "welcome" })(12345, "Jane", "fr");

  // @ts-expect-error wrong argument type
  await docket.add(sendWelcomeEmail)("12345", "Jane");
  // @ts-expect-error missing argument
  await docket.add(sendWelcomeEmail)(12345);
  // @ts-expect-error dependencies are not the caller's to pass
  await docket.add(sendWelcomeEmail)(12345, "Jane", "en", { retry: null });
  // @ts-expect-error an argument without an annotation keeps the type of its default
  await docket.add(sendWelcomeEmail)(12345, "Jane", 42);
  // @ts-expect-error wrong argument type through a plain function
  await docket.add(greet)(42);
  // @ts-expect-error wrong argument type in a replacement
  await docket.replace(greet, { key: "greet" })(42);
}

export async function _forgetting(docket: Docket): Promise<unknown> {
  // @ts-expect-error the second call is missing (TS1320)
  await docket.add(greet);
  // @ts-expect-error the second call is missing (TS1320)
  await docket.add("greet");
  // @ts-expect-error the second call is missing (TS1320)
  await docket.add<typeof greet>("greet");
  // @ts-expect-error the second call is missing (TS1320)
  await docket.replace(greet, { key: "greet" });
  // @ts-expect-error the second call is missing (TS1320)
  await docket.call(greet);
  // @ts-expect-error the second call is missing
  await docket.addAll([docket.call(greet)]);
  // @ts-expect-error the second call is missing (TS1058)
  return docket.add(greet);
}

function count(n: number): number {
  return n;
}

export async function _planning(docket: Docket): Promise<void> {
  const [greeted, counted, sent, named] = await docket.addAll([
    docket.call(greet)("Jane"),
    docket.call(count, { key: "count", ttl: "1h" })(5),
    docket.call<typeof sendWelcomeEmail>("sendWelcomeEmail", { delay: 5 })(12345, "Jane"),
    docket.call("anythingAtAll")(1, "two"),
  ]);
  typed<Equal<typeof greeted, Execution<string>>>();
  typed<Equal<typeof counted, Execution<number>>>();
  typed<Equal<typeof sent, Execution<string>>>();
  typed<Equal<typeof named, Execution<unknown>>>();
  const call = docket.call(count)(5);
  typed<Equal<typeof call, PlannedCall<number>>>();
  const same = await docket.addAll([1, 2, 3].map((n) => docket.call(count)(n)), {
    signal: AbortSignal.timeout(5_000),
  });
  typed<Equal<typeof same, Execution<number>[]>>();
  const mixed: PlannedCall[] = [docket.call(count)(1), docket.call(greet)("Jane")];
  const results = await docket.addAll(mixed);
  typed<Equal<typeof results, Execution<unknown>[]>>();
  const none = await docket.addAll([]);
  typed<Equal<typeof none, []>>();

  // @ts-expect-error wrong argument type
  docket.call(sendWelcomeEmail)("12345", "Jane");
  // @ts-expect-error missing argument
  docket.call(sendWelcomeEmail)(12345);
  // @ts-expect-error one argument too many
  docket.call(count)(1, 2);
  // @ts-expect-error misspelt name
  docket.call<typeof sendWelcomeEmail>("sendWelcomEmail")(12345, "Jane");
  // @ts-expect-error by-name call is checked against the imported type
  docket.call<typeof sendWelcomeEmail>("sendWelcomeEmail")("12345", "Jane");
  // @ts-expect-error a plan waits for nothing: the signal belongs to addAll()
  docket.call(greet, { signal: AbortSignal.timeout(5) });
  // @ts-expect-error misspelt option
  docket.call(greet, { dealy: 3 });
  // @ts-expect-error not a planned call: it was scheduled already
  await docket.addAll([docket.add(greet)("Jane")]);
  // @ts-expect-error not a planned call
  await docket.addAll([greet]);
  // @ts-expect-error one is no list
  await docket.addAll(docket.call(greet)("Jane"));
  // @ts-expect-error the result of one is not that of another
  const _wrong: PlannedCall<string> = docket.call(count)(1);
}

export async function _keeping(docket: Docket): Promise<void> {
  for (const ttl of [0, 1_500, "1h", { minutes: 5 }, Temporal.Duration.from({ days: 1 })]) {
    await docket.add(greet, { ttl })("Jane");
    await docket.replace(greet, { key: "greet", ttl })("Jane");
  }
  await Docket.connect({ executionTtl: "1h" });
  await Docket.connect({ executionTtl: { completed: "1h", failed: { minutes: 5 }, cancelled: 0 } });

  // @ts-expect-error a date is not a span
  await docket.add(greet, { ttl: new Date() })("Jane");
  // @ts-expect-error one call has one ttl
  await docket.add(greet, { ttl: { completed: 5 } })("Jane");
  // @ts-expect-error no such end
  await Docket.connect({ executionTtl: { dead: 5 } });
}

export async function _replicating(docket: Docket): Promise<void> {
  const durability = { replicas: 1, timeout: "500ms" };
  await docket.add(greet, { durability })("Jane");
  await docket.add(greet, { durability: { replicas: 2 } })("Jane");
  await docket.replace(greet, { key: "greet", durability })("Jane");
  await docket.addAll([docket.call(greet)("Jane")], { durability });

  // @ts-expect-error how many?
  await docket.add(greet, { durability: { timeout: 500 } })("Jane");
  // @ts-expect-error misspelt option
  await docket.add(greet, { durability: { replicas: 1, timout: 500 } })("Jane");
  // @ts-expect-error not in its long form
  await docket.add(greet, { durability: 1 })("Jane");
  // @ts-expect-error a plan waits for nothing: this belongs to addAll()
  docket.call(greet, { durability });
}

export async function _striking(docket: Docket): Promise<void> {
  await docket.strike({ task: "greet" });
  await docket.strike({ task: greet });
  await docket.strike({ parameter: "customerId", value: 12345 });
  await docket.strike({ task: sendWelcomeEmail, parameter: "customerId", value: 12345 });
  await docket.strike({
    task: greet,
    parameter: "order.total",
    operator: "between",
    value: [1, 2],
  });
  const restored = await docket.restore({
    task: greet,
    parameter: "name",
    operator: "!=",
    value: 1,
  });
  typed<Equal<typeof restored, boolean>>();
  const struck = await docket.strikes();
  typed<Equal<typeof struck, Strike[]>>();
  for (const strike of struck) await docket.restore(strike);
  typed<Equal<(typeof struck)[number]["task"], string | undefined>>();

  // @ts-expect-error no such operator
  await docket.strike({ task: greet, parameter: "name", operator: "=>", value: 1 });
  // @ts-expect-error neither a task nor a name
  await docket.strike({ task: 5 });
  // @ts-expect-error parameters are called by name or by "0"
  await docket.strike({ task: greet, parameter: 0, value: 1 });
  // @ts-expect-error misspelt field
  await docket.strike({ task: greet, params: "name", value: 1 });
}

export async function _lookingAround(docket: Docket): Promise<void> {
  const snapshot = await docket.snapshot({ limit: 5 });
  typed<Equal<typeof snapshot, Snapshot>>();
  const workers = [...await docket.workers(), ...await docket.taskWorkers(greet)];
  typed<Equal<typeof workers, WorkerInfo[]>>();
  const bad = [...await docket.failed(), ...await docket.dead({ limit: 5 })];
  typed<Equal<typeof bad, Execution<unknown>[]>>();
  const cleared = await docket.clear();
  typed<Equal<typeof cleared, number>>();
  const again = await (await docket.execution<typeof greet>("greet"))?.retry();
  typed<Equal<typeof again, Execution<string> | undefined>>();
  await docket.add(standardTasks.sleep)(0.5);
  await docket.add<typeof standardTasks.trace>("trace")("hello");

  // @ts-expect-error a number
  await docket.snapshot({ limit: "5" });
  // @ts-expect-error seconds are a number
  await docket.add(standardTasks.sleep)("5s");
}

export async function _following(execution: Execution<string>): Promise<void> {
  for await (const event of execution.events({ signal: AbortSignal.timeout(5) })) {
    typed<Equal<typeof event.at, Date>>();
    switch (event.kind) {
      case "state":
        typed<Equal<typeof event.state, Execution["state"]>>();
        typed<Equal<typeof event.attempt, number>>();
        typed<Equal<typeof event.worker, string | undefined>>();
        typed<Equal<typeof event.reason, Execution["reason"]>>();
        // @ts-expect-error only progress tells how far it is
        event.current satisfies number;
        break;
      case "progress":
        typed<Equal<typeof event.current, number>>();
        typed<Equal<typeof event.total, number>>();
        typed<Equal<typeof event.message, string | undefined>>();
        // @ts-expect-error only a state has one
        event.state satisfies string;
        break;
      default:
        event satisfies never;
    }
  }
  typed<Equal<typeof execution.progress, ExecutionProgress | undefined>>();
  // @ts-expect-error it shows what was told, and tells nothing itself
  execution.progress?.update({ current: 1 });
}

export async function _working(docket: Docket): Promise<void> {
  const worker = new Worker(docket, {
    fallback: (execution) => typed<Equal<typeof execution, Execution<unknown>>>(),
    onError(error, execution) {
      typed<Equal<typeof error, unknown>>();
      typed<Equal<typeof execution, Execution<unknown>>>();
    },
    unknownTaskTtl: "1h",
    scheduleAutomaticTasks: false,
  });
  await worker.runAtMost({ tick: 3, "any key": 1 }, { signal: AbortSignal.timeout(5) });

  // @ts-expect-error how often is a number
  await worker.runAtMost({ tick: "3" });
  // @ts-expect-error it is called with the execution alone
  new Worker(docket, { fallback: (_execution: Execution, _more: string) => {} });
}

export async function _replacing(docket: Docket): Promise<void> {
  // @ts-expect-error what to replace?
  await docket.replace(greet)("Jane");
  // @ts-expect-error what to replace?
  await docket.replace(greet, {})("Jane");
  // @ts-expect-error what to replace?
  await docket.replace("greet", { delay: 5 })("Jane");
}

export async function _byName(docket: Docket): Promise<void> {
  const sent = await docket.add<typeof sendWelcomeEmail>("sendWelcomeEmail")(12345, "Jane");
  typed<Equal<typeof sent, Execution<string>>>();
  const greeted = await docket.add<typeof greet>("greet")("Jane");
  typed<Equal<typeof greeted, Execution<string>>>();
  await docket.replace<typeof sendWelcomeEmail>("sendWelcomeEmail", { key: "k" })(12345, "Jane");
  const untyped = await docket.add("anythingAtAll")(1, "two", { three: 3 });
  typed<Equal<typeof untyped, Execution<unknown>>>();

  // @ts-expect-error misspelt name
  await docket.add<typeof sendWelcomeEmail>("sendWelcomEmail")(12345, "Jane");
  // @ts-expect-error misspelt name
  await docket.replace<typeof sendWelcomeEmail>("sendWelcomEmail", { key: "k" })(12345, "Jane");
  // @ts-expect-error by-name call is checked against the imported type
  await docket.add<typeof sendWelcomeEmail>("sendWelcomeEmail")("12345", "Jane");
  // @ts-expect-error by-name call is checked against a plain function's type
  await docket.add<typeof greet>("greet")(42);
}

export async function _lookingUp(docket: Docket): Promise<void> {
  const sent = await docket.execution<typeof sendWelcomeEmail>("welcome-12345");
  typed<Equal<typeof sent, Execution<string> | undefined>>();
  const greeted = await docket.execution<typeof greet>("greet");
  typed<Equal<typeof greeted, Execution<string> | undefined>>();
  const untyped = await docket.execution("anything");
  typed<Equal<typeof untyped, Execution<unknown> | undefined>>();
  const answer = await docket.cancel("welcome-12345");
  typed<Equal<typeof answer, "cancelled" | "requested" | "none">>();
}

export async function _timing(docket: Docket): Promise<void> {
  const instant = Temporal.Now.instant();
  for (const when of [new Date(), Date.now(), instant, instant.toZonedDateTimeISO("UTC")]) {
    await docket.add(greet, { when })("Jane");
  }
  const fields = { hours: 1, minutes: 2, seconds: 3, milliseconds: 4 };
  for (const delay of [1_500, "1h30m", fields, Temporal.Duration.from({ seconds: 5 })]) {
    await docket.add(greet, { delay })("Jane");
  }

  // @ts-expect-error text is not an instant: parse it first
  await docket.add(greet, { when: "tomorrow" })("Jane");
  // @ts-expect-error a date of the calendar is not an instant without a time zone
  await docket.add(greet, { when: Temporal.Now.plainDateTimeISO() })("Jane");
  // @ts-expect-error a Date is not a duration
  await docket.add(greet, { delay: new Date() })("Jane");
  // @ts-expect-error misspelt unit
  await docket.add(greet, { delay: { second: 3 } })("Jane");
  // @ts-expect-error misspelt option
  await docket.add(greet, { dealy: 3 })("Jane");
}

export function _declaring(): void {
  task("resolved", {
    retry: new ExponentialRetry(),
    timeout: new Timeout("1s"),
    connection,
    customers,
    yielded,
    yieldedLater,
    promised,
  }, (context) => {
    typed<Equal<typeof context.retry, RetryState>>();
    typed<Equal<typeof context.timeout, TimeoutState>>();
    typed<Equal<typeof context.connection, Connection>>();
    typed<Equal<ReturnType<typeof context.customers.find>, string>>();
    typed<Equal<typeof context.yielded, { rows: number }>>();
    typed<Equal<ReturnType<typeof context.yieldedLater.query>, number>>();
    typed<Equal<typeof context.promised, number>>();
    typed<Equal<typeof context.signal, AbortSignal>>();
    typed<Equal<typeof context.docket, Docket>>();
    typed<Equal<typeof context.progress, Progress>>();
    typed<Equal<ReturnType<typeof context.argument>, unknown>>();
    context.progress.update({ current: 1, message: null });
    // @ts-expect-error misspelt field
    context.progress.update({ curent: 1 });
    // @ts-expect-error numbers are numbers
    context.progress.increment("1");
    // @ts-expect-error parameters are called by name
    context.argument(0);
  });
  new Depends({ yielded, nested: new Depends({ promised }, ({ promised }) => [promised]) }, (c) => {
    typed<Equal<typeof c.yielded, { rows: number }>>();
    typed<Equal<typeof c.nested, number[]>>();
    typed<Equal<typeof c.key, string>>();
  });

  // @ts-expect-error every task has a docket
  task("clash", { docket: new Retry() }, () => {});
  // @ts-expect-error every task has a signal
  task("clash", { signal: new Timeout(5) }, () => {});
  // @ts-expect-error every task has progress
  task("clash", { progress: new Retry() }, () => {});
  // @ts-expect-error every task has its arguments by name
  task("clash", { argument: new Retry() }, () => {});
  // @ts-expect-error a resource has progress too
  new Depends({ progress: promised }, () => {});
  // @ts-expect-error a resource has the arguments by name too
  new Depends({ argument: promised }, () => {});
  // @ts-expect-error a resource is bound by the same names
  new Depends({ key: promised }, () => {});
  // @ts-expect-error undeclared dependency
  task("missing", { retry: new Retry() }, ({ timeout }) => timeout);
  // @ts-expect-error undeclared dependency of a resource
  new Depends({ promised }, ({ yielded }) => yielded);
  // @ts-expect-error not a dependency
  task("odd", { retry: { attempts: 3 } }, () => {});
  // @ts-expect-error the name comes first
  task({ retry: new Retry() }, () => {});
}

export function _fitting(): void {
  task("fits", { limit: new ById() }, (_context, _id: number) => {});
  task("fits", { limit: new ById() }, (_context, _id: number, _full: boolean) => {});
  task("fits", { limit: new By((id: number) => id) }, (_context, _id: number, _b: boolean) => {});

  // @ts-expect-error looks at a number, and is given a string
  task("misfit", { limit: new ById() }, (_context, _id: string) => {});
  // @ts-expect-error looks at an argument that is not there
  task("misfit", { limit: new ById() }, () => {});
  // @ts-expect-error looks at a string, and is given a number
  task("misfit", { limit: new By((id: string) => id) }, (_context, _id: number) => {});
}

export function _perpetuating(): void {
  const perpetual = new Perpetual<[n: number]>({ every: "5m", onExhausted: "stop" });
  task("fits", { perpetual }, ({ perpetual }, _n: number) => {
    typed<Equal<typeof perpetual, PerpetualState<[n: number]>>>();
    perpetual.perpetuate(5);
    perpetual.every = { seconds: 5 };
    typed<Equal<PerpetualState["every"], DurationLike>>();
    // @ts-expect-error the next run takes a number
    perpetual.perpetuate("5");
    // @ts-expect-error the next run takes an argument
    perpetual.perpetuate();
    // @ts-expect-error misspelt unit
    perpetual.after({ second: 5 });
  });
  task("fits", { perpetual }, (_context, _n: number, _more?: string) => {});
  task("fits", { perpetual: new Perpetual({ automatic: true }) }, () => {});
  task("fits", { perpetual: new Perpetual() }, (_context, _anything: string) => {});

  // @ts-expect-error goes on with a text, and is given a number
  task("misfit", { perpetual: new Perpetual<[text: string]>() }, (_context, _n: number) => {});
  const wide = new Perpetual<[n: number | string]>();
  // @ts-expect-error the next run would be given more than the task takes
  task("misfit", { perpetual: wide }, (_context, _n: number) => {});
  // @ts-expect-error the next run would be given nothing
  task("misfit", { perpetual: new Perpetual<[]>() }, (_context, _n: number) => {});
  task("fits", { perpetual: new Perpetual<[n: number]>() }, (_context, _n: number | string) => {});
  task("fits", { perpetual: new Perpetual<[n: number]>() }, (_context, _n?: number) => {});
  // @ts-expect-error goes on with an argument that is not there
  task("misfit", { perpetual }, () => {});
  // @ts-expect-error no such word
  new Perpetual({ onExhausted: "end" });
  // @ts-expect-error misspelt option
  new Perpetual({ evry: "5m" });
}

export function _naming(): void {
  const params = new Params("customerId", logged("name"), loggedLength("items"));
  typed<Equal<typeof params.names, readonly string[]>>();
  task("named", { params }, ({ params }, _id: number, _name: string, _items: string[]) => {
    typed<Equal<typeof params, void>>();
  });

  // @ts-expect-error a name is text
  new Params(5);
  // @ts-expect-error a name is text
  logged({ name: "x" });
}

export async function _overriding(): Promise<void> {
  await sendWelcomeEmail.with({ db: new Connection(), attempt: 2 })(12345, "Jane");

  // @ts-expect-error overrides are typed too
  await sendWelcomeEmail.with({ retry: "twice" })(12345, "Jane");
  // @ts-expect-error unknown override
  await sendWelcomeEmail.with({ retries: 3 })(12345, "Jane");
  // @ts-expect-error the arguments stay typed
  await sendWelcomeEmail.with({})("12345", "Jane");
  // @ts-expect-error a replacement is a dependency and a function
  await sendWelcomeEmail.with({}, [connection, new Connection()])(12345, "Jane");
}

/** With its return type written down, a task may return what it scheduled of itself. */
const chain = task("chain", async ({ docket, key }): Promise<Execution<unknown>> => {
  return await docket.replace(chain, { key, delay: 5 })();
});

// ── What happens to those who do not ask it ─────────────────────────────────────────────────────

const forgetful = /Cannot await what add\(\), replace\(\) or call\(\) returned/;

test("Docket.add() awaited without its second call rejects with a TypeError", async () => {
  await using docket = await Docket.connect({ url: "memory://api-types-forgotten" });

  // deno-lint-ignore no-explicit-any -- what JavaScript would do
  const scheduler = docket.add(greet) as any;

  await rejects(async () => await scheduler, { name: "TypeError", message: forgetful });
});

test("Docket.replace() awaited without its second call rejects with a TypeError", async () => {
  await using docket = await Docket.connect({ url: "memory://api-types-forgotten" });

  // deno-lint-ignore no-explicit-any -- what JavaScript would do
  const scheduler = docket.replace(greet, { key: "greet" }) as any;

  await rejects(async () => await scheduler, { name: "TypeError", message: forgetful });
  equal(await docket.execution("greet"), undefined);
});

test("Docket.call() awaited without its second call rejects with a TypeError", async () => {
  await using docket = await Docket.connect({ url: "memory://api-types-forgotten" });

  // deno-lint-ignore no-explicit-any -- what JavaScript would do
  const planner = docket.call(greet) as any;

  await rejects(async () => await planner, { name: "TypeError", message: forgetful });
});

test("Docket.addAll() gives each execution with the result of its own task", async () => {
  await using docket = await Docket.connect({ url: "memory://api-types-add-all" });
  const calls = [docket.call(greet)("Jane"), docket.call(count)(5)] as const;
  await using worker = new Worker(docket);

  const [greeted, counted] = await docket.addAll(calls);
  await worker.runUntilFinished();

  equal((await greeted.result()).toUpperCase(), "HELLO, JANE!");
  equal((await counted.result()).toFixed(1), "5.0");
});

test("Docket.replace() refuses to go without a key", async () => {
  await using docket = await Docket.connect({ url: "memory://api-types-replace" });

  // @ts-expect-error what to replace?
  const replace = () => docket.replace(greet, {});

  throws(replace, { name: "TypeError", message: /^Cannot replace without a "key"/ });
});

test("Docket.add() takes instants and delays of every kind", async () => {
  await using docket = await Docket.connect({ url: "memory://api-types-time" });
  const date = new Date("2200-01-01T00:00:00Z");
  const whens: InstantLike[] = [date, date.getTime()];
  const delays: DurationLike[] = [3_600_000, "1h", { hours: 1 }];
  if ("Temporal" in globalThis) { // not before Node 26
    const instant = Temporal.Instant.from("2200-01-01T00:00:00Z");
    whens.push(instant, instant.toZonedDateTimeISO("Europe/Berlin"));
    delays.push(Temporal.Duration.from("PT1H"));
  }

  const timed = await Promise.all(whens.map((when) => docket.add(greet, { when })("Jane")));
  const delayed = await Promise.all(delays.map((delay) => docket.add(greet, { delay })("Jane")));

  for (const { when } of timed) equal(when?.toISOString(), "2200-01-01T00:00:00.000Z");
  for (const { state } of [...timed, ...delayed]) equal(state, "scheduled");
});

test("Docket.add() refuses times that cannot be meant", async () => {
  await using docket = await Docket.connect({ url: "memory://api-types-time" });
  const refused: readonly [options: object, name: string, message: RegExp][] = [
    [{ when: "tomorrow" }, "TypeError", /"tomorrow" for "when"/],
    [{ when: new Date(NaN) }, "RangeError", /for "when": it is not a valid time/],
    [{ delay: new Date() }, "TypeError", /for "delay"/],
    [{ delay: { second: 3 } }, "TypeError", /an object with second for "delay"/],
    [{ delay: -1 }, "RangeError", /-1 for "delay"/],
    [{ when: new Date(), delay: 1 }, "TypeError", /"when" and "delay" together/],
  ];

  for (const [options, name, message] of refused) {
    throws(() => docket.add(greet, options), { name, message });
  }
});

test("Docket.add() by name runs the task that a worker knows by it", async () => {
  await using docket = await Docket.connect({ url: "memory://api-types-by-name" });
  docket.register([greet, lookUp]);
  await using worker = new Worker(docket);

  const greeted = await docket.add<typeof greet>("greet")("Jane");
  const found = await docket.add<typeof lookUp>("lookUp", { key: "look" })(7);
  await worker.runUntilFinished();

  equal(await greeted.result(), "Hello, Jane!");
  equal(await found.result(), "7 via look, closed: false");
  const again = await docket.execution<typeof lookUp>("look");
  equal(await again?.result(), "7 via look, closed: false");
});

test("task() refuses names that every task has already", () => {
  const names = ["docket", "worker", "execution", "key", "attempt", "signal", "log"];

  for (const name of [...names, "progress", "argument"]) {
    const declare = () => task("clash", { [name]: new Retry() }, () => {});
    throws(declare, {
      name: "TypeError",
      message: `Cannot declare "${name}" in "clash": every task has it already`,
    });
  }
});

test("task() refuses what is no dependency, and two of one policy", () => {
  // @ts-expect-error not a dependency
  const odd = () => task("odd", { retry: { attempts: 3 } }, () => {});
  const twice = () =>
    task("twice", { retry: new Retry(), again: new ExponentialRetry() }, () => {});

  throws(odd, { name: "TypeError", message: /"retry" in "odd": it is not a Dependency/ });
  throws(twice, { name: "TypeError", message: /"again" in "twice": "retry" is its retry policy/ });
});

test("task() refuses to go without a name or a handler", () => {
  // @ts-expect-error the name comes first
  throws(() => task(() => {}), { name: "TypeError", message: /without a name/ });
  throws(() => task("", () => {}), { name: "TypeError", message: /without a name/ });
  // @ts-expect-error nothing to do
  throws(() => task("idle", {}), { name: "TypeError", message: /"idle": its handler/ });
});

test("Docket.add() refuses a function without a name", async () => {
  await using docket = await Docket.connect({ url: "memory://api-types-anonymous" });

  throws(() => docket.add(() => {}), { name: "TypeError", message: /name it with task\(/ });
});

test("task.name is the name that was given, not the variable's", () => {
  const renamed = sendWelcomeEmail;

  equal(renamed.name, "sendWelcomeEmail");
  deepEqual(Object.keys(renamed.dependencies), ["retry", "timeout", "db"]);
});

test("task() called directly runs with its own dependencies and disposes them", async () => {
  opened.length = 0;

  const sent = await sendWelcomeEmail(12345, "Jane");

  equal(sent, "12345 Jane en attempt 1");
  deepEqual(opened.map(({ closed }) => closed), [true]);
});

test("task() called directly fails where it needs a docket, and says how to give one", async () => {
  await rejects(pollForChanges("a.txt"), {
    name: "TypeError",
    message: 'Cannot use "docket" in "pollForChanges" outside a worker: ' +
      "call it as pollForChanges.with({ docket })(…)",
  });
});

test("task.with() gives the docket that a task schedules itself on", async () => {
  await using docket = await Docket.connect({ url: "memory://api-types-with-docket" });

  await pollForChanges.with({ docket, key: "poll" })("a.txt");
  const returned = await chain.with({ docket, key: "chain" })();

  const polled = await docket.execution("poll");
  deepEqual([polled?.task, polled?.key, polled?.args], ["pollForChanges", "poll", ["a.txt"]]);
  equal(returned.key, "chain");
});

test("task.with() gives dependencies instead of opening them", async () => {
  opened.length = 0;
  const db = new Connection();
  const retry: RetryState = {
    attempt: 4,
    attempts: 5,
    after: () => {
      throw new Error("not asked for");
    },
    at: () => {
      throw new Error("not asked for");
    },
  };

  const sent = await sendWelcomeEmail.with({ db, retry })(12345, "Jane", "fr");

  equal(sent, "12345 Jane fr attempt 4");
  deepEqual([opened.length, db.closed], [0, false]); // whoever gives it closes it
});

test("task.with() replaces a dependency wherever it is nested", async () => {
  opened.length = 0;
  const fake = new Connection();
  fake.closed = true;

  const found = await lookUp.with({ key: "look" }, [connection, () => fake])(7);

  equal(found, "7 via look, closed: true");
  equal(opened.length, 0);
});

test("task.with() honours a signal that has aborted", async () => {
  const signal = AbortSignal.abort(new Error("enough"));

  await rejects(sendWelcomeEmail.with({ signal })(12345, "Jane"), (error: Error) => {
    ok(/enough/.test(error.message));
    return true;
  });
});

test("task.with() refuses what the task does not declare", () => {
  // @ts-expect-error unknown override
  const override = () => sendWelcomeEmail.with({ retries: 3 });

  throws(override, {
    name: "TypeError",
    message: 'Cannot give "retries" to "sendWelcomeEmail": it declares no such dependency',
  });
});

test("Depends() gives what a generator yields, and what a promise resolves to", async () => {
  const each = task(
    "each",
    { yielded, yieldedLater, promised },
    ({ yielded, yieldedLater, promised }): number[] => [
      yielded.rows,
      yieldedLater.query("four"),
      promised,
    ],
  );

  const values = await each();

  deepEqual(values, [3, 4, 1]);
});
