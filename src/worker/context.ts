/**
 * What a handler is given by a worker.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { TaskContext, TaskLogger } from "../dependencies/dependency.ts";
import { Progress } from "../dependencies/progress.ts";
import type { Docket } from "../docket/docket.ts";
import { Execution } from "../docket/execution.ts";
import { argumentOf, type Definition } from "../docket/task.ts";
import type { Reporter } from "./reporter.ts";
import type { Run } from "./run.ts";
import type { Worker } from "./worker.ts";

/** What stands behind the contexts of one worker. */
export interface Surroundings {
  readonly docket: Docket;
  readonly worker: Worker;
  readonly reporter: Reporter;
}

/** The context of one run: everything in it is made when somebody looks. */
export class RunContext implements TaskContext {
  readonly #run: Run;
  readonly #definition: Definition;
  readonly #args: readonly unknown[];
  readonly #surroundings: Surroundings;

  /** `values` are the dependencies: no name of theirs is the context's. */
  constructor(
    run: Run,
    definition: Definition,
    args: readonly unknown[],
    surroundings: Surroundings,
    values?: Readonly<Record<string, unknown>>,
  ) {
    this.#run = run;
    this.#definition = definition;
    this.#args = args;
    this.#surroundings = surroundings;
    if (values) Object.assign(this, values);
  }

  get docket(): Docket {
    return this.#surroundings.docket;
  }

  get worker(): Worker {
    return this.#surroundings.worker;
  }

  get execution(): Execution {
    const { claim } = this.#run;
    const { key, generation } = claim;
    return new Execution({ docket: this.docket, key, generation, found: { live: claim } });
  }

  get key(): string {
    return this.#run.claim.key;
  }

  get attempt(): number {
    return this.#run.claim.attempt;
  }

  get signal(): AbortSignal {
    return this.#run.signal;
  }

  get log(): TaskLogger {
    return getLogger(["docket", "task"]).with({
      docket: this.docket.name,
      worker: this.worker.name,
      task: this.#definition.name,
      key: this.key,
      attempt: this.attempt,
    });
  }

  get progress(): Progress {
    const run = this.#run;
    return run.progress ??= new Progress((progress) => {
      this.#surroundings.reporter.change(run, progress);
    });
  }

  /** A getter, so that it works when it was taken off the context. */
  get argument(): (name: string) => unknown {
    return (name) => argumentOf(this.#definition, this.#args, name);
  }
}
