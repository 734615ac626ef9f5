/**
 * A proxy that changes a word of what a server answers: for answers of servers that cannot be had here.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";

/** Between somebody and a server on this machine. */
export class Rewriter implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Leads to this port, and puts one word for another of the same length. */
  static async open(target: number, word: string, other: string): Promise<Rewriter> {
    const server = createServer((client) => {
      const upstream = connect(target, "127.0.0.1");
      for (const socket of [client, upstream]) rewriter.#keep(socket, [client, upstream]);
      client.pipe(upstream);
      upstream.on("data", (bytes) => {
        client.write(Buffer.from(bytes.toString("latin1").replace(word, other), "latin1"));
      });
    });
    const rewriter = new Rewriter(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return rewriter;
  }

  /** Where it listens. */
  get port(): number {
    return (this.#server.address() as { readonly port: number }).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #keep(socket: Socket, both: readonly Socket[]): void {
    this.#sockets.add(socket);
    socket.on("error", () => {}); // one side has gone, and then the other goes too
    socket.on("close", () => both.forEach((one) => one.destroy()));
  }
}
