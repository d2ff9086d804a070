/**
 * What is measured. Promises: counting never fails and never delays what is counted; no label has a
 * name that a device or a person chose; workers hand their counts to the primary, which answers for
 * all of them. Not handled here: who may read them (`http/metrics`).
 */
export type { Arrival, CheckInObserver } from './check-ins.ts'
export { observeCheckIns, observeForeignCheckIns } from './check-ins.ts'
export { createCollector } from './collector.ts'
export { createDeviceCounter } from './device-counts.ts'
export type { SnapshotExchange } from './exchange.ts'
export { createExchangeEnd } from './exchange.ts'
export { chooseFormat, contentTypes, formatSnapshot, mergeSnapshots } from './exposition.ts'
export { collectFacts } from './facts.ts'
export type { Snapshot } from './meter.ts'
export { createMeter } from './meter.ts'
export { observeDb } from './observe.ts'
export { measureProcess } from './process.ts'
export type { Metrics } from './server-metrics.ts'
export { createMetrics } from './server-metrics.ts'
export type { SettlementObserver } from './settlements.ts'
export { countEnded, observeSettlements } from './settlements.ts'
