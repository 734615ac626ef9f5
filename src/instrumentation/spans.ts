/**
 * Spans for whoever traces: any SDK that is registered with `@opentelemetry/api`.
 *
 * @module
 */

import type { Attributes, Span, SpanContext } from "@opentelemetry/api";
import { describeFailure } from "../base/failure.ts";
import { type Api, otel } from "./api.ts";
import { SCOPE } from "./meters.ts";
import { safely } from "./safely.ts";

/** What a producer does that has a span. */
export type Operation = "add" | "replace" | "cancel";

/** Makes spans. */
export class Tracer {
  readonly #api: Api;
  readonly #nobody: unknown;

  constructor(api: Api) {
    this.#api = api;
    this.#nobody = new api.ProxyTracerProvider().getDelegate();
  }

  /** Whether anybody traces: an SDK may be registered at any time. */
  get on(): boolean {
    const { trace, ProxyTracerProvider } = this.#api;
    const provider = trace.getTracerProvider();
    return !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== this.#nobody;
  }

  /**
   * Runs something within a span of what a producer does. It is given its place in the trace, for whoever runs the task
   * (invariant 83).
   */
  async produce<Result>(
    docket: string,
    operation: Operation,
    attributes: Attributes,
    act: (traceparent: string | undefined) => Promise<Result>,
  ): Promise<Result> {
    const { context, trace, SpanKind } = this.#api;
    const type = operation === "cancel" ? "settle" : "send";
    const options = {
      kind: SpanKind.PRODUCER,
      attributes: { ...messaging(docket, operation, type), ...attributes },
    };
    const span = safely(() => trace.getTracer(SCOPE).startSpan(`docket.${operation}`, options));
    if (!span) return await act(undefined);
    const traceparent = safely(() => toTraceparent(span.spanContext()));
    try {
      return await context.with(trace.setSpan(context.active(), span), () => act(traceparent));
    } catch (error) {
      fail(this.#api, span, error);
      throw error;
    } finally {
      safely(() => span.end());
    }
  }

  /** A span of one run, linked to whoever scheduled it. Of its own trace: a run may come days later, and many times. */
  startRun(
    docket: string,
    task: string,
    scheduledBy: string | undefined,
    attributes: Attributes,
  ): RunSpan | undefined {
    const { trace, SpanKind, ROOT_CONTEXT } = this.#api;
    const origin = scheduledBy === undefined ? undefined : fromTraceparent(scheduledBy);
    const options = {
      kind: SpanKind.CONSUMER,
      root: true,
      links: origin ? [{ context: origin }] : [],
      attributes: { ...messaging(docket, "process", "process"), ...attributes },
    };
    const span = safely(() => trace.getTracer(SCOPE).startSpan(task, options, ROOT_CONTEXT));
    return span && new RunSpan(this.#api, span);
  }
}

/** The span of a run. */
export class RunSpan {
  readonly #api: Api;
  readonly #span: Span;

  constructor(api: Api, span: Span) {
    this.#api = api;
    this.#span = span;
  }

  /** Runs something so that spans which it starts are children of this one. */
  within<Result>(act: () => Result): Result {
    const { context, trace, ROOT_CONTEXT } = this.#api;
    return context.with(trace.setSpan(ROOT_CONTEXT, this.#span), act);
  }

  /** The run is over; what it threw makes it an error. */
  end(outcome: string, thrown?: { readonly error: unknown }): void {
    safely(() => this.#span.setAttribute("docket.outcome", outcome));
    if (thrown) fail(this.#api, this.#span, thrown.error);
    safely(() => this.#span.end());
  }
}

let tracer: Tracer | undefined;

/** Whoever traces; nothing while nobody does. */
export function tracing(): Tracer | undefined {
  if (!tracer) {
    const api = otel();
    if (!api) return undefined;
    tracer = new Tracer(api);
  }
  return tracer.on ? tracer : undefined;
}

/** What each span says of its docket. */
function messaging(docket: string, operation: string, type: string): Attributes {
  return {
    "messaging.system": "docket",
    "messaging.destination.name": docket,
    "messaging.operation.name": operation,
    "messaging.operation.type": type,
    "docket.name": docket,
  };
}

/** Says that what the span stands for failed. */
function fail({ SpanStatusCode }: Api, span: Span, error: unknown): void {
  const failure = describeFailure(error); // an exporter may hold thousands of them
  safely(() => span.recordException(failure));
  safely(() => span.setStatus({ code: SpanStatusCode.ERROR, message: failure.message }));
}

/** As W3C Trace Context writes it; nothing where there is no trace. */
function toTraceparent({ traceId, spanId, traceFlags }: SpanContext): string | undefined {
  if (/^0*$/.test(traceId)) return undefined;
  return `00-${traceId}-${spanId}-${traceFlags & SAMPLED ? "01" : "00"}`;
}

/** Nothing where it has no form that is known. */
function fromTraceparent(text: string): SpanContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text) ?? [];
  if (!traceId) return undefined;
  return { traceId, spanId, traceFlags: parseInt(flags, 16), isRemote: true };
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** A flag of W3C Trace Context. */
const SAMPLED = 1;
