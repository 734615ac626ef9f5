/**
 * Resources for a task: opened for each execution, shared by all who ask within it, closed before it is settled.
 *
 * @module
 */
import { Dependency, Depends, Docket, type Scope, task, Worker } from "@docket/docket";

/** Whatever is disposable is disposed. */
class Connection implements AsyncDisposable {
  readonly rows = new Map([[1, "Jane"], [2, "John"]]);

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
    console.log("  connection closed");
  }
}

const connection = new Depends(() => {
  console.log("  connection opened");
  return new Connection();
});

/** A generator hears of failures: it is resumed by throwing, so this is a transaction. */
const transaction = new Depends({ connection }, async function* ({ connection, key }) {
  const changes = new Map<number, string>();
  try {
    yield { set: (id: number, name: string) => void changes.set(id, name) };
    for (const [id, name] of changes) connection.rows.set(id, name);
    console.log(`  ${key}: committed ${changes.size}`);
  } catch (error) {
    console.log(`  ${key}: rolled back`);
    throw error;
  }
});

/** A dependency of your own: `open` gives the value, `defer` says what is done afterwards. */
class Stopwatch extends Dependency<{ elapsed(): number }> {
  override open({ clock, context, defer }: Scope): { elapsed(): number } {
    const start = clock.monotonic();
    const elapsed = () => clock.monotonic() - start;
    defer((failure) => {
      const how = failure ? "failed" : "went well";
      console.log(`  ${context.key}: ${how}, ${elapsed() < 1_000 ? "in no time" : "slowly"}`);
    });
    return { elapsed };
  }
}

const rename = task(
  "rename",
  { watch: new Stopwatch(), connection, transaction },
  ({ connection, transaction }, id: number, name: string): string => {
    if (!connection.rows.has(id)) throw new Error(`There is no customer ${id}`);
    transaction.set(id, name);
    return `customer ${id} is ${name} now`;
  },
);

await using docket = await Docket.connect({ url: "memory://dependencies" });
await using worker = new Worker(docket, { concurrency: 1 });
const renamed = await docket.add(rename, { key: "good" })(1, "Jane Q.");
const unknown = await docket.add(rename, { key: "bad" })(3, "Nobody");

await worker.runUntilFinished();

console.log(await renamed.result());
console.log(await unknown.result().catch((error: Error) => error.message));
