/**
 * A network that can go silent: a proxy which then swallows whatever comes, without closing anything.
 *
 * @module
 */

/** Between somebody and a server on this machine. */
export class Proxy implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #target: number;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #accepting: Promise<void>;
  #silent = false;

  /** Leads to this port. */
  constructor(target: number) {
    this.#target = target;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#accepting = this.#accept();
  }

  /** Where it listens. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Swallows everything from now on, of connections that there are and of those that come. */
  fallSilent(): void {
    this.#silent = true;
  }

  /** Closes the connections that there are: who was connected connects anew. */
  cut(): void {
    for (const connection of this.#connections) close(connection);
    this.#connections.clear();
  }

  /** Passes on what comes over new connections. What has been swallowed is lost: older ones stay silent for good. */
  recover(): void {
    this.#silent = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      this.#connections.add(client);
      void this.#serve(client);
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    if (this.#silent) return await drain(client);
    const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
    this.#connections.add(server);
    const link = { lost: false };
    await Promise.race([this.#pass(client, server, link), this.#pass(server, client, link)]);
    for (const connection of [client, server]) {
      close(connection);
      this.#connections.delete(connection);
    }
  }

  async #pass(from: Deno.TcpConn, to: Deno.TcpConn, link: { lost: boolean }): Promise<void> {
    try {
      for await (const bytes of from.readable) {
        link.lost ||= this.#silent;
        if (!link.lost) {
          for (let n = 0; n < bytes.length;) n += await to.write(bytes.subarray(n));
        }
      }
    } catch {
      // One side has gone, and then the other goes too.
    }
  }
}

/** Reads, and says nothing. */
async function drain(connection: Deno.TcpConn): Promise<void> {
  try {
    for await (const _ of connection.readable);
  } catch {
    // It has gone.
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
