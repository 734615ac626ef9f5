/**
 * What passed and what failed, part by part.
 *
 * @module
 */

/** The outcome of some tests; of those that failed, what there is to read. */
export interface Tally {
  readonly passed: number;
  readonly failures: readonly string[];
}

/** Adds the parts up, and prints each with how long it took. */
export class Report {
  #passed = 0;
  #failed = 0;

  /** Runs a part. What it throws is one failure, and the other parts still run. */
  async part(name: string, body: () => Promise<Tally>): Promise<void> {
    const start = performance.now();
    const { passed, failures } = await body().catch(failure);
    const seconds = ((performance.now() - start) / 1_000).toFixed(1);
    for (const each of failures) console.log(`FAILED ${name}: ${each}\n`);
    console.log(`${name} ... ${passed} passed, ${failures.length} failed (${seconds} s)`);
    this.#passed += passed;
    this.#failed += failures.length;
  }

  /** Prints the sums, and gives the exit code. Where nothing passed, nothing was shown to work. */
  close(): number {
    console.log(`${this.#passed} passed, ${this.#failed} failed`);
    return this.#failed > 0 || this.#passed === 0 ? 1 : 0;
  }
}

/** Runs named checks side by side; one that throws has failed. */
export async function check(checks: Readonly<Record<string, () => unknown>>): Promise<Tally> {
  const failures = await Promise.all(
    Object.entries(checks).map(async ([name, body]) => {
      try {
        await body();
      } catch (error) {
        return `${name}: ${error instanceof Error ? error.stack : error}`;
      }
    }),
  );
  const failed = failures.filter((each) => each !== undefined);
  return { passed: failures.length - failed.length, failures: failed };
}

function failure(error: unknown): Tally {
  return { passed: 0, failures: [Deno.inspect(error)] };
}
