/**
 * What can be done to a storage, as data: every command makes sense in every state, so that a failing sequence can be
 * shortened by leaving any of them out.
 *
 * @module
 */

import type { GateName } from "./pool.ts";

export const KEYS = ["a", "b", "c"] as const;
export type Key = typeof KEYS[number];

/** Three places for consumers; when one crashes or retires, the next one there has another name. */
export type Place = 0 | 1 | 2;

export type When = "now" | "past" | "soon" | "far";

export interface Wish {
  readonly key: Key;
  readonly mode: "add" | "replace";
  readonly when: When;
}

/** Whose token a commit or a renewal bears: the present run's, all of it or not; an earlier one's of the key, another key's. */
export type Token = "current" | "part" | "old" | "another's";

export interface Outcome {
  readonly kind:
    | "completed"
    | "failed"
    | "cancelled"
    | "dead"
    | "retried"
    | "released"
    | "held"
    | "stops"
    | "chain"
    | "skipped chain";
  readonly when: When;
  /** Whether a record is wanted. */
  readonly record: boolean;
}

/** A key under a token; if it does not run and its current token is meant: one that does. */
export interface Tokened {
  readonly key: Key;
  readonly token: Token;
}

export interface Settling extends Tokened {
  readonly outcome: Outcome;
  /** Also says that it leaves a limit which it does not hold. */
  readonly leavesMore: boolean;
}

export interface Entering extends Tokened {
  readonly gates: readonly GateName[];
  /** To those that the key came to last instead, if there were any. */
  readonly again: boolean;
}

export type Command =
  | {
    readonly do: "schedule";
    readonly wishes: readonly Wish[];
    /** Which strikes the caller has looked at. */
    readonly strikes: "any" | "present" | "old";
  }
  /** The same request once more; 0: the last one. */
  | { readonly do: "schedule again"; readonly ago: number }
  | {
    readonly do: "cancel";
    readonly targets: readonly {
      readonly key: Key;
      readonly which: "any" | "live" | "deferred" | "old";
    }[];
  }
  | {
    readonly do: "step";
    readonly place: Place;
    readonly lane: number;
    readonly commits: readonly Settling[];
    readonly want: number;
    /** New tasks; all that is the consumer's; what its last wait set aside. */
    readonly from: "new" | "own" | "aside";
    readonly maxDeliveries: number;
  }
  /** Of the lane that was used last, or before that, the same request once more: its last one, or one that is too old. */
  | { readonly do: "step again"; readonly back: number; readonly old: boolean }
  | {
    readonly do: "reclaim";
    readonly place: Place;
    readonly lease: "short" | "long";
    readonly want: number;
    readonly maxDeliveries: number;
    /** Goes on until everything was looked at. */
    readonly everything: boolean;
    /** Lets time pass before. */
    readonly late: boolean;
  }
  | { readonly do: "enter"; readonly entries: readonly Entering[] }
  /** The same entries once more. */
  | { readonly do: "enter again" }
  /** Whoever reclaimed last. */
  | { readonly do: "reclaim again" }
  | {
    readonly do: "renew";
    /** Absent: who runs the first of them. */
    readonly place: Place | undefined;
    readonly leases: readonly Tokened[];
    readonly twice: boolean;
  }
  | { readonly do: "promote"; readonly limit: number; readonly late: boolean }
  | { readonly do: "seed"; readonly keys: readonly Key[]; readonly when: When }
  /** The same seeds once more. */
  | { readonly do: "seed again" }
  | {
    readonly do: "requeue";
    readonly key: Key;
    readonly which: "failed" | "dead" | "another";
    readonly twice: boolean;
  }
  | {
    readonly do: "discard";
    readonly key: Key;
    readonly which: "failed" | "dead" | "another";
  }
  | { readonly do: "clear"; readonly twice: boolean }
  | { readonly do: "report"; readonly leases: readonly Tokened[]; readonly message: boolean }
  | {
    readonly do: "strike";
    readonly rule: number;
    readonly struck: boolean;
    readonly twice: boolean;
  }
  | { readonly do: "sweep" }
  /** A stranger breaks something, and the docket is swept. */
  | {
    readonly do: "lose";
    readonly what: "stream" | "group" | "consumer" | "due";
    readonly place: Place;
  }
  | { readonly do: "wait"; readonly place: Place; readonly want: number }
  | { readonly do: "advance" }
  /** Somebody begins to listen, or nobody listens any more: where nobody does, the storage may take shorter ways. */
  | { readonly do: "watch"; readonly on: boolean }
  /** A stranger moves the storage's pointer: what was read is shown again. */
  | { readonly do: "stray" }
  | { readonly do: "crash"; readonly place: Place }
  | { readonly do: "retire"; readonly place: Place };

