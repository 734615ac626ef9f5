/**
 * Looks at a docket again and again, and draws what is known of it.
 *
 * @module
 */

import { type Clock, type Millis, sleep } from "../../base/clock.ts";
import { DocketError, messageOf } from "../../base/errors.ts";
import type { Docket } from "../../docket/docket.ts";
import { internalsOf } from "../../docket/internals.ts";
import type { Storage } from "../../storage/contract.ts";
import type { Terminal } from "../terminal.ts";
import { Rates } from "./rates.ts";
import { type Found, renderTop } from "./screen.ts";

/** A look that takes longer is told of; and no longer is waited before the next one while nothing is answered. */
const PATIENCE: Millis = 1_000;

/** Of so many running tasks is found out which worker has them: what is listed is read with its arguments. */
const MOST = 1_000;

/** Where it is drawn. */
export type Screen = Pick<Terminal, "columns" | "rows" | "redraw">;

/** What `docket top` does. */
export class TopView {
  readonly #docket: Docket;
  readonly #screen: Screen;
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #rates: Rates;
  #found?: Found;
  /** Since when an answer has been waited for; `undefined` when there is one. */
  #askedAt?: Millis;
  /** Why the last look failed. */
  #failure?: Error;
  /** Ends listening. */
  #listening?: AbortController;

  /** Looks at a docket, with its clock. */
  constructor(docket: Docket, screen: Screen) {
    const { storage, clock } = internalsOf(docket);
    this.#docket = docket;
    this.#screen = screen;
    this.#storage = storage;
    this.#clock = clock;
    this.#rates = new Rates(clock);
  }

  /** Never ends by itself: not answered, it says so and asks again. */
  async show(interval: Millis): Promise<never> {
    for (;;) {
      const answered = new AbortController();
      await Promise.all([
        this.#look().finally(() => answered.abort()),
        this.#tellOfSilence(answered.signal),
      ]);
      this.#draw();
      await sleep(this.#clock, this.#failure ? Math.min(interval, PATIENCE) : interval);
    }
  }

  async #look(): Promise<void> {
    this.#askedAt ??= this.#clock.monotonic();
    try {
      this.#found = await this.#find();
      this.#askedAt = this.#failure = undefined;
      if (!this.#listening) this.#listen();
    } catch (error) {
      if (!(error instanceof DocketError)) throw error;
      this.#failure = error;
      this.#deafen();
    }
  }

  async #find(): Promise<Found> {
    const { rows } = this.#screen;
    const running = this.#found?.taken.counts.running ?? 0;
    const [taken, workers, failed] = await Promise.all([
      this.#docket.snapshot({ limit: Math.max(rows, Math.min(running, MOST)) }),
      this.#docket.workers(),
      this.#docket.failed({ limit: rows }),
    ]);
    return { taken, workers, failed };
  }

  /** Begins to count once everything is heard. Where that fails, it is tried again after the next look. */
  #listen(): void {
    const listening = this.#listening = new AbortController();
    const { signal } = listening;
    this.#storage.watch((change) => this.#rates.hear(change), { signal }).then(
      () => {
        if (!signal.aborted) this.#rates.begin();
      },
      () => {
        if (!signal.aborted) this.#deafen();
      },
    );
  }

  #deafen(): void {
    this.#listening?.abort();
    this.#listening = undefined;
    this.#rates.end();
  }

  async #tellOfSilence(answered: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.#clock, PATIENCE, answered);
      if (answered.aborted) return;
      this.#draw();
    }
  }

  #draw(): void {
    const silence = this.#askedAt === undefined ? undefined : {
      span: this.#clock.monotonic() - this.#askedAt,
      // The cause alone: a line has little room, and the title names the docket and its place.
      reason: this.#failure && messageOf(this.#failure.cause ?? this.#failure),
    };
    const state = {
      name: this.#docket.name,
      url: this.#storage.url,
      found: this.#found,
      silence,
      rates: silence ? undefined : this.#rates.perSecond,
    };
    this.#screen.redraw(renderTop(state, this.#screen));
  }
}
