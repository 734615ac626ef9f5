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
  type Execution,
  ExponentialRetry,
  type NameOf,
  Retry,
  type RetryState,
  task,
  type TaskContext,
  type TaskLogger,
  Timeout,
  type TimeoutState,
  Worker,
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
  // @ts-expect-error the second call is missing (TS1058)
  return docket.add(greet);
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
  // @ts-expect-error a name that is kept for the context
  task("clash", { progress: new Retry() }, () => {});
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

const forgetful = /Cannot await what add\(\) or replace\(\) returned/;

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

test("Docket.replace() refuses to go without a key", async () => {
  await using docket = await Docket.connect({ url: "memory://api-types-replace" });

  // @ts-expect-error what to replace?
  const replace = () => docket.replace(greet, {});

  throws(replace, { name: "TypeError", message: /^Cannot replace without a "key"/ });
});

test("Docket.add() takes instants and delays of every kind", async () => {
  await using docket = await Docket.connect({ url: "memory://api-types-time" });
  const instant = Temporal.Instant.from("2200-01-01T00:00:00Z");
  const whens = [
    instant,
    instant.toZonedDateTimeISO("Europe/Berlin"),
    instant.epochMilliseconds,
    new Date(instant.epochMilliseconds),
  ];
  const delays = [3_600_000, "1h", { hours: 1 }, Temporal.Duration.from("PT1H")];

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
