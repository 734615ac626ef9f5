/**
 * A database for all executions of a worker: opened when the first of them needs it, closed with the worker. Each
 * execution has a transaction of its own on it.
 *
 * @module
 */
import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Depends, Docket, Shared, task, Worker } from "@docket/docket";

let opened = 0;
let total: unknown;

const database = new Shared(function* () {
  opened++;
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE account (name TEXT PRIMARY KEY, amount INTEGER NOT NULL)");
  database.exec("INSERT INTO account VALUES ('Jane', 100), ('John', 100)");
  console.log("database opened");
  yield database;
  total = database.prepare("SELECT sum(amount) AS total FROM account").get()?.total;
  database.close();
  console.log("database closed");
});

/** One execution's, made from what is shared. It rolls back when the task fails. */
const transaction = new Depends({ database }, function* ({ database, key }) {
  database.exec("BEGIN");
  try {
    yield database;
    database.exec("COMMIT");
    console.log(`  ${key}: committed`);
  } catch (error) {
    database.exec("ROLLBACK");
    console.log(`  ${key}: rolled back`);
    throw error;
  }
});

const transfer = task(
  "transfer",
  { transaction },
  ({ transaction }, from: string, to: string, amount: number): number => {
    const add = transaction.prepare(
      "UPDATE account SET amount = amount + ? WHERE name = ? RETURNING amount",
    );
    add.get(amount, to);
    const left = Number(add.get(-amount, from)?.amount);
    if (left < 0) throw new Error(`${from} has not got ${amount}`);
    return left;
  },
);

await using docket = await Docket.connect({ url: "memory://shared-pool" });
const good = await docket.add(transfer, { key: "good" })("Jane", "John", 70);
const bad = await docket.add(transfer, { key: "bad" })("Jane", "John", 70);

{
  // SQLite has one transaction at a time on a connection, and this handler does not pause.
  await using worker = new Worker(docket, { concurrency: 1 });
  await worker.runUntilFinished();
}

equal(await good.result(), 30);
const failure = await bad.result().catch((error: Error) => error.message);
console.log(failure);
deepEqual([opened, total], [1, 200]); // nothing was lost between the two accounts
