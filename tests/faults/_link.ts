/**
 * One connection through the proxy.
 *
 * @module
 */

import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Weather } from "./_proxy.ts";

/** To the server, or to the client. */
export type Direction = "up" | "down";

/** What a {@linkcode Link} asks the proxy, and tells it. */
export interface Surroundings {
  weather(): Weather;
  stalled(): boolean;
  /** The client has sent this. */
  sent(bytes: Uint8Array): void;
  /** A piece was passed on. */
  passed(): void;
  ended(): void;
}

/** Bytes that came at an instant; none when the sender has closed. */
interface Piece {
  readonly bytes?: Uint8Array;
  readonly at: number;
}

/** A client, a server, and what is on the way between them. */
export class Link {
  /** Whether nothing goes to the server for now. */
  held = false;
  readonly #surroundings: Surroundings;
  readonly #ends: Readonly<Record<Direction, Socket | undefined>>; // by where they take bytes to
  readonly #pieces: Readonly<Record<Direction, Piece[]>> = { up: [], down: [] };
  readonly #lost = new Set<Direction>();
  readonly #pumping = new Set<Direction>();
  readonly #closed = new Set<Direction>();
  #onSwallowed?: () => void;
  #over = false;

  /** Without a target there is nobody behind the client. */
  constructor(client: Socket, target: number | undefined, surroundings: Surroundings) {
    this.#surroundings = surroundings;
    const server = target === undefined ? undefined : connect(target, "127.0.0.1");
    this.#ends = { up: server, down: client };
    this.#read(client, "up");
    if (server) this.#read(server, "down");
  }

  /** Where the server sees the client. */
  get port(): number | undefined {
    return this.#ends.up?.localPort;
  }

  /** How many bytes wait to be passed on to the server. */
  get waiting(): number {
    return this.#pieces.up.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
  }

  /** Swallows what goes this way from now on. Resolves with the first bytes that are. */
  lose(...directions: readonly Direction[]): Promise<void> {
    for (const direction of directions) this.#lost.add(direction);
    return new Promise((resolve) => this.#onSwallowed = resolve);
  }

  /** Ends the client's side alone; what it has sent goes its way. */
  hangUp(): void {
    this.#ends.down?.resetAndDestroy();
  }

  /** Goes on if something has changed. */
  look(): void {
    void this.#pump("up");
    void this.#pump("down");
  }

  /** Ends both sides. */
  end(how: "FIN" | "RST"): void {
    if (this.#over) return;
    this.#over = true;
    for (const socket of [this.#ends.up, this.#ends.down]) {
      if (how === "RST") socket?.resetAndDestroy();
      else socket?.destroy();
    }
    this.#surroundings.ended();
  }

  #read(socket: Socket, direction: Direction): void {
    socket.setNoDelay(true);
    socket.on("error", () => {}); // it closes then
    socket.on("data", (bytes: Uint8Array) => {
      this.#pieces[direction].push({ bytes, at: performance.now() });
      if (direction === "up") this.#surroundings.sent(bytes);
      void this.#pump(direction);
    });
    socket.on("close", () => {
      this.#pieces[direction].push({ at: performance.now() });
      void this.#pump(direction);
    });
  }

  #stands(direction: Direction): boolean {
    return this.#surroundings.stalled() || (direction === "up" && this.held);
  }

  async #pump(direction: Direction): Promise<void> {
    if (this.#pumping.has(direction)) return;
    this.#pumping.add(direction);
    const pieces = this.#pieces[direction];
    while (!this.#over && !this.#stands(direction) && pieces.length > 0) {
      const { bytes, at } = pieces[0];
      const late = at + this.#surroundings.weather().delay - performance.now();
      if (late > 0) {
        await pause(late);
        continue; // the weather may have changed
      }
      pieces.shift();
      if (this.#lost.has(direction)) {
        if (bytes) this.#onSwallowed?.();
      } else if (bytes) await this.#pass(bytes, direction);
      else this.#close(direction);
    }
    this.#pumping.delete(direction);
  }

  /** Whoever is told answers what it was asked before, and closes too. */
  #close(direction: Direction): void {
    this.#ends[direction]?.end();
    if (this.#closed.add(direction).size === 2) this.end("FIN");
  }

  async #pass(bytes: Uint8Array, direction: Direction): Promise<void> {
    const { chunk } = this.#surroundings.weather();
    for (let from = 0; from < bytes.length && !this.#over; from += chunk) {
      const piece = bytes.subarray(from, Math.min(bytes.length, from + chunk));
      await new Promise<void>((resolve) => this.#ends[direction]!.write(piece, () => resolve()));
    }
    this.#surroundings.passed();
  }
}
