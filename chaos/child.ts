/**
 * A process of a run.
 *
 * @module
 */

import type { Setup } from "./setup.ts";

/** What a process does. */
export type Role = "worker" | "producer";

/** A worker or a producer. It ends itself when this process is no more. */
export class Child {
  readonly name: string;
  /** Resolves when it has ended. */
  readonly exit: Promise<Deno.CommandStatus>;
  readonly #process: Deno.ChildProcess;
  #alive = true;
  #output = "";

  constructor(role: Role, setup: Setup) {
    this.name = setup.name;
    const script = new URL(`${role}.ts`, import.meta.url).href;
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", script, JSON.stringify(setup)],
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    });
    this.#process = command.spawn();
    this.exit = this.#watch();
  }

  get pid(): number {
    return this.#process.pid;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** The end of what it said. */
  get output(): string {
    return this.#output;
  }

  /** Sends a signal. To a process that has ended, none. */
  kill(signal: Deno.Signal): void {
    if (!this.#alive) return;
    try {
      this.#process.kill(signal);
    } catch {
      // It has ended just now.
    }
  }

  async #watch(): Promise<Deno.CommandStatus> {
    const reading = this.#read();
    const status = await this.#process.status;
    this.#alive = false;
    await reading;
    await this.#process.stdin.close().catch(() => {}); // broken already
    return status;
  }

  async #read(): Promise<void> {
    const text = this.#process.stderr.pipeThrough(new TextDecoderStream());
    for await (const chunk of text) this.#output = (this.#output + chunk).slice(-5_000);
  }
}
