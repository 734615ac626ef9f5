/**
 * What each entry point exports, exactly: a name comes or goes on purpose, with a line in the changelog.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { test } from "node:test";
import config from "../deno.json" with { type: "json" };

/** What exists at run time, and what is there for the compiler only. */
interface Names {
  readonly values: string;
  readonly types: string;
}

const expected: Readonly<Record<string, Names>> = {
  ".": {
    values: `
      Agenda CancelledError ConcurrencyLimit ConnectionError Cooldown Cron Debounce Dependency
      DependencyError Depends Docket DocketError Execution ExecutionCancelledError
      ExecutionExpiredError ExecutionFailedError ExponentialRetry GatePolicy LeaseLostError
      NonRetryableError NotReplicatedError Params PayloadTooLargeError Perpetual PlannedCall Progress ProtocolError
      RateLimit ResultTimeoutError Retry RetryRequest SerializationError Shared ShutdownError
      StorageFullError Timeout TimeoutError UnknownTaskError Worker logged loggedLength
      standardTasks task
    `,
    types: `
      AddAllOptions AddOptions AgendaOptions AnyDependency AnyDocketError AnyFunction AnyTask ArgsOf
      Beginning CallOptions CancelReason Clock Close CloseOptions Codec ConcurrencyLimitOptions
      ContextName
      CooldownOptions CronOptions CronState DebounceOptions Decision Dependencies
      DependencyFailure Disposition DocketOptions Durability DurationFields DurationLike ErrorCode
      ExecutionEvent ExecutionProgress ExecutionSeed ExecutionState ExecutionTtl ExecutionsOf
      ExpectedRun ExponentialRetryOptions Failure Fits Gate GateOptions Given Handler InstantLike
      Item LeaseThreadOptions ListOptions LoggedParam Millis NameOf PerpetualOptions PerpetualState
      Planner
      PreviewOptions ProgramOptions ProgressEvent ProgressUpdate RateLimitOptions ReplaceOptions
      Replacement Resolved ResultOf ResultOptions RetryOptions RetryState RunEnd RunOptions
      ScatterOptions Schedulable Scheduler Scope SharedContext SharedDependencies SharedPool
      SharedScope SharedValues Sharing Snapshot StandardTasks StateEvent Strike StrikeOfTask
      StrikeOperator Succession Task TaskContext TaskLogger Tasks TemporalDuration TimeoutState
      WorkerHealth WorkerInfo WorkerOptions Yielded accepts resolved returns supplies
    `,
  },
  "./cli": { values: "main", types: "" },
  "./testing": {
    values: `
      FakeClock FaultyStorage assertScheduled conformance memoryDocket memoryStorage runAll
    `,
    types: `
      ExpectedSchedule FaultOptions MemoryDocketOptions MemoryStorageOptions RunAllOptions Setup
      Subject Verb
    `,
  },
  "./storage": {
    values: "DEAD_RECORD_TTL NEW OWN",
    types: `
      Call Change Claim Commit ConsumerState Counts DeferredTask Discard Due EndedTask Entry
      Examination Family Finding Found Gate Held Inspection Lease LiveTask Notice ParkedTask Passage
      Presence Progress Promotion Reclaim ReclaimReply Renewal Replication Report Requeue Requeued
      Scheduling Seed Seeding Settlement StateChange Step StepReply
      Storage Survey Sweep Swept Target Verdict Waiting
    `,
  },
};

test("The package has these entry points and no others", () => {
  deepEqual(Object.keys(config.exports).sort(), Object.keys(expected).sort());
});

for (const [entry, path] of Object.entries(config.exports)) {
  const { values, types } = expected[entry] ?? { values: "", types: "" };

  test(`"${entry}" exports these values and no others`, async () => {
    const module = await import(new URL(`../${path}`, import.meta.url).href);

    deepEqual(Object.keys(module).sort(), list(values));
  });

  test(`"${entry}" exports these types and no others`, async () => {
    const documented = await documentedNames(path);

    deepEqual(documented.filter((name) => !list(values).includes(name)), list(types));
  });
}

/** Every name that the documentation of an entry point shows. */
async function documentedNames(path: string): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", path],
    cwd: new URL("../", import.meta.url),
  }).output();
  const text = new TextDecoder();
  equal(success, true, text.decode(stderr));
  const { nodes } = JSON.parse(text.decode(stdout)) as {
    readonly nodes: Readonly<Record<string, { readonly symbols: readonly { name: string }[] }>>;
  };
  return Object.values(nodes).flatMap(({ symbols }) => symbols.map(({ name }) => name)).sort();
}

function list(names: string): string[] {
  return names.split(/\s+/).filter((name) => name !== "").sort();
}
