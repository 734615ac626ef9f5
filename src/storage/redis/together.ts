/**
 * Group commit for callers that wait differently long.
 *
 * @module
 */

import { GroupCommit, type GroupCommitOptions } from "../../base/group_commit.ts";
import { onAbort } from "../../base/abort.ts";

/** How items travel together. */
export interface TogetherOptions<Item, Answer>
  extends Omit<GroupCommitOptions<Item, Answer>, "send"> {
  /** Sends a group; with a signal, until it aborts. */
  send(items: readonly Item[], signal?: AbortSignal): Promise<readonly Answer[]>;
}

interface Patient<Item> {
  readonly item: Item;
  readonly signal: AbortSignal;
}

/**
 * Two queues: whoever brings a signal waits until it aborts, whoever brings none for as long as the storage says. A group
 * is tried until the last of its callers has given up; each of them leaves when its own signal says so.
 */
export class Together<Item, Answer> {
  readonly #brief: GroupCommit<Item, Answer>;
  readonly #patient: GroupCommit<Patient<Item>, Answer>;

  constructor({ send, weigh, ...limits }: TogetherOptions<Item, Answer>) {
    this.#brief = new GroupCommit({ ...limits, weigh, send: (items) => send(items) });
    this.#patient = new GroupCommit<Patient<Item>, Answer>({
      ...limits,
      weigh: weigh && (({ item }) => weigh(item)),
      send: async (patients) => {
        const last = lastAbort(patients.map(({ signal }) => signal));
        try {
          return await send(patients.map(({ item }) => item), last.signal);
        } finally {
          last.release();
        }
      },
    });
  }

  /** Sends an item with the next group. */
  add(item: Item, signal?: AbortSignal): Promise<Answer> {
    if (!signal) return this.#brief.add(item);
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const deafen = onAbort(signal, () => reject(signal.reason));
      this.#patient.add({ item, signal }).then(resolve, reject).finally(deafen);
    });
  }
}

/** A signal that aborts when all of these have. */
function lastAbort(signals: readonly AbortSignal[]): { signal: AbortSignal; release(): void } {
  const waiting = new Set(signals);
  const [first] = waiting;
  if (waiting.size === 1) return { signal: first, release() {} };
  const all = new AbortController();
  const leave = (signal: AbortSignal) => {
    waiting.delete(signal);
    if (waiting.size === 0) all.abort(signal.reason);
  };
  const deafen = [...waiting].map((signal) => onAbort(signal, () => leave(signal)));
  for (const signal of [...waiting]) if (signal.aborted) leave(signal);
  return {
    signal: all.signal,
    release() {
      for (const off of deafen) off();
    },
  };
}
