/**
 * What ends a command early.
 *
 * @module
 */

/** The command was not used as it is meant to be: exit code 2. */
export class UsageError extends Error {
  /** `"UsageError"`. */
  override readonly name = "UsageError";
}

/** It went wrong for a reason that needs no stack trace: exit code 1. */
export class CommandError extends Error {
  /** `"CommandError"`. */
  override readonly name = "CommandError";
}

/** Takes what the library refuses for bad usage: here, what it was given comes from the command line. */
export async function refusing<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new UsageError(error.message, { cause: error });
    }
    throw error;
  }
}
