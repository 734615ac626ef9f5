/**
 * Deno's own exporter: spans and metrics arrive with `OTEL_DENO=true`, with nothing set up.
 *
 * @module
 */

import { deepStrictEqual as deepEqual, strictEqual as equal } from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { HISTOGRAMS } from "../../src/instrumentation/instruments.ts";

test("OTEL_DENO=true exports the spans and the metrics of a program that sets nothing up", async () => {
  await using receiver = await Receiver.start();
  const program = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", fileURLToPath(new URL("_traced.ts", import.meta.url))],
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    },
  });
  const { code, stderr } = await program.output();
  equal(code, 0, new TextDecoder().decode(stderr));

  const spans = receiver.spans.filter(({ scope }) => scope === "docket");
  deepEqual(spans.map(({ name }) => name).sort(), ["docket.add", "greet"]);
  const [add, run] = ["docket.add", "greet"].map((each) =>
    spans.find(({ name }) => name === each)!
  );
  deepEqual([add.kind, run.kind], [4, 5]); // producer, consumer
  deepEqual(run.links.map(({ traceId, spanId }) => [traceId, spanId]), [[add.traceId, add.spanId]]);
  equal(run.attributes["docket.key"], "k");
  equal(run.attributes["docket.outcome"], "completed");

  const mine = { docket: "traced", task: "greet" };
  deepEqual(receiver.points("docket_tasks_added"), [{ labels: mine, value: 1 }]);
  for (const name of ["started", "completed", "succeeded"]) {
    const labels = { ...mine, worker: "web-1" };
    deepEqual(receiver.points(`docket_tasks_${name}`), [{ labels, value: 1 }], name);
  }
  for (const name of Object.keys(HISTOGRAMS)) {
    equal(receiver.points(name).reduce((sum, { value }) => sum + value, 0), 1, name);
  }
});

/** A span as OTLP has it. */
interface Span {
  readonly scope: string;
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly attributes: Readonly<Record<string, unknown>>;
}

// deno-lint-ignore no-explicit-any -- what comes over the wire
type Json = any;

/** Takes whatever OTLP/HTTP brings, as JSON. */
class Receiver implements AsyncDisposable {
  readonly #server: Server;
  readonly #received: { readonly path: string; readonly body: Json }[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Uint8Array[] = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        const text = new TextDecoder().decode(Buffer.concat(chunks));
        this.#received.push({ path: request.url ?? "", body: JSON.parse(text) });
        response.setHeader("content-type", "application/json");
        response.end("{}");
      });
    });
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    const server = receiver.#server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get spans(): Span[] {
    return this.#all("/v1/traces", "resourceSpans").flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap(({ scope, spans }: Json) =>
        spans.map((span: Json) => ({
          ...span,
          scope: scope?.name,
          links: span.links ?? [],
          attributes: attributesOf(span.attributes),
        }))
      )
    );
  }

  /** What a metric said last, by labels; of a histogram how many values there were. */
  points(name: string): { labels: Record<string, unknown>; value: number }[] {
    const metric = this.#metrics().findLast((metric) => metric.name === name);
    const { dataPoints = [] } = metric?.sum ?? metric?.gauge ?? metric?.histogram ?? {};
    return dataPoints.map((point: Json) => ({
      labels: attributesOf(point.attributes),
      value: Number(point.asInt ?? point.asDouble ?? point.count),
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #metrics(): Json[] {
    return this.#all("/v1/metrics", "resourceMetrics").flatMap(({ scopeMetrics }) =>
      scopeMetrics.flatMap(({ metrics }: Json) => metrics)
    );
  }

  #all(path: string, field: string): Json[] {
    return this.#received.filter((one) => one.path === path).flatMap(({ body }) => body[field]);
  }
}

function attributesOf(attributes: Json[] = []): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, Object.values(value as object)[0]]),
  );
}
