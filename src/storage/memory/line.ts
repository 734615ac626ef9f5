/**
 * First come, first served: tasks that are queued, tasks that run.
 *
 * @module
 */

/** Something that stands in at most one {@linkcode Line}. */
export interface Linked<T> {
  /** The line's own: who stands before it. */
  ahead: T | undefined;
  /** The line's own: who stands behind it. */
  behind: T | undefined;
}

/** A linked list: joining the end and leaving from anywhere take the same short time, however long it is. */
export class Line<T extends Linked<T>> {
  #first: T | undefined;
  #last: T | undefined;

  /** Who has waited longest. */
  get first(): T | undefined {
    return this.#first;
  }

  /** From the first to the last. */
  *[Symbol.iterator](): Iterator<T> {
    for (let item = this.#first; item; item = item.behind) yield item;
  }

  /** Joins the end. */
  push(item: T): void {
    item.ahead = this.#last;
    if (this.#last) this.#last.behind = item;
    else this.#first = item;
    this.#last = item;
  }

  /** Stands behind all that do not come after it: few do, or this takes its time. */
  insert(item: T, comesAfter: (other: T) => boolean): void {
    let ahead = this.#last;
    while (ahead && comesAfter(ahead)) ahead = ahead.ahead;
    if (ahead === this.#last) return this.push(item);
    const behind = ahead ? ahead.behind : this.#first;
    item.ahead = ahead;
    item.behind = behind;
    if (ahead) ahead.behind = item;
    else this.#first = item;
    if (behind) behind.ahead = item;
  }

  /** Leaves this line, in which the item stands. */
  remove(item: T): void {
    const { ahead, behind } = item;
    if (ahead) ahead.behind = behind;
    else this.#first = behind;
    if (behind) behind.ahead = ahead;
    else this.#last = ahead;
    item.ahead = item.behind = undefined;
  }
}
