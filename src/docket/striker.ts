/**
 * Changes what is struck.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { randomId } from "../base/ids.ts";
import { type Strike, Strikes, toRule } from "../base/strikes.ts";
import type { Storage } from "../storage/contract.ts";
import { listWorkers } from "./presence.ts";
import type { AnyFunction, Registry } from "./registry.ts";

const log = getLogger(["docket", "strikes"]);

/** Everybody keeps all strikes in mind. */
const MAX_RULE = 65_536;

/** A {@linkcode Strike} with its task by reference. */
export type StrikeOfTask = Omit<Strike, "task"> & {
  /** The task. */
  readonly task: AnyFunction;
};

/** Strikes, and restores. */
export class Striker {
  readonly #storage: Storage;
  readonly #registry: Registry;

  constructor(storage: Storage, registry: Registry) {
    this.#storage = storage;
    this.#registry = registry;
  }

  /**
   * Strikes what matches, or restores it; tells whether that changed something.
   *
   * @throws {TypeError} For a strike that could never match.
   * @throws {RangeError} For a value too large, or a range whose end is before its beginning.
   */
  async change(strike: Strike | StrikeOfTask, struck: boolean): Promise<boolean> {
    const { task, ...rest } = strike;
    const named: Strike = typeof task === "function"
      ? { ...rest, task: this.#registry.add(task).name }
      : strike as Strike;
    const rule = toRule(named);
    if (rule.length > MAX_RULE) {
      throw new RangeError(
        `Cannot strike by a value this large: at most ${MAX_RULE} characters of a rule are kept`,
      );
    }
    const changed = await this.#storage.strike(rule, struck, randomId());
    if (struck && named.parameter !== undefined) await this.#warnUnknown(named);
    return changed;
  }

  /** What is struck now. */
  async list(): Promise<Strike[]> {
    const { rules } = await this.#storage.strikes();
    return new Strikes(rules, (message, properties) => log.warn(message, properties)).list();
  }

  /** A strike on a parameter that nobody has is a misspelt one, nearly always. */
  async #warnUnknown({ task, parameter = "" }: Strike): Promise<void> {
    const known = this.#registry.parameters();
    try {
      for (const { tasks } of await listWorkers(this.#storage)) {
        known.push(...Object.entries(tasks));
      }
    } catch {
      return; // it is struck all the same
    }
    // What there is a name for may be a path into an argument.
    const isKnown = known.some(([name, parameters]) =>
      (task === undefined || task === name) &&
      parameters.some((one) => parameter === one || parameter.startsWith(`${one}.`))
    );
    if (isKnown) return;
    log.warn("No live worker knows a parameter {parameter} of {task}: the strike has no effect", {
      parameter,
      task: task ?? "any task",
    });
  }
}
