/**
 * Traces of what a worker does, sent to a collector. Promises: nobody waits for them, and none has
 * a secret or a token in it.
 */
export type { SpanExporter, SpanSender } from './export.ts'
export { startSpanExporter } from './export.ts'
export type { SpanContext, Tracer } from './spans.ts'
export { createTracer } from './spans.ts'
