/**
 * Programs that the scripts run to their end.
 *
 * @module
 */

/** How a program ended, and what it wrote. */
export interface Ended {
  readonly success: boolean;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Settings of {@linkcode run}. */
export interface RunOptions {
  readonly cwd?: URL | string;
  /** Added to this process's. */
  readonly env?: Readonly<Record<string, string>>;
  /** Seconds after which it is ended: it hangs. @default 300 */
  readonly patience?: number;
}

/** Aborted when this process is to end: it takes the programs that it runs along. */
export const stopping = new AbortController();

/** Runs a program, however it ends. */
export async function run(
  program: string,
  args: readonly string[],
  { patience = 300, ...options }: RunOptions = {},
): Promise<Ended> {
  const timeout = AbortSignal.timeout(patience * 1_000);
  const signal = AbortSignal.any([timeout, stopping.signal]);
  const command = new Deno.Command(program, { ...options, args: [...args], stdin: "null", signal });
  const { success, code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  const late = timeout.aborted ? `\nIt hangs: it was ended after ${patience} s` : "";
  return { success, code, stdout: text.decode(stdout), stderr: text.decode(stderr) + late };
}

/**
 * Runs a program and gives what it printed.
 *
 * @throws {Error} when it does not end well
 */
export async function expect(
  program: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  const { success, stdout, stderr } = await run(program, args, options);
  if (success) return stdout;
  throw new Error(`Cannot run ${program} ${args.join(" ")}: ${stdout}${stderr}`);
}