/** A command in words. */
export function describe(command: Command): string {
  switch (command.do) {
    case "schedule": {
      const wishes = list(command.wishes.map(({ mode, key, when }) => `${mode} ${key} ${when}`));
      return command.strikes === "any"
        ? wishes
        : `${wishes}, knowing the ${command.strikes} strikes`;
    }
    case "schedule again":
      return `schedule the same again (${command.ago} requests ago)`;
    case "cancel":
      return `cancel ${list(command.targets.map(({ key, which }) => `${key} (${which})`))}`;
    case "step": {
      const { place, lane, commits, want, from, maxDeliveries } = command;
      const settled = commits.map(({ key, token, outcome, leavesMore }) => {
        const more = leavesMore ? ", leaving more than it holds" : "";
        return `${key} ${inWords(outcome)} under its ${token} token${more}`;
      });
      const which = `${from}, at most ${maxDeliveries} deliveries`;
      return `step of consumer ${place}.${lane}: settle ${list(settled)}; take ${want} ${which}`;
    }
    case "step again":
      return `the same step again, of ${command.back} lanes before the last` +
        (command.old ? ", but an old one" : "");
    case "reclaim": {
      const { place, lease, want, maxDeliveries, everything, late } = command;
      const extent = everything ? `all, ${want} at a time` : `${want}`;
      const limit = `at most ${maxDeliveries} deliveries`;
      return `${
        late ? "later " : ""
      }consumer ${place} reclaims ${extent} after a ${lease} lease, ${limit}`;
    }
    case "enter": {
      const entries = command.entries.map(({ key, token, gates, again }) => {
        const which = `${again ? "again, or " : ""}${gates.join(", then ")}`;
        return `${key} under its ${token} token (${which})`;
      });
      return `enter ${list(entries)}`;
    }
    case "enter again":
      return "the same entries again";
    case "reclaim again":
      return "the same reclaim again";
    case "renew": {
      const leases = command.leases.map(({ key, token }) => `${key} under its ${token} token`);
      const times = command.twice ? " twice" : "";
      const who = command.place === undefined ? "who runs it" : `consumer ${command.place}`;
      return `${who} renews ${list(leases)}${times}`;
    }
    case "promote":
      return `${command.late ? "later " : ""}promote ${command.limit}`;
    case "wait":
      return `consumer ${command.place} waits for ${command.want}`;
    case "seed":
      return `seed ${list(command.keys)} ${command.when}`;
    case "seed again":
      return "the same seeds again";
    case "requeue":
      return `requeue ${command.key} (${command.which})${command.twice ? " twice" : ""}`;
    case "discard":
      return `discard ${command.key} (${command.which})`;
    case "clear":
      return `clear${command.twice ? " twice" : ""}`;
    case "report": {
      const leases = command.leases.map(({ key, token }) => `${key} under its ${token} token`);
      return `report ${list(leases)}${command.message ? " with a message" : ""}`;
    }
    case "strike": {
      const { rule, struck, twice } = command;
      return `${struck ? "strike" : "restore"} rule ${rule}${twice ? " twice" : ""}`;
    }
    case "sweep":
      return "sweep";
    case "lose":
      return command.what === "consumer"
        ? `a stranger deletes consumer ${command.place}; sweep`
        : `a stranger destroys the ${command.what}; sweep`;
    case "advance":
      return "time passes";
    case "watch":
      return command.on ? "somebody watches" : "nobody watches any more";
    case "stray":
      return "all that was read is shown again";
    case "crash":
    case "retire":
      return `consumer ${command.place} ${command.do}s`.replace("crashs", "crashes");
  }
}

function inWords({ kind, when, record }: Outcome): string {
  const kept = record ? "" : " without record";
  if (kind === "retried" || kind === "released" || kind === "held") return `${kind} ${when}`;
  return kind.endsWith("chain") ? `${kind} ${when}${kept}` : `${kind}${kept}`;
}

function list(items: readonly string[]): string {
  return items.join(", ") || "nothing";
}
