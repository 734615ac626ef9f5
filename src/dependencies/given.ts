/**
 * What a factory gives, and how it is closed again.
 *
 * @module
 */

import type { Close } from "./dependency.ts";

/** What a factory may give: a value, or a promise of one. */
export type Given<Value> = Value | Promise<Value>;

/** What a factory may give instead: it yields the value once, and cleans up when it is resumed. */
export type Yielded<Value> = Generator<Value, void, void> | AsyncGenerator<Value, void, void>;

/** The value, and how to close what it came from is deferred. */
export async function openGiven<Value>(
  from: Given<Value> | Yielded<Value>,
  defer: (close: Close) => void,
): Promise<Value> {
  const given = await from;
  if (isGenerator<Value>(given)) return await openGenerator(given, defer);
  if (isDisposable(given)) {
    defer(async () => {
      if (Symbol.asyncDispose in given) await given[Symbol.asyncDispose]();
      else given[Symbol.dispose]();
    });
  }
  return given as Value;
}

async function openGenerator<Value>(
  generator: Yielded<Value>,
  defer: (close: Close) => void,
): Promise<Value> {
  const first = await generator.next();
  if (first.done) throw new TypeError("Cannot open a generator that yields nothing: yield once");
  defer(async (failure) => {
    const last = failure ? await resumeWithError(generator, failure.error) : await generator.next();
    if (last.done) return;
    await generator.return();
    throw new TypeError("Cannot close a generator that yields twice: yield once");
  });
  return first.value;
}

/** The error passes through the generator; coming out again as it was is what it should do, not another failure. */
async function resumeWithError<Value>(
  generator: Yielded<Value>,
  error: unknown,
): Promise<IteratorResult<Value, void>> {
  try {
    return await generator.throw(error);
  } catch (thrown) {
    if (thrown === error) return { done: true, value: undefined };
    throw thrown;
  }
}

function isGenerator<Value>(value: unknown): value is Yielded<Value> {
  const tag = Object.prototype.toString.call(value);
  return tag === "[object Generator]" || tag === "[object AsyncGenerator]";
}

function isDisposable(value: unknown): value is Disposable | AsyncDisposable {
  return (typeof value === "object" || typeof value === "function") && value !== null &&
    (Symbol.dispose in value || Symbol.asyncDispose in value);
}
