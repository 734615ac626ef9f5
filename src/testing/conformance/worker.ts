/**
 * A consumer as the tests of the contract have it.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import { randomId } from "../../base/ids.ts";
import {
  type Claim,
  NEW,
  type Settlement,
  type Step,
  type StepReply,
  type Storage,
} from "../../storage/contract.ts";
import { LEASE, LONG } from "./shorthands.ts";

/** A consumer with one lane, unless a step says otherwise. */
export class Worker {
  /** Unique. */
  readonly name: string = `worker.${randomId()}`;
  readonly #storage: Storage;
  readonly #calls = new Map<number, number>();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** The next request of a lane, not sent yet. */
  request(parts: Partial<Step> = {}): Step {
    const lane = parts.lane ?? 0;
    const call = (this.#calls.get(lane) ?? 0) + 1;
    this.#calls.set(lane, call);
    return {
      consumer: this.name,
      lane,
      call,
      token: randomId(),
      commits: [],
      want: 10,
      from: NEW,
      maxDeliveries: 5,
      ...parts,
    };
  }

  /** Sends the next request of a lane. */
  step(parts: Partial<Step> = {}): Promise<StepReply> {
    return this.#storage.step(this.request(parts));
  }

  /** Takes up to `want` tasks, going on for as long as there may be more. */
  async claim(want = 10, parts: Partial<Step> = {}): Promise<readonly Claim[]> {
    const claims: Claim[] = [];
    let from = parts.from ?? NEW;
    for (let more = true; more && claims.length < want;) {
      const reply = await this.step({ ...parts, want: want - claims.length, from });
      claims.push(...reply.claims);
      ({ more, cursor: from } = reply);
    }
    return claims;
  }

  /** Settles one task and claims nothing; tells whether it counted. */
  async settle(
    { key, token }: { readonly key: string; readonly token: string },
    settlement: Settlement,
  ): Promise<boolean> {
    const { committed } = await this.step({ commits: [{ key, token, settlement }], want: 0 });
    return committed?.[0] ?? true;
  }

  /** Waits for tasks and takes them. */
  async await(want = 1): Promise<readonly Claim[]> {
    const from = await this.#storage.wait(this.name, want, LONG);
    ok(from !== undefined, "nothing came");
    return await this.claim(want, { from });
  }

  /** Takes over what expired, from the first lease to the last. */
  async reclaim(
    { lease = LEASE, want = 10, maxDeliveries = 5, token = randomId() } = {},
  ): Promise<readonly Claim[]> {
    const claims: Claim[] = [];
    let cursor = "";
    do {
      const request = { consumer: this.name, token, lease, cursor, want, maxDeliveries };
      const reply = await this.#storage.reclaim(request);
      claims.push(...reply.claims);
      ({ cursor } = reply);
    } while (cursor !== "");
    return claims;
  }
}
