/**
 * Spans for whoever traces: any SDK that is registered with `@opentelemetry/api`.
 *
 * @module
 */

import {
  type Attributes,
  context,
  type Link,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import { describeFailure } from "../base/failure.ts";
import { SCOPE } from "./meters.ts";
import { safely } from "./safely.ts";

export type { Span };

const NOBODY = new ProxyTracerProvider().getDelegate();

/** Whether anybody traces: an SDK may be registered at any time. */
export function isTracing(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== NOBODY;
}

function tracer(): Tracer {
  return trace.getTracer(SCOPE);
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

/**
 * Runs something within a span of what a producer does. It is given its place in the trace, for whoever runs the task
 * (invariant 83).
 */
export async function producing<Result>(
  docket: string,
  operation: "add" | "replace" | "cancel",
  attributes: Attributes,
  act: (traceparent: string | undefined) => Promise<Result>,
): Promise<Result> {
  const type = operation === "cancel" ? "settle" : "send";
  const options = {
    kind: SpanKind.PRODUCER,
    attributes: { ...messaging(docket, operation, type), ...attributes },
  };
  const span = safely(() => tracer().startSpan(`docket.${operation}`, options));
  if (!span) return await act(undefined);
  const traceparent = safely(() => toTraceparent(span.spanContext()));
  try {
    return await context.with(trace.setSpan(context.active(), span), () => act(traceparent));
  } catch (error) {
    fail(span, error);
    throw error;
  } finally {
    safely(() => span.end());
  }
}

/** A span of one run, linked to whoever scheduled it. Of its own trace: a run may come days later, and many times. */
export function startRun(
  docket: string,
  task: string,
  scheduledBy: string | undefined,
  attributes: Attributes,
): Span | undefined {
  const origin = scheduledBy === undefined ? undefined : fromTraceparent(scheduledBy);
  const links: Link[] = origin ? [{ context: origin }] : [];
  const options = {
    kind: SpanKind.CONSUMER,
    root: true,
    links,
    attributes: { ...messaging(docket, "process", "process"), ...attributes },
  };
  return safely(() => tracer().startSpan(task, options, ROOT_CONTEXT));
}

/** Ends the span of a run, which has failed if anything was thrown. */
export function endRun(span: Span, outcome: string, thrown?: { readonly error: unknown }): void {
  safely(() => span.setAttribute("docket.outcome", outcome));
  if (thrown) fail(span, thrown.error);
  safely(() => span.end());
}

/** Runs something with a span as the present one: spans that it starts are its children. */
export function within<Result>(span: Span, act: () => Result): Result {
  return context.with(trace.setSpan(ROOT_CONTEXT, span), act);
}

/** Says that what the span stands for failed. */
function fail(span: Span, error: unknown): void {
  const failure = describeFailure(error); // an exporter may hold thousands of them
  safely(() => span.recordException(failure));
  safely(() => span.setStatus({ code: SpanStatusCode.ERROR, message: failure.message }));
}

/** As W3C Trace Context writes it; nothing where there is no trace. */
export function toTraceparent({ traceId, spanId, traceFlags }: SpanContext): string | undefined {
  if (/^0*$/.test(traceId)) return undefined;
  return `00-${traceId}-${spanId}-${traceFlags & TraceFlags.SAMPLED ? "01" : "00"}`;
}

/** Nothing where it has no form that is known. */
export function fromTraceparent(text: string): SpanContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text) ?? [];
  if (!traceId) return undefined;
  return { traceId, spanId, traceFlags: parseInt(flags, 16), isRemote: true };
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
