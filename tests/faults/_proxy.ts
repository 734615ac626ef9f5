/**
 * A network that can be broken: a TCP proxy between somebody and a server on this machine.
 *
 * @module
 */

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Link } from "./_link.ts";

/** What becomes of bytes on their way. It can be changed at any time, and holds for all connections. */
export interface Weather {
  /** How long bytes are on their way, in each direction, in milliseconds. */
  readonly delay: number;
  /** So many bytes go at a time; `Infinity` are as many as come. */
  readonly chunk: number;
  /** After so many pieces that went in either direction, the connection of the last one is reset. */
  readonly resetEvery: number;
}

const FAIR: Weather = { delay: 0, chunk: Infinity, resetEvery: Infinity };

/** Passes on what comes, in this or another way. */
export class Proxy implements AsyncDisposable {
  readonly #listener: Server;
  #target: number;
  readonly #links = new Set<Link>();
  readonly #awaited: Awaited[] = [];
  #weather = FAIR;
  #pieces = 0;
  #accepted = 0;
  #resets = 0;
  #silent = false;
  #stalled = false;
  #refusing = false;

  private constructor(target: number) {
    this.#target = target;
    this.#listener = createServer((client) => this.#serve(client));
  }

  /** Listens, and leads to this port. */
  static async to(target: number): Promise<Proxy> {
    const proxy = new Proxy(target);
    proxy.#listener.listen(0, "127.0.0.1");
    await once(proxy.#listener, "listening");
    return proxy;
  }

  /** Where it listens. */
  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  /** The URL of a Redis behind it. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** How many connections were made so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /** How many connections the weather has reset. */
  get resets(): number {
    return this.#resets;
  }

  /** Leads new connections to another port, as a name does that is given to another server. */
  redirect(target: number): void {
    this.#target = target;
  }

  /** Closes new connections as soon as they are made, until {@linkcode accept}. */
  refuse(): void {
    this.#refusing = true;
  }

  /** Takes new connections again. */
  accept(): void {
    this.#refusing = false;
  }

  /** From now on bytes travel like this; without an argument, at once. */
  change(weather: Partial<Weather> = {}): void {
    this.#weather = { ...FAIR, ...weather };
  }

  /**
   * Swallows everything from now on, of connections that there are and of those that come, without closing anything: a
   * black hole. Neither side hears that the other has gone.
   */
  fallSilent(): void {
    this.#silent = true;
    for (const link of this.#links) void link.lose("up", "down");
  }

  /** Passes on what comes over new connections. What has been swallowed is lost: older ones stay silent for good. */
  recover(): void {
    this.#silent = false;
  }

  /** Keeps everything until {@linkcode resume}; nothing is lost. */
  stall(): void {
    this.#stalled = true;
  }

  /** Passes on what was kept, in order. */
  resume(): void {
    this.#stalled = false;
    for (const link of this.#links) link.look();
  }

  /**
   * Keeps what the connections that there are send to the server, also when their client has gone long since. New
   * connections pass. The returned function lets go of what was kept, and tells how many bytes that were.
   */
  hold(): () => number {
    const held = [...this.#links];
    for (const link of held) link.held = true;
    return () => {
      const bytes = this.waiting;
      for (const link of held) {
        link.held = false;
        link.look();
      }
      return bytes;
    };
  }

  /** The ports behind which the server sees the connections that there are. */
  get ports(): readonly number[] {
    return [...this.#links].flatMap(({ port }) => port ?? []);
  }

  /** How many bytes are on their way to the server. */
  get waiting(): number {
    return [...this.#links].reduce((sum, { waiting }) => sum + waiting, 0);
  }

  /** Resets the connections that there are for their clients; what these have sent still goes its way. */
  hangUp(): void {
    for (const link of this.#links) link.hangUp();
  }

  /**
   * The next connection that sends this to the server hears nothing any more from then on. Resolves when the server has
   * answered, that is, has done what it was told.
   */
  swallowReply(to: string): Promise<void> {
    return new Promise((resolve) => this.#awaited.push({ text: to, answered: resolve }));
  }

  /** Resets the connections that there are, and the server does not hear of it: for it, its clients are there. */
  abandon(): void {
    for (const link of this.#links) {
      void link.lose("up", "down");
      link.hangUp();
    }
  }

  /** What the server sends to the client that it sees behind this port gets lost from now on, if it is one of ours. */
  deafen(port: number): boolean {
    const link = [...this.#links].find((link) => link.port === port);
    void link?.lose("down");
    return link !== undefined;
  }

  /** Ends the connections that there are: in an orderly way, or not. */
  cut(how: "FIN" | "RST" = "FIN"): void {
    for (const link of this.#links) link.end(how);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut("RST");
    this.#listener.close();
    await once(this.#listener, "close");
  }

  #serve(client: Socket): void {
    this.#accepted++;
    if (this.#refusing) {
      client.on("error", () => {}).resetAndDestroy();
      return;
    }
    const link: Link = new Link(client, this.#silent ? undefined : this.#target, {
      weather: () => this.#weather,
      stalled: () => this.#stalled,
      sent: (bytes) => this.#watch(link, bytes),
      passed: () => this.#count(link),
      ended: () => this.#links.delete(link),
    });
    this.#links.add(link);
    if (this.#silent) void link.lose("up", "down");
  }

  #watch(link: Link, bytes: Uint8Array): void {
    if (this.#awaited.length === 0) return;
    const text = new TextDecoder("latin1").decode(bytes);
    const at = this.#awaited.findIndex((awaited) => text.includes(awaited.text));
    if (at >= 0) void link.lose("down").then(this.#awaited.splice(at, 1)[0].answered);
  }

  #count(link: Link): void {
    if (++this.#pieces % this.#weather.resetEvery !== 0) return;
    this.#resets++;
    link.end("RST");
  }
}

/** A command whose reply is to be swallowed. */
interface Awaited {
  readonly text: string;
  readonly answered: () => void;
}
