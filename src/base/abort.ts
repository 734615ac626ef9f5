/**
 * Hears of aborted signals.
 *
 * @module
 */

const heard = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back when the signal aborts; the returned function calls it off. However many ask, the signal has one listener:
 * Node takes more than ten for a leak, and a worker gives one signal to everything it does.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let callbacks = heard.get(signal);
  if (!callbacks) heard.set(signal, callbacks = new Set());
  if (callbacks.size === 0) signal.addEventListener("abort", abort);
  const own = () => callback(); // the same function may be given twice
  callbacks.add(own);
  return () => {
    if (callbacks.delete(own) && callbacks.size === 0) signal.removeEventListener("abort", abort);
  };
}

/** Resolves when the signal aborts. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => void onAbort(signal, resolve));
}

function abort(this: AbortSignal): void {
  const callbacks = heard.get(this);
  this.removeEventListener("abort", abort);
  for (const callback of [...callbacks ?? []]) callback();
  callbacks?.clear();
}
