/**
 * A Redis that refuses: it stands before a real one, answers some commands itself, with an error, and passes on the rest.
 *
 * @module
 */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Values, wordsOf } from "./_resp.ts";

/** What is refused, and how. */
export interface Refusal {
  /** The whole error, as in `LOADING Redis is loading the dataset in memory`. */
  readonly error: string;
  /** So many times in all. */
  readonly times: number;
  /**
   * These commands only.
   *
   * @default all of them
   */
  readonly of?: readonly string[];
}

/** Before a real server on this machine. */
export class FakeRedis implements AsyncDisposable {
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  /** What was refused, by the name of the command. */
  readonly refused: string[] = [];
  #refusal?: Refusal;

  private constructor(target: number) {
    this.#listener = createServer((client) => this.#serve(client, target));
  }

  /** Listens, and leads to this port. */
  static async before(target: number): Promise<FakeRedis> {
    const fake = new FakeRedis(target);
    fake.#listener.listen(0, "127.0.0.1");
    await once(fake.#listener, "listening");
    return fake;
  }

  /** Where it is. */
  get url(): string {
    return `redis://127.0.0.1:${(this.#listener.address() as AddressInfo).port}/0`;
  }

  /** From now on commands are refused, so many times. */
  refuse(refusal: Refusal): void {
    this.refused.length = 0;
    this.#refusal = refusal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#listener.close();
    await once(this.#listener, "close");
  }

  #serve(client: Socket, target: number): void {
    const server = connect(target, "127.0.0.1");
    for (const [socket, other] of [[client, server], [server, client]]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {}); // it closes then
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    // One after the other, so that each answer goes with its question.
    let last: Promise<unknown> = Promise.resolve();
    let answered: (() => void) | undefined;
    const commands = new Values();
    client.on("data", (bytes: Uint8Array) => {
      for (const command of commands.take(bytes)) {
        last = last.then(() => {
          const error = this.#judge(wordsOf(command)[0].toUpperCase());
          if (error !== undefined) return void client.write(`-${error}\r\n`);
          return new Promise<void>((resolve) => {
            answered = resolve;
            server.write(command);
          });
        });
      }
    });
    const replies = new Values();
    server.on("data", (bytes: Uint8Array) => {
      for (const reply of replies.take(bytes)) {
        client.write(reply);
        answered?.();
      }
    });
  }

  #judge(command: string): string | undefined {
    const { error, times, of } = this.#refusal ?? { times: 0, error: "", of: undefined };
    if (this.refused.length >= times || (of && !of.includes(command))) return undefined;
    this.refused.push(command);
    return error;
  }
}
