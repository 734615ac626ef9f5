/**
 * What a handler is given by a worker.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { TaskContext, TaskLogger } from "../dependencies/dependency.ts";
import type { Docket } from "../docket/docket.ts";
import { Execution } from "../docket/execution.ts";
import type { Run } from "./run.ts";
import type { Worker } from "./worker.ts";

/** The context of one run: everything in it is made when somebody looks. */
export class RunContext implements TaskContext {
  readonly #run: Run;
  readonly #task: string;
  readonly #docket: Docket;
  readonly #worker: Worker;

  /** `values` are the dependencies: no name of theirs is the context's. */
  constructor(
    run: Run,
    task: string,
    docket: Docket,
    worker: Worker,
    values?: Readonly<Record<string, unknown>>,
  ) {
    this.#run = run;
    this.#task = task;
    this.#docket = docket;
    this.#worker = worker;
    if (values) Object.assign(this, values);
  }

  get docket(): Docket {
    return this.#docket;
  }

  get worker(): Worker {
    return this.#worker;
  }

  get execution(): Execution {
    const { claim } = this.#run;
    const { key, generation } = claim;
    return new Execution({ docket: this.#docket, key, generation, found: { live: claim } });
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
      docket: this.#docket.name,
      worker: this.#worker.name,
      task: this.#task,
      key: this.key,
      attempt: this.attempt,
    });
  }
}
