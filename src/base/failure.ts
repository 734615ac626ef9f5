/**
 * Whatever a task throws, as text that is bounded and can be read anywhere.
 *
 * @module
 */

import { defaultCodec } from "./codec.ts";
import { messageOf } from "./errors.ts";
import { redactText } from "./redact.ts";

/** Longer error texts are cut: a record is no place for a dump. */
const MAX_CHARACTERS = 4_096;

/** The stored form of something thrown; never throws itself, whatever it is given. */
export function encodeFailure(error: unknown): string {
  try {
    const text = defaultCodec.encode(error);
    if (text.length <= MAX_CHARACTERS) return redactText(text); // which may be what a client says of its URL (invariant 85)
  } catch {
    // Functions, class instances with odd fields, throwing getters: described instead, below.
  }
  return redactText(defaultCodec.encode(describeFailure(error)));
}

/** What was thrown, as far as it could be kept. */
export function decodeFailure(text: string): unknown {
  if (text === "") return undefined;
  try {
    return defaultCodec.decode(text);
  } catch (error) {
    return error;
  }
}

/** An error of bounded size that tells what was thrown; never throws itself, whatever it is given. */
export function describeFailure(error: unknown): Error {
  const description = new Error(cut(messageOf(error), MAX_CHARACTERS / 4));
  let stack = description.message;
  try {
    if (error instanceof Error) {
      description.name = cut(String(error.name), 100);
      stack = cut(String(error.stack), MAX_CHARACTERS / 2);
    }
  } catch {
    // A getter threw: the description stays as short as it is.
  }
  description.stack = stack;
  return description;
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
