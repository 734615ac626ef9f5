/**
 * The API of OpenTelemetry, for as long as somebody listens: most programs never load it.
 *
 * @module
 */

/** Its functions. */
export type Api = typeof import("@opentelemetry/api");

/** Where an SDK leaves its mark, whichever copy of the API it came with. */
const MARK = Symbol.for("opentelemetry.js.api.1");

let api: Api | undefined;
let loading: Promise<void> | undefined;

/** The API, unless nobody has registered anything with it. It is there a moment after somebody has. */
export function otel(): Api | undefined {
  if (api === undefined && MARK in globalThis) void load();
  return api;
}

/** Resolves when nothing will be missed by those who are registered now. */
export async function otelReady(): Promise<void> {
  if (MARK in globalThis) await load();
}

function load(): Promise<void> {
  return loading ??= import("@opentelemetry/api").then(
    (loaded) => void (api = loaded),
    () => {}, // it is not installed: then nobody of this program has registered with it
  );
}
