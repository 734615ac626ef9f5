/**
 * The network between one process and the storage, and the client that hides it: what is not answered is sent again, the
 * same as before, for as long as the caller waits.
 *
 * @module
 */

import { type Clock, type Millis, sleep } from "../../src/base/clock.ts";
import { ConnectionError } from "../../src/base/errors.ts";
import { Backoff } from "../../src/base/loop.ts";
import { OWN, type Step, type Storage } from "../../src/storage/contract.ts";
import type { Verb } from "../../src/testing/faulty_storage.ts";
import type { Chronicle } from "./chronicle.ts";
import type { Host } from "./host.ts";
import type { Server } from "./server.ts";
import type { Timeline } from "./timeline.ts";
import type { Weather } from "./weather.ts";

/** What a {@linkcode Link} needs. */
export interface LinkOptions {
  readonly host: Host;
  readonly server: Server;
  readonly weather: Weather;
  readonly timeline: Timeline;
  readonly chronicle: Chronicle;
  /** How long an answer may take, and how long is tried without a signal. */
  readonly patience: Millis;
}

/** A call that the product waits for. */
interface Call {
  readonly name: string;
  readonly verb: Verb;
  /** Without the signal: that stays here. */
  readonly args: readonly unknown[];
  /** Of a step: that of its lane when it was sent. */
  readonly epoch?: number;
  readonly signal?: AbortSignal;
  /** Until when it is tried, on the host's clock. */
  readonly until: Millis;
  readonly backoff: Backoff;
  resolve(value: unknown): void;
  reject(error: unknown): void;
  over: boolean;
}

/** One process's. */
export class Link {
  /** What its dockets are given. */
  readonly storage: Storage;
  readonly #options: LinkOptions;
  readonly #clock: Clock;
  #calls = 0;
  readonly #underWay = new Set<Call>();
  readonly #closing = new AbortController();
  /** A blocking read broke off: what it was to bring may be this consumer's already. */
  #unsure = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#clock = options.host.clock;
    options.host.killed.addEventListener("abort", () => this.#closing.abort());
    this.storage = new Proxy(options.server.storage, {
      get: (target, verb) => {
        const member: unknown = Reflect.get(target, verb);
        if (typeof member !== "function") return member;
        if (verb === Symbol.asyncDispose) return () => this.#close();
        if (verb === "wait") return (...args: Parameters<Storage["wait"]>) => this.#wait(...args);
        if (verb === "listen") {
          return (...args: Parameters<Storage["listen"]>) => this.#hear("listen", ...args);
        }
        if (verb === "watch") {
          return (...args: Parameters<Storage["watch"]>) => this.#hear("watch", ...args);
        }
        return (...args: unknown[]) => this.#call(verb as Verb, args);
      },
    });
  }

  /** How many calls have not been answered. */
  get underWay(): number {
    return this.#underWay.size;
  }

