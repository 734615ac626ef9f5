/**
 * The rules of what is struck, and which version of them this is.
 *
 * @module
 */

/** So many requests are remembered: more than come while one is sent again. */
const RECENT = 32;

/** Rules as opaque texts. Each change is a new version. */
export class Rules {
  readonly #rules = new Set<string>();
  /** The last ones that changed something, the newest first. */
  #recent: string[] = [];

  /** The request that changed something last; `""` before the first one. */
  get version(): string {
    return this.#recent[0] ?? "";
  }

  /** Adds a rule, or takes it out; tells whether that changed something. */
  strike(rule: string, struck: boolean, request: string): boolean {
    if (this.#recent.includes(request)) return true; // sent again, whatever came between (invariant 27)
    if (this.#rules.has(rule) === struck) return false;
    if (struck) this.#rules.add(rule);
    else this.#rules.delete(rule);
    this.#recent = [request, ...this.#recent].slice(0, RECENT);
    return true;
  }

  /** All of them, and their version. */
  all(): { readonly version: string; readonly rules: readonly string[] } {
    return { version: this.version, rules: [...this.#rules] };
  }
}
