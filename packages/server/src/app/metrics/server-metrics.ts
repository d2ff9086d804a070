/**
 * What a worker counts while it works: one field for each part that counts. docs/OPERATIONS.md says
 * what each means.
 */
import type { Counter, Histogram, Meter } from './meter.ts'

export interface Metrics {
  readonly meter: Meter
  readonly checkIns: Counter
  readonly checkInBatchSize: Histogram
  readonly checkInCommitSeconds: Histogram
  readonly decisions: Counter
  readonly updatesEnded: Counter
  readonly refusals: Counter
  readonly logLinesLeftOut: Counter
  readonly limited: Counter
  readonly requests: Counter
  readonly requestSeconds: Histogram
  readonly deviceTokens: Counter
  readonly transactions: Counter
  readonly transactionSeconds: Histogram
  readonly taskRuns: Counter
  readonly taskSeconds: Histogram
}

const fast = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
const slow = [0.001, 0.01, 0.1, 0.5, 1, 5, 30, 120]
const sizes = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]

export function createMetrics(meter: Meter): Metrics {
  return {
    meter,
    checkIns: meter.counter({
      name: 'seaworthy_check_ins_total',
      help: 'Check-ins of devices by what became of them and the protocol they came by.',
      labels: ['outcome', 'protocol'],
    }),
    checkInBatchSize: meter.histogram({
      name: 'seaworthy_check_in_batch_size',
      help: 'Check-ins written together in one statement.',
      limits: sizes,
    }),
    checkInCommitSeconds: meter.histogram({
      name: 'seaworthy_check_in_commit_duration_seconds',
      help: 'From handing a batch to PostgreSQL until it is durable.',
      limits: fast,
    }),
    decisions: meter.counter({
      name: 'seaworthy_decisions_total',
      help: 'What devices were told at check-ins, by the reason.',
      labels: ['reason'],
    }),
    updatesEnded: meter.counter({
      name: 'seaworthy_updates_ended_total',
      help: 'Updates of devices in rollouts that a report or a time-out has ended, by the state they ended in.',
      labels: ['state'],
    }),
    refusals: meter.counter({
      name: 'seaworthy_refusals_total',
      help: 'Requests that were refused, by the code of the problem.',
      labels: ['code'],
    }),
    logLinesLeftOut: meter.counter({
      name: 'seaworthy_log_lines_left_out_total',
      help: 'Lines of the log file that callers caused beyond their allowance.',
    }),
    limited: meter.counter({
      name: 'seaworthy_limited_total',
      help: 'Times that a caller wanted more than its budget, by the budget.',
      labels: ['budget'],
    }),
    requests: meter.counter({
      name: 'seaworthy_http_requests_total',
      help: 'Requests answered, by route and class of the status.',
      labels: ['route', 'status'],
    }),
    requestSeconds: meter.histogram({
      name: 'seaworthy_http_request_duration_seconds',
      help: 'From the end of the request head to the end of the answer, by route.',
      labels: ['route'],
      limits: fast,
    }),
    deviceTokens: meter.counter({
      name: 'seaworthy_device_tokens_issued_total',
      help: 'Access tokens issued to devices.',
    }),
    transactions: meter.counter({
      name: 'seaworthy_database_transactions_total',
      help: 'Transactions by kind and outcome.',
      labels: ['kind', 'outcome'],
    }),
    transactionSeconds: meter.histogram({
      name: 'seaworthy_database_transaction_duration_seconds',
      help: 'Duration of transactions by kind, the wait for a connection included.',
      labels: ['kind'],
      limits: fast,
    }),
    taskRuns: meter.counter({
      name: 'seaworthy_task_runs_total',
      help: 'Runs of background tasks by outcome.',
      labels: ['task', 'outcome'],
    }),
    taskSeconds: meter.histogram({
      name: 'seaworthy_task_duration_seconds',
      help: 'Duration of the runs of background tasks.',
      labels: ['task'],
      limits: slow,
    }),
  }
}