  #call(verb: Verb, given: readonly unknown[]): Promise<unknown> {
    const { host, patience } = this.#options;
    const options = given.at(-1);
    const signal = signalOf(options);
    const args = signal
      ? [...given.slice(0, -1), { ...options as object, signal: undefined }]
      : given;
    return new Promise((resolve, reject) => {
      this.#closing.signal.throwIfAborted();
      signal?.throwIfAborted();
      const call: Call = {
        name: `${verb}#${++this.#calls}`,
        verb,
        args,
        epoch: this.#epochOf(verb, args),
        signal,
        until: signal ? Infinity : this.#clock.monotonic() + patience,
        backoff: new Backoff(20, 1_000),
        resolve: (value) => end(() => resolve(value)),
        reject: (error) => end(() => reject(error)),
        over: false,
      };
      const aborted = () => call.reject(signal?.reason);
      const end = (settle: () => void) => {
        if (call.over) return;
        call.over = true;
        this.#underWay.delete(call);
        signal?.removeEventListener("abort", aborted);
        if (!host.dead) settle();
      };
      signal?.addEventListener("abort", aborted);
      this.#underWay.add(call);
      this.#note(`→ ${call.name}`);
      this.#send(call);
    });
  }

  /** One try. */
  #send(call: Call): void {
    const { weather, timeline, patience } = this.#options;
    let isDecided = false;
    const decide = (what: () => void) => {
      if (isDecided) return;
      isDecided = true;
      hangUp();
      this.#options.host.reach(what);
    };
    // What takes too long is sent again, on another connection: the first may still arrive.
    const hangUp = this.#clock.timer(patience, () => decide(() => this.#failed(call, "no answer")));
    const fate = weather.fate();
    timeline.after(weather.latency(), () => {
      if (weather.isDown || fate === "lost") {
        return decide(() => this.#failed(call, "lost"));
      }
      if (fate === "late") {
        timeline.after(weather.lateness(), () => void this.#arrive(call).catch(() => {}));
        return decide(() => this.#failed(call, "held up"));
      }
      const answered = this.#arrive(call);
      const answer = (what: () => void) => {
        if (fate === "unanswered") return decide(() => this.#failed(call, "unanswered"));
        timeline.after(weather.latency(), () => decide(what));
      };
      answered.then(
        (value) =>
          answer(() => {
            this.#note(`← ${call.name}`);
            call.resolve(value);
          }),
        (error) => answer(() => call.reject(error)),
      );
    });
  }

  /** What is under way arrives, also after its sender was killed. */
  #arrive(call: Call): Promise<unknown> {
    const { server, host, weather } = this.#options;
    if (weather.isDown) return Promise.reject(new Error("The storage is away"));
    this.#note(`= ${call.name}`);
    if (this.#epochOf(call.verb, call.args) !== call.epoch) {
      return Promise.reject(new Error("Its lane was opened anew"));
    }
    return server.perform(host.name, call.verb, call.args);
  }

  #epochOf(verb: Verb, [step]: readonly unknown[]): number | undefined {
    return verb === "step" ? this.#options.server.epochOf((step as Step).consumer) : undefined;
  }

  /** Again, or given up. */
  async #failed(call: Call, why: string): Promise<void> {
    if (call.over) return;
    this.#note(`x ${call.name}: ${why}`);
    const pause = call.backoff.next();
    const left = call.until - this.#clock.monotonic();
    if (left < 50) {
      return call.reject(new ConnectionError(`Cannot ${call.verb}: ${why}; it may be done`));
    }
    await sleep(this.#clock, Math.min(pause, left / 2), call.signal);
    if (!call.over) this.#send(call);
  }

  /** A blocking read: what it waits on breaks with the connection. */
  #wait(...[consumer, want, timeout, { signal } = {}]: Parameters<Storage["wait"]>) {
    const { host, server, weather, timeline } = this.#options;
    const over = new AbortController();
    const broken = () => new ConnectionError("Cannot wait: the connection broke");
    return new Promise<string | undefined>((resolve, reject) => {
      this.#closing.signal.throwIfAborted();
      if (signal?.aborted) return resolve(undefined);
      if (this.#unsure) {
        this.#unsure = false;
        return resolve(OWN);
      }
      const end = (settle: () => void) => {
        if (over.signal.aborted) return;
        over.abort();
        off();
        signal?.removeEventListener("abort", given);
        this.#closing.signal.removeEventListener("abort", closed);
        if (!host.dead) settle();
      };
      const given = () => end(() => resolve(undefined));
      const closed = () => end(() => reject(broken()));
      const lost = () => {
        this.#unsure = true;
        timeline.after(0, () => host.reach(() => end(() => reject(broken()))));
      };
      const off = weather.onTurn(lost, () => {});
      signal?.addEventListener("abort", given);
      this.#closing.signal.addEventListener("abort", closed);
      timeline.after(weather.latency(), () => {
        if (over.signal.aborted) return;
        if (weather.isDown || weather.fate() !== "fine") return lost();
        server.storage.wait(consumer, want, timeout, { signal: over.signal }).then(
          (from) =>
            timeline.after(weather.latency(), () => host.reach(() => end(() => resolve(from)))),
          () => lost(),
        );
      });
    });
  }

  /** Hints come late, or not at all; whoever listens is told when that may have been so. */
  async #hear<Hint>(
    verb: "listen" | "watch",
    hear: (hint: Hint) => void,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    const { host, server, weather, timeline } = this.#options;
    const over = new AbortController();
    const stop = () => over.abort();
    for (const end of [signal, this.#closing.signal]) end.addEventListener("abort", stop);
    const deliver = (hint: Hint) => {
      if (weather.losesHint()) return;
      timeline.after(weather.latency(), () =>
        host.reach(() => {
          if (!over.signal.aborted) hear(hint);
        }));
    };
    const gap = () => {
      if (verb === "listen") timeline.after(20, () => deliver({ kind: "gap" } as Hint));
    };
    const off = weather.onTurn(() => {}, gap);
    over.signal.addEventListener("abort", off);
    await this.#call("now", [{ signal }]); // as long as it takes until somebody answers
    const { storage } = server;
    const heard = deliver as (hint: unknown) => void;
    await storage[verb](heard, { signal: over.signal });
  }

  #close(): Promise<void> {
    const error = new ConnectionError("Cannot reach the storage: it is closed");
    this.#closing.abort(error);
    for (const call of [...this.#underWay]) call.reject(error);
    return Promise.resolve();
  }

  #note(what: string): void {
    this.#options.chronicle.note(this.#options.host.name, what);
  }
}

function signalOf(options: unknown): AbortSignal | undefined {
  if (typeof options !== "object" || options === null) return undefined;
  const { signal } = options as { readonly signal?: unknown };
  return signal instanceof AbortSignal ? signal : undefined;
}
