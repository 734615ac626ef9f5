/**
 * Processes whose wall clocks a test sets while they run.
 *
 * @module
 */

import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { aptGet, run } from "../../scripts/redis_binary.ts";

/** The wall clock of every process that is started with its environment. */
export interface ProcessClock extends AsyncDisposable {
  /** For the processes. */
  readonly env: Readonly<Record<string, string>>;
  /** Sets it to so many milliseconds after that of the machine, or before. */
  set(shift: number): Promise<void>;
}

/** Makes one that shows the machine's time. */
export async function processClock(): Promise<ProcessClock> {
  const directory = await mkdtemp(join(tmpdir(), "docket_clock_"));
  const library = join(directory, "clock.so");
  await compile(fileURLToPath(new URL("_clock.c", import.meta.url)), library);
  const path = join(directory, "shift");
  const file = await open(path, "w+");
  async function set(shift: number): Promise<void> {
    const bytes = new BigInt64Array([BigInt(shift)]); // written in place, as it is mapped
    await file.write(new Uint8Array(bytes.buffer), 0, 8, 0);
  }
  await set(0);
  return {
    env: { LD_PRELOAD: library, CLOCK_SHIFT: path },
    set,
    async [Symbol.asyncDispose]() {
      await file.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** With the compiler on PATH, installed first when there is none and apt can install one. */
async function compile(source: string, library: string): Promise<void> {
  const args = ["-shared", "-fPIC", "-O1", "-o", library, source];
  if (!await run("cc", "--version")) {
    await aptGet("update");
    await aptGet("install", "-y", "--no-install-recommends", "gcc", "libc6-dev");
  }
  const compiled = await run("cc", ...args);
  if (!compiled) throw new Error("Cannot find a C compiler on PATH: install gcc");
  if (compiled.output !== "") throw new Error(`Cannot compile ${source}: ${compiled.output}`);
}
