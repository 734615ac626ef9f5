/**
 * What a task tells of how far it is.
 *
 * @module
 */

/** Longer messages are cut: they are shown on one line. */
const MAX_MESSAGE = 1_000;

/** How far an execution is. */
export interface ExecutionProgress {
  /** How much is done. */
  readonly current: number;
  /** How much there is to do. */
  readonly total: number;
  /** What it is at, if it says. */
  readonly message?: string;
}

/** What {@linkcode Progress.update} changes; what is absent stays as it is. */
export interface ProgressUpdate {
  /** How much is done: a number from 0. */
  readonly current?: number;
  /** How much there is to do: a number from 0. */
  readonly total?: number;
  /** What it is at, at most 1,000 characters, or else it is cut; `null` takes the last message back. */
  readonly message?: string | null;
}

/**
 * How far the present run is, as `context.progress`: `current` of `total`, by default 0 of 1. Whoever follows the execution
 * sees it, in any process. Calls return at once, and what comes fast travels together: only the latest is sent. A task
 * that runs again begins anew.
 *
 * @example
 * ```ts
 * import { task } from "@docket/docket";
 *
 * export const importRows = task("importRows", ({ progress }, rows: string[]): void => {
 *   progress.update({ total: rows.length, message: "importing" });
 *   for (const _row of rows) progress.increment();
 * });
 *
 * await importRows(["a", "b"]);
 * ```
 */
export class Progress implements ExecutionProgress {
  readonly #changed: (progress: Progress) => void;
  #current = 0;
  #total = 1;
  #message: string | undefined;

  /** `changed` is called after each change. */
  constructor(changed: (progress: Progress) => void = () => {}) {
    this.#changed = changed;
  }

  /** How much is done. */
  get current(): number {
    return this.#current;
  }

  /** How much there is to do. */
  get total(): number {
    return this.#total;
  }

  /** What it is at, if it said. */
  get message(): string | undefined {
    return this.#message;
  }

  /**
   * Changes what is given.
   *
   * @throws {RangeError} For a number that is negative or not finite.
   * @throws {TypeError} For a message that is no string.
   */
  update({ current = this.#current, total = this.#total, message }: ProgressUpdate): void {
    amount("current", current);
    amount("total", total);
    // null is absent, and not the text "null" (invariant 67)
    const text = message === undefined
      ? this.#message
      : message === null
      ? undefined
      : shorten(message);
    this.#current = current;
    this.#total = total;
    this.#message = text;
    this.#changed(this);
  }

  /**
   * Adds to what is done. Increments made at the same time all count (invariant 67).
   *
   * @throws {RangeError} When it would become negative, or `by` is not finite.
   */
  increment(by = 1): void {
    this.#current = amount("current", this.#current + by);
    this.#changed(this);
  }

  /** As it is now. */
  get snapshot(): ExecutionProgress {
    const seen = { current: this.#current, total: this.#total };
    return this.#message === undefined ? seen : { ...seen, message: this.#message };
  }
}

function amount(option: string, value: number): number {
  if (Number.isFinite(value) && value >= 0) return value;
  throw new RangeError(`Cannot use ${value} for "${option}": it must be a number from 0`);
}

function shorten(message: string): string {
  if (typeof message !== "string") {
    throw new TypeError(`Cannot use a value of type ${typeof message} for "message": give a text`);
  }
  if (message.length <= MAX_MESSAGE) return message.toWellFormed();
  return `${message.slice(0, MAX_MESSAGE - 1)}…`.toWellFormed();
}
