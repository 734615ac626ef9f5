/**
 * Hears of aborted signals.
 *
 * @module
 */

const heard = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back when the signal aborts, and soon where it has aborted: nobody waits for what was over before they asked. The
 * returned function calls it off. However many ask, the signal has one listener: Node takes more than ten for a leak, and
 * a worker gives one signal to everything it does.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  if (signal.aborted) return soon(callback);
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
  return new Promise((resolve) => void onAbort(signal, resolve));
}

/** Calls back once whoever asked has the function that calls it off. */
function soon(callback: () => void): () => void {
  let off = false;
  queueMicrotask(() => off || callback());
  return () => void (off = true);
}

function abort(this: AbortSignal): void {
  const callbacks = heard.get(this);
  this.removeEventListener("abort", abort);
  for (const callback of [...callbacks ?? []]) callback();
  callbacks?.clear();
}
