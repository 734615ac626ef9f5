/**
 * A reporter for `node --test` that tells each test in a line of JSON. Node's own are no basis for counting: they differ
 * between versions, and that of TAP in Node 20 breaks on some values of a failed assertion.
 *
 * @module
 */
import { inspect } from "node:util";

/** One test that is over. */
export interface Verdict {
  readonly name: string;
  /** Why it counts as failed; missing where it passed. */
  readonly why?: string;
}

interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name: string;
    readonly nesting: number;
    readonly file?: string;
    readonly skip?: unknown;
    readonly todo?: unknown;
    readonly details?: {
      readonly type?: string;
      readonly error?: { readonly cause?: unknown };
    };
  };
}

/** What Node calls. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    const over = event.type === "test:pass" || event.type === "test:fail";
    // A suite is as good as its tests, which are told one by one.
    if (!over || event.data.details?.type === "suite") continue;
    const verdict: Verdict = { name: event.data.name, why: whyFailed(event) };
    yield `${JSON.stringify(verdict)}\n`;
  }
}

function whyFailed({ type, data }: TestEvent): string | undefined {
  const { name, nesting, file, skip, todo, details } = data;
  if (type === "test:fail") return inspect(details?.error?.cause ?? details?.error);
  // Left undefined or false by Node; a reason may be an empty text.
  if (skip !== undefined && skip !== false) return "it is skipped, which nothing may be";
  if (todo !== undefined && todo !== false) return "it is still to be written";
  // For a file without tests Node tells the file itself as one that passed.
  if (nesting === 0 && file?.endsWith(name)) return "the file declares no test";
}
