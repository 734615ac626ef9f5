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
    if (struck) await this.#warnUnknown(named);
    return changed;
  }

  /** What is struck now. */
  async list(): Promise<Strike[]> {
    const { rules } = await this.#storage.strikes();
    return new Strikes(rules, (message, properties) => log.warn(message, properties)).list();
  }

  /** A strike on a task or a parameter that nobody has is a misspelt one, mostly. */
  async #warnUnknown({ task, parameter }: Strike): Promise<void> {
    const known = this.#registry.parameters();
    let anybody = false;
    try {
      for (const { tasks } of await listWorkers(this.#storage)) {
        anybody = true;
        known.push(...Object.entries(tasks));
      }
    } catch {
      return; // it is struck all the same
    }
    // What there is a name for may be a path into an argument.
    const isKnown = known.some(([name, parameters]) =>
      (task === undefined || task === name) &&
      (parameter === undefined ||
        parameters.some((one) => parameter === one || parameter.startsWith(`${one}.`)))
    );
    if (isKnown || (parameter === undefined && !anybody)) return; // whole tasks are often struck before workers start
    const kept = "it is misspelt, or its workers are yet to come; the strike is kept";
    if (parameter === undefined) return log.warn(`No live worker knows {task}: ${kept}`, { task });
    log.warn(`No live worker knows a parameter {parameter} of {task}: ${kept}`, {
      parameter,
      task: task ?? "any task",
    });
  }
}
