/**
 * What all executions of one worker share.
 *
 * @module
 */

import type { AnyDependency, Close, Dependency, TaskLogger } from "./dependency.ts";
import type { Replacement } from "./resolve.ts";

/** What is there for something that outlives an execution. */
export interface SharedContext {
  /** Aborts when the worker closes, before what is shared is closed. */
  readonly signal: AbortSignal;
  /** A logger that carries docket and worker. */
  readonly log: TaskLogger;
}

/** The view of the world of something shared while it is being opened. */
export interface SharedScope {
  /** What its factory is given. */
  readonly context: SharedContext;
  /** Calls back when the worker closes; the last deferred goes first. */
  readonly defer: (close: Close) => void;
  /** The value of something else that is shared. */
  open<Value>(dependency: Sharing<Value>): Promise<Value>;
}

/** A dependency that can be opened for all executions at once. */
export type Sharing<Value> = Dependency<Value> & {
  /** Opens the value for all executions of a worker. */
  openShared(scope: SharedScope): Value | Promise<Value>;
};

/** Opens what all executions of a worker share, once. */
export interface SharedPool {
  /** The value; whoever asks next is given the same. What failed is tried again then. */
  open<Value>(dependency: Sharing<Value>): Promise<Value>;
}

/** Opens each shared dependency once, when it is first asked for, and closes all of them in reverse. */
export class Pool implements SharedPool {
  readonly #context: (signal: AbortSignal) => SharedContext;
  readonly #replacements: ReadonlyMap<AnyDependency, () => unknown>;
  readonly #opened = new Map<AnyDependency, Promise<unknown>>();
  readonly #closes: Close[] = [];
  readonly #closing = new AbortController();
  #closed?: Promise<unknown[]>;

  constructor(
    context: (signal: AbortSignal) => SharedContext,
    replacements: readonly Replacement[] = [],
  ) {
    this.#context = context;
    this.#replacements = new Map(replacements);
  }

  open<Value>(dependency: Sharing<Value>): Promise<Value> {
    if (this.#closing.signal.aborted) {
      return Promise.reject(new TypeError("Cannot open what is shared: the worker is closed"));
    }
    let value = this.#opened.get(dependency) as Promise<Value> | undefined;
    if (!value) {
      value = this.#open(dependency);
      this.#opened.set(dependency, value);
      value.catch(() => this.#opened.delete(dependency));
    }
    return value;
  }

  /** Closes everything, the last opened first, and gives what they threw. */
  close(): Promise<unknown[]> {
    return this.#closed ??= (async () => {
      this.#closing.abort();
      await Promise.allSettled(this.#opened.values());
      return await closeAll(this.#closes);
    })();
  }

  async #open<Value>(dependency: Sharing<Value>): Promise<Value> {
    const give = this.#replacements.get(dependency) as (() => Value) | undefined;
    if (give) return await give();
    const closes: Close[] = [];
    try {
      const value = await dependency.openShared({
        context: this.#context(this.#closing.signal),
        defer: (close) => void closes.push(close),
        open: (other) => this.open(other),
      });
      this.#closes.push(...closes);
      return value;
    } catch (error) {
      await closeAll(closes); // what they throw says less than why it could not be opened
      throw error;
    }
  }
}

async function closeAll(closes: Close[]): Promise<unknown[]> {
  const errors: unknown[] = [];
  for (let close = closes.pop(); close; close = closes.pop()) {
    try {
      await close();
    } catch (error) {
      errors.push(error);
    }
  }
  return errors;
}
