/**
 * What the policies have in common that decide whether a run may begin: whom a gate is shared with.
 *
 * @module
 */

import { textOf } from "../base/comparison.ts";
import type { Gate } from "../storage/contract.ts";
import { Dependency } from "./dependency.ts";

/** Options of every gate. */
export interface GateOptions<Args extends readonly unknown[]> {
  /**
   * What of the arguments tells the gates apart: each value has one of its own, compared like the value of a strike. It is
   * called with the arguments before the task is, and may be called again.
   *
   * @default one gate for all
   */
  readonly by?: (...args: Args) => unknown;
  /**
   * Tasks that name the same scope share their gates, if they are of one kind.
   *
   * @default the name of the task
   */
  readonly scope?: string;
}

/** Longer values would make long keys. */
const LONGEST_ID = 512;

/** A policy that decides whether, and when, a run may begin. Called directly, a task has no gates. */
export abstract class GatePolicy<Args extends readonly unknown[]> extends Dependency<void, Args> {
  readonly #by?: (...args: Args) => unknown;
  readonly #scope?: string;

  /**
   * Checks what all of them take.
   *
   * @throws {TypeError} When `by` is no function, or `scope` no name of at most 512 characters.
   */
  constructor({ by, scope }: GateOptions<Args>) {
    super();
    if (by !== undefined && typeof by !== "function") {
      throw new TypeError('Cannot use this for "by": it must be a function of the arguments');
    }
    if (scope !== undefined && !isName(scope)) {
      throw new TypeError(
        `Cannot use this for "scope": it must be a name of at most ${LONGEST_ID} characters`,
      );
    }
    this.#by = by;
    this.#scope = scope;
  }

  /** There is nothing to give: it governs when the handler is called. */
  override open(): void {}

  /** The gate of a call. */
  override gate(task: string, args: readonly unknown[]): Gate {
    const scope = this.#scope ?? task;
    const id = this.#by === undefined ? scope : `${scope}|${this.#textOf(this.#by, args)}`;
    if (id.length <= LONGEST_ID) return this.gateOf(id);
    throw new RangeError(
      `Cannot tell the gates of "${task}" apart: what "by" gave takes more than ${LONGEST_ID} characters`,
    );
  }

  /** The gate with an id. */
  protected abstract gateOf(id: string): Gate;

  /** A gate whose argument is missing fails clearly (invariant 63). */
  #textOf(by: (...args: Args) => unknown, args: readonly unknown[]): string {
    const value = by(...args as unknown as Args);
    const text = value === undefined ? undefined : textOf(value);
    if (text !== undefined) return text;
    throw new TypeError(
      value === undefined
        ? 'Cannot tell gates apart: "by" gave undefined; is an argument missing?'
        : 'Cannot tell gates apart: what "by" gave cannot be compared',
    );
  }
}

function isName(value: unknown): boolean {
  return typeof value === "string" && value !== "" && value.length <= LONGEST_ID;
}
