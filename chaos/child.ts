/**
 * A process that another one starts, and that does not outlive it.
 *
 * @module
 */

/** How a process is started. */
export interface Launch {
  /** Its heap, in megabytes. */
  readonly heap?: number;
  /** Variables that it is given besides those of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A process, as whoever started it sees it. */
export class Child {
  /** What it calls itself. */
  readonly name: string;
  /** Resolves when it has ended. */
  readonly exit: Promise<Deno.CommandStatus>;
  readonly #process: Deno.ChildProcess;
  #status?: Deno.CommandStatus;
  #output = "";

  /** Starts a script, and tells it the setup as JSON, in its one argument. */
  constructor(name: string, script: URL, setup: unknown, { heap, env }: Launch = {}) {
    this.name = name;
    const flags = heap === undefined ? [] : [`--v8-flags=--max-old-space-size=${heap}`];
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", ...flags, script.href, JSON.stringify(setup)],
      env: { ...env },
      stdin: "piped", // held until it ends: it ends itself when this process is no more
      stdout: "null",
      stderr: "piped",
    });
    this.#process = command.spawn();
    this.exit = this.#watch();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Whether it has not ended. */
  get alive(): boolean {
    return this.#status === undefined;
  }

  /** How it has ended. */
  get status(): Deno.CommandStatus | undefined {
    return this.#status;
  }

  /** The end of what it said. */
  get output(): string {
    return this.#output;
  }

  /** Sends a signal. To a process that has ended, none. */
  kill(signal: Deno.Signal): void {
    if (!this.alive) return;
    try {
      this.#process.kill(signal);
    } catch {
      // It has ended just now.
    }
  }

  async #watch(): Promise<Deno.CommandStatus> {
    const reading = this.#read();
    const status = this.#status = await this.#process.status;
    await reading;
    await this.#process.stdin.close().catch(() => {}); // broken already
    return status;
  }

  async #read(): Promise<void> {
    const text = this.#process.stderr.pipeThrough(new TextDecoderStream());
    for await (const chunk of text) this.#output = (this.#output + chunk).slice(-10_000);
  }
}

/** Ends this process when its standard input, which its parent holds, is closed. */
export function endWithParent(): void {
  void (async () => {
    for await (const _ of Deno.stdin.readable);
    Deno.exit(1);
  })();
}
