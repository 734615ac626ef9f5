/**
 * Until so many tasks are settled.
 *
 * @module
 */

/** Resolves once {@linkcode one} was called so often, or {@linkcode stop} once. */
export class Countdown {
  /** The end. */
  readonly done: Promise<void>;
  #left: number;
  #resolve = (): void => {};

  /** Counts from so many. */
  constructor(count: number, each: () => void = () => {}) {
    this.#left = count;
    this.done = new Promise((resolve) => this.#resolve = resolve);
    this.one = () => {
      each();
      if (--this.#left === 0) this.#resolve();
    };
  }

  /** One less. */
  readonly one: () => void;

  /** Nothing more is to come. */
  readonly stop = (): void => this.#resolve();
}
