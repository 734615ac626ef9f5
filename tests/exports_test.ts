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
      CancelledError ConnectionError Dependency DependencyError Depends Docket DocketError Execution
      ExecutionCancelledError ExecutionExpiredError ExecutionFailedError ExponentialRetry
      LeaseLostError NonRetryableError PayloadTooLargeError ProtocolError ResultTimeoutError Retry
      RetryRequest SerializationError ShutdownError StorageFullError Timeout TimeoutError Worker task
    `,
    types: `
      AddOptions AnyDependency AnyDocketError AnyFunction AnyTask ArgsOf CancelReason Clock Close
      Codec ContextName Decision Dependencies DependencyFailure Disposition DocketOptions
      DurationFields DurationLike ErrorCode ExecutionSeed ExecutionState ExecutionTtl
      ExponentialRetryOptions Failure Fits Given Handler InstantLike Millis NameOf ReplaceOptions
      Replacement Resolved ResultOf ResultOptions RetryOptions RetryState RunOptions Schedulable
      Scheduler Scope Task TaskContext TaskLogger Tasks TemporalDuration TimeoutState WorkerOptions
      Yielded accepts resolved
    `,
  },
  "./testing": {
    values: "FakeClock conformance",
    types: "Setup Subject",
  },
  "./storage": {
    values: "DEAD_RECORD_TTL NEW OWN",
    types: `
      Call Change Claim Commit DeferredTask Due EndedTask Found Lease LiveTask Notice Promotion
      Reclaim ReclaimReply Renewal Settlement Step StepReply Storage Target Verdict Waiting
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
  return names.trim().split(/\s+/).sort();
}
