/**
 * Group commit: calls made one at a time travel together, each with its own answer.
 *
 * @module
 */

/** How a {@linkcode GroupCommit} sends. */
export interface GroupCommitOptions<Item, Answer> {
  /** Sends a group; answers in the same order. */
  send(items: readonly Item[]): Promise<readonly Answer[]>;
  /** How much of the budget an item takes. */
  weigh?(item: Item): number;
  /** At most so many items in one group. */
  maxItems: number;
  /** At most so much weight in one group; a single heavier item goes alone. */
  maxWeight?: number;
  /** At most so many groups under way. */
  lanes: number;
  /** At most so many where the next is full: it gains nothing by waiting. @default as many as `lanes` */
  fullLanes?: number;
}

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Collects the items of one tick into a group, and what comes while groups are under way into the next. Nothing ever
 * waits for a group to fill: the batch grows by itself when the storage is slower than the callers.
 */
export class GroupCommit<Item, Answer> {
  readonly #options: GroupCommitOptions<Item, Answer>;
  #waiting: Waiting<Item, Answer>[] = [];
  #underWay = 0;
  #planned = false;

  constructor(options: GroupCommitOptions<Item, Answer>) {
    this.#options = options;
  }

  /** Sends an item with the next group. */
  add(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#plan();
    });
  }

  #plan(): void {
    if (this.#planned || !this.#mayGo()) return;
    this.#planned = true;
    // Two rounds of microtasks: callers that wake up together have all added theirs by then.
    queueMicrotask(() =>
      queueMicrotask(() => {
        this.#planned = false;
        while (this.#waiting.length > 0 && this.#mayGo()) void this.#send(this.#take());
      })
    );
  }

  #mayGo(): boolean {
    const { lanes, fullLanes = lanes, maxItems } = this.#options;
    return this.#underWay < (this.#waiting.length < maxItems ? lanes : fullLanes);
  }

  #take(): Waiting<Item, Answer>[] {
    const { weigh, maxItems, maxWeight = Infinity } = this.#options;
    let count = 0;
    let weight = 0;
    for (; count < this.#waiting.length && count < maxItems; count++) {
      weight += weigh?.(this.#waiting[count].item) ?? 0;
      if (weight > maxWeight && count > 0) break;
    }
    return this.#waiting.splice(0, count);
  }

  async #send(group: readonly Waiting<Item, Answer>[]): Promise<void> {
    this.#underWay++;
    try {
      const answers = await this.#options.send(group.map(({ item }) => item));
      for (let i = 0; i < group.length; i++) group[i].resolve(answers[i]);
    } catch (error) {
      for (const { reject } of group) reject(error);
    } finally {
      this.#underWay--;
      if (this.#waiting.length > 0) this.#plan();
    }
  }
}
