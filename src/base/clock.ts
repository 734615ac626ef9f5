/**
 * Time comes in through the door: everything that waits or compares instants is given a {@linkcode Clock}.
 *
 * @module
 */

/** A span of time, or an instant since the Unix epoch, in milliseconds. */
export type Millis = number;

/** Tells the time and calls back later. Tests give a fake one. */
export interface Clock {
  /** The wall clock, in milliseconds since the Unix epoch. */
  now(): Millis;
  /** A clock that never jumps, for measuring how long something took. */
  monotonic(): Millis;
  /** Calls back once after a delay; the returned function calls it off. */
  timer(delay: Millis, callback: () => void): () => void;
}

/** Longer delays overflow the runtime's timers and would fire at once. */
const LONGEST_TIMER: Millis = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer(delay, callback) {
    let id: ReturnType<typeof setTimeout>;
    const arm = (left: Millis) => {
      id = left > LONGEST_TIMER
        ? setTimeout(() => arm(left - LONGEST_TIMER), LONGEST_TIMER)
        : setTimeout(callback, Math.max(0, left));
    };
    arm(delay);
    return () => clearTimeout(id);
  },
};

/** Waits for a delay, or until the signal aborts: the caller looks at the signal, nothing throws. */
export function sleep(clock: Clock, delay: Millis, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = () => {
      cancel();
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const cancel = clock.timer(delay, wake);
    signal?.addEventListener("abort", wake);
  });
}
