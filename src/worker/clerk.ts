/**
 * Writes down how runs end: what is recorded, for how long, and what comes next.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { Millis } from "../base/clock.ts";
import { messageOf, UnknownTaskError } from "../base/errors.ts";
import { encodeFailure } from "../base/failure.ts";
import { randomId } from "../base/ids.ts";
import { annotateMessage, encodeEnding, type Message } from "../base/message.ts";
import type { RunEnd, Succession } from "../dependencies/dependency.ts";
import type { Resources } from "../dependencies/resolve.ts";
import type { Internals } from "../docket/internals.ts";
import type { Retention } from "../docket/options.ts";
import type { Definition } from "../docket/task.ts";
import type { Settlement } from "../storage/contract.ts";
import type { Bounds } from "./bounds.ts";
import { validatedSuccession } from "./decision.ts";
import { tellFailure } from "./lines.ts";
import type { Observer } from "./observer.ts";
import type { Run } from "./run.ts";

const log = getLogger(["docket", "worker"]);

/** What is known of a run, as far as it came. */
export interface Case {
  readonly run: Run;
  readonly message?: Message;
  readonly definition?: Definition;
  args?: readonly unknown[];
  /** What was opened for it. */
  resources?: Resources;
  /** Whether the handler was called. */
  began?: boolean;
}

/** What a {@linkcode Clerk} needs. */
export interface ClerkOptions {
  readonly internals: Internals;
  /** The worker's name. */
  readonly worker: string;
  readonly bounds: Bounds;
  readonly observer: Observer;
  /** Hears of failures that show only when the end is written down. */
  readonly refused: (what: Case, error: unknown) => void;
}

/** An end, as it is recorded. */
type Ended =
  | { readonly state: "completed" | "failed"; readonly text: string }
  | { readonly state: "cancelled"; readonly reason: "struck"; readonly text: string };

/** Turns ends into settlements. */
export class Clerk {
  readonly #internals: Internals;
  readonly #worker: string;
  readonly #bounds: Bounds;
  readonly #observer: Observer;
  readonly #refused: ClerkOptions["refused"];

  constructor({ internals, worker, bounds, observer, refused }: ClerkOptions) {
    this.#internals = internals;
    this.#worker = worker;
    this.#bounds = bounds;
    this.#observer = observer;
    this.#refused = refused;
  }

  /** The handler returned. When its result cannot be carried, it failed. */
  completed(what: Case, result: unknown): Settlement {
    let value = "";
    if (result !== undefined) {
      try {
        value = this.#internals.producer.encodeResult(what.message?.task, result);
      } catch (error) {
        this.#refused(what, error);
        return this.failed(what, error); // its work is done: trying again would do it twice
      }
    }
    return this.#end(what, "completed", { state: "completed", text: this.#text(what, value) });
  }

  /** It failed, and is not tried again. */
  failed(what: Case, error: unknown): Settlement {
    return this.#failed(what, error, { reason: messageOf(error), error });
  }

  /** Its arguments cannot be read. What a parser says of them may quote them, which is not for the log (invariant 85). */
  illegible(what: Case, error: unknown): Settlement {
    return this.#failed(what, error, { reason: "its arguments cannot be read" });
  }

  #failed(what: Case, error: unknown, shown: { reason: string; error?: unknown }): Settlement {
    tellFailure(what, shown);
    const text = this.#text(what, encodeFailure(error));
    return this.#end(what, "failed", { state: "failed", text });
  }

  /** It is struck: this run is skipped, and no other of its chain (invariant 47). */
  struck(what: Case): Settlement {
    const { run: { claim }, message } = what;
    this.#observer.count("docket_tasks_stricken", message?.task);
    log.warn("{task} {key} is struck and does not run", { task: message?.task, key: claim.key });
    const text = this.#text(what, "");
    return this.#end(what, "skipped", { state: "cancelled", reason: "struck", text });
  }

  /** It was asked to stop, and did. */
  cancelled(what: Case): Settlement {
    const ttl = this.ttlOf(what, "cancelled");
    return { kind: "cancelled", reason: "cancelled", text: this.#text(what, ""), ttl };
  }

  /** It cannot be read: a person must look at it (invariant 39). */
  unreadable(run: Run, error: unknown): Settlement {
    const { key } = run.claim;
    this.#observer.count("docket_tasks_dead");
    log.error("Parked {key}: {reason}", { key, reason: messageOf(error) });
    return { kind: "dead", text: this.#text({ run }, encodeFailure(error)) };
  }

  /** Nobody knew its task for too long (invariant 38). */
  unknown(what: Case & { readonly message: Message }): Settlement {
    const { task } = what.message;
    this.#observer.count("docket_tasks_dead", task);
    const error = new UnknownTaskError(
      `Cannot run "${task}": no worker that was given it knew it, for too long`,
      task,
    );
    log.error("Parked {key}: {reason}", { key: what.run.claim.key, reason: error.message });
    return { kind: "dead", text: this.#text(what, encodeFailure(error)) };
  }

  /** How long the record of such an end stays. */
  ttlOf({ message }: Case, state: keyof Retention): Millis {
    return message?.ttl ?? this.#internals.retention[state];
  }

  /** What ended, and what comes after it in the same step. */
  #end(what: Case, outcome: RunEnd["outcome"], ended: Ended): Settlement {
    const { run: { claim }, message, definition } = what;
    const ttl = this.ttlOf(what, ended.state);
    const chain = this.#bounds.isLast(claim.key) ? undefined : this.#succession(what, outcome);
    if (chain?.kind !== "next" || !definition) {
      if (ended.state === "cancelled") return { kind: "cancelled", ...ended, ttl };
      const { state, text } = ended;
      return chain ? { kind: state, text, ttl, stops: true } : { kind: state, text, ttl };
    }
    let body = claim.body;
    try {
      if (chain.args) {
        const encoded = this.#internals.producer.encode(definition.name, chain.args, message?.ttl);
        body = annotateMessage(encoded, { trace: message?.trace }); // who began the chain (invariant 83)
      }
    } catch (error) {
      // What it gave its successor cannot be carried: that is its own failure, unless it has failed already. The chain
      // goes on as it was.
      if (ended.state !== "failed") {
        this.#refused(what, error);
        return this.failed({ ...what, resources: undefined }, error);
      }
    }
    const { due, planned } = chain;
    if (planned && due && "at" in due) body = annotateMessage(body, { planned: due.at });
    return { kind: "succeeded", ...ended, ttl, generation: randomId(), due, body };
  }

  /** A policy that cannot decide ends nothing but its own chain (invariant 36). */
  #succession(what: Case, outcome: RunEnd["outcome"]): Succession | undefined {
    const { run: { claim }, message, definition, resources } = what;
    if (!definition || definition.chain.length === 0) return undefined;
    const { startedAt, due } = claim;
    const { planned } = message ?? {};
    const end = { outcome, began: what.began ?? false, startedAt, due, planned };
    try {
      for (const dependency of definition.chain) {
        const succession = dependency.succeed?.(end, resources?.valueOf(dependency));
        if (succession) return validatedSuccession(succession);
      }
    } catch (error) {
      log.error("A policy of {task} cannot decide what comes next: {reason}", {
        task: definition.name,
        reason: messageOf(error),
        error,
      });
    }
    return undefined;
  }

  #text({ run: { claim }, message }: Case, value: string): string {
    const { attempt, startedAt } = claim;
    return encodeEnding({ attempt, startedAt, worker: this.#worker, task: message?.task, value });
  }
}
