/**
 * A producer process: it adds tasks until it is killed.
 *
 * @module
 */

import { endWithParent } from "../../chaos/child.ts";
import { Docket } from "../../mod.ts";
import { Journal } from "./_journal.ts";
import type { Tasks } from "./_tasks.ts";

/** What a producer process is told, as JSON, in its one argument. */
export interface ProducerSetup {
  readonly url: string;
  readonly docket: string;
  readonly name: string;
  /** Adds are under way so many at a time. */
  readonly atOnce: number;
  /** The largest argument, in characters: it takes many packets to send. */
  readonly heft: number;
}

/** The key of the `n`th task of a producer. */
export function keyOf(producer: string, n: number): string {
  return `${producer}-${n}`;
}

/** The argument of the task with this key, which can be told from every other, and from a half of itself. */
export function payloadOf(key: string, heft: number): string {
  const n = Number(key.slice(key.lastIndexOf("-") + 1));
  return `<${key}${"·".repeat(n * 7_919 % heft)}>`;
}

async function main({ url, docket: name, name: producer, atOnce, heft }: ProducerSetup) {
  endWithParent();
  const journal = new Journal(url, name, producer);
  await using docket = await Docket.connect({ name, url });
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (;;) {
      const n = next++;
      const key = keyOf(producer, n);
      const options = n % 3 === 0 ? { key, delay: 1 } : { key };
      await docket.add<Tasks["echo"]>("echo", options)(payloadOf(key, heft));
      await journal.note("added", { key });
    }
  }));
}

if (import.meta.main) await main(JSON.parse(Deno.args[0]));
