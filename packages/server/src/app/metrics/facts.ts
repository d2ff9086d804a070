/**
 * What is true of the whole installation. It is read when somebody scrapes and costs nothing while
 * nobody does.
 */
import { X509Certificate } from 'node:crypto'
import { parseAnyJson } from '@seaworthy/std/json'
import { hourMs, parseInstant, secondMs } from '@seaworthy/std/time'
import { roleKindOf } from '@seaworthy/trust/tuf'
import { pingDatabase } from '../../db/connection.ts'
import { readLogState } from '../../db/audit-log.ts'
import { countClocksOff } from '../../db/devices.ts'
import type { RolloutCounts } from '../../db/metrics.ts'
import { listRolloutCounts, readLogBacklog } from '../../db/metrics.ts'
import type { App } from '../app.ts'
import { answerWithin, anyone } from '../worker/index.ts'
import { viewTrustStatus } from '../trust/index.ts'
import { createMeter } from './meter.ts'
import type { Meter, Reading, Snapshot } from './meter.ts'

/**
 * A database that answers later than this counts as unreachable: a scrape must not hang with it.
 */
const answerMs = 2 * secondMs
/** The most roles that are shown, those that expire first; the trust status has them all. */
const rolesMax = 500
const backlogMax = 10_000
/**
 * The most rollouts that are shown: the newest that go on, or ended less than `rolloutShownMs` ago,
 * so that an automatic abort is seen.
 */
const rolloutsMax = 200
const rolloutShownMs = 6 * hourMs

export async function collectFacts(
  app: Pick<
    App,
    'callerLog' | 'certificate' | 'clock' | 'db' | 'health' | 'sleep' | 'trust' | 'version'
  >,
): Promise<Snapshot> {
  const meter = createMeter()
  show(meter, 'seaworthy_build_info', 'Always 1; the labels say what runs.', [
    ['version', 'node'],
    [{ value: 1, labels: [app.version, process.versions.node] }],
  ])
  describeCertificate(app, meter)
  describeTrust(app, meter)
  describeProblems(app, meter)
  const stored = await inTime(app, readStored(app))
  show(meter, 'seaworthy_database_up', 'Whether the database answers.', stored !== undefined)
  if (stored !== undefined) describeStored(meter, stored, app.clock.now())
  return meter.snapshot()
}

type Shown = number | boolean | readonly [labels: readonly string[], readings: readonly Reading[]]

function show(meter: Meter, name: string, help: string, shown: Shown): void {
  const [labels, readings] =
    typeof shown === 'object' ? shown : ([[], [{ value: Number(shown) }]] as const)
  meter.gauge({ name, help, labels, merge: 'max' }, () => readings)
}

function describeCertificate(
  { certificate, clock }: Pick<App, 'certificate' | 'clock'>,
  meter: Meter,
) {
  const { validFromDate, validToDate } = new X509Certificate(certificate.current.certificatePem)
  const [from, until] = [validFromDate.getTime(), validToDate.getTime()]
  const now = clock.now().getTime()
  show(
    meter,
    'seaworthy_certificate_remaining_seconds',
    'Time until the certificate that the server shows ends; negative when it has.',
    (until - now) / 1000,
  )
  show(
    meter,
    'seaworthy_certificate_used_ratio',
    'Share of the lifetime of the certificate that has passed.',
    (now - from) / (until - from),
  )
}

function describeTrust(app: Pick<App, 'clock' | 'trust'>, meter: Meter): void {
  const now = app.clock.now()
  const state = app.trust.state()
  const { initialized, roles, blindTimeSeconds } = viewTrustStatus(state, now)
  const soonest = roles
    .map(({ role, expiresAt, usedPercent }) => ({
      labels: [roleKindOf(role)?.kind ?? role, role],
      remaining: (parseInstant(expiresAt).getTime() - now.getTime()) / 1000,
      usedPercent,
    }))
    .toSorted((a, b) => a.remaining - b.remaining)
    .slice(0, rolesMax)
  const labels = ['kind', 'role']
  show(meter, 'seaworthy_trust_initialized', 'Whether there is a root.', initialized)
  show(
    meter,
    'seaworthy_trust_role_remaining_seconds',
    'Time until the newest version of a role expires; negative when it has.',
    [labels, soonest.map((role) => ({ value: role.remaining, labels: role.labels }))],
  )
  show(meter, 'seaworthy_trust_role_used_ratio', 'Share of a role’s lifetime that has passed.', [
    labels,
    soonest.map((role) => ({ value: role.usedPercent / 100, labels: role.labels })),
  ])
  if (blindTimeSeconds === null) return
  show(
    meter,
    'seaworthy_trust_blind_seconds',
    'For how long devices accept the present offline metadata if nobody signs again.',
    blindTimeSeconds,
  )
}

function describeProblems(app: Pick<App, 'health'>, meter: Meter): void {
  const problems = app.health.problems()
  show(meter, 'seaworthy_problem', '1 for each part that /readyz reports as not well.', [
    ['part'],
    problems.map(({ part }) => ({ value: 1, labels: [part] })),
  ])
}

async function readStored(app: Pick<App, 'clock' | 'db'>) {
  const { reader } = app.db
  const ping = await pingDatabase(app.db)
  if (ping === 'unreachable') return undefined
  const [log, clocksOff, backlog, rollouts] = await Promise.all([
    readLogState(reader),
    countClocksOff(reader),
    readLogBacklog(reader, backlogMax),
    listRolloutCounts(reader, new Date(app.clock.now().getTime() - rolloutShownMs), rolloutsMax),
  ])
  return { hasLeader: ping === 'well', log, clocksOff, backlog, rollouts }
}

type Stored = NonNullable<Awaited<ReturnType<typeof readStored>>>

function describeStored(meter: Meter, stored: Stored, now: Date): void {
  const { hasLeader, log, clocksOff, backlog, rollouts } = stored
  describeRollouts(meter, rollouts)
  show(
    meter,
    'seaworthy_devices_clock_off',
    'Devices whose clock was more than a minute ahead or behind when they last got a token.',
    [
      ['direction'],
      [
        { value: clocksOff.ahead, labels: ['ahead'] },
        { value: clocksOff.behind, labels: ['behind'] },
      ],
    ],
  )
  show(
    meter,
    'seaworthy_leader_elected',
    'Whether a worker of any server on this database runs the background tasks.',
    hasLeader,
  )
  show(meter, 'seaworthy_log_entries', 'Size of the audit log.', log?.size ?? 0)
  show(
    meter,
    'seaworthy_log_pending_entries',
    `Audit entries that have no place in the log yet, counted up to ${backlogMax}.`,
    backlog.pendingCount,
  )
  show(
    meter,
    'seaworthy_log_lag_seconds',
    'Age of the oldest audit entry without a place in the log; 0 when there is none.',
    ageOf(backlog.oldestEntry, now),
  )
  if (log === undefined) return
  show(
    meter,
    'seaworthy_log_checkpoint_time_seconds',
    'When the newest checkpoint was signed, in seconds since 1970.',
    log.signedAt.getTime() / 1000,
  )
}

const outcomes = ['offered', 'inFlight', 'healthy', 'failed', 'superseded'] as const

function describeRollouts(meter: Meter, rollouts: readonly RolloutCounts[]): void {
  const labels = ['rollout', 'fleet']
  show(meter, 'seaworthy_rollout_state', '1 for the state that each rollout is in.', [
    [...labels, 'state', 'stop'],
    rollouts.map(({ id, fleet, state, stopCode }) => ({
      value: 1,
      labels: [id, fleet, state, stopCode ?? ''],
    })),
  ])
  show(meter, 'seaworthy_rollout_waves', 'Waves of each rollout.', [
    labels,
    rollouts.map(({ id, fleet, wavesCount: value }) => ({ value, labels: [id, fleet] })),
  ])
  show(meter, 'seaworthy_rollout_waves_open', 'Waves of each rollout that have opened.', [
    labels,
    rollouts.map(({ id, fleet, wavesOpenCount: value }) => ({ value, labels: [id, fleet] })),
  ])
  show(
    meter,
    'seaworthy_rollout_devices',
    'Devices of each rollout by how far they are; a device that was offered a release counts in one other too.',
    [
      [...labels, 'is'],
      rollouts.flatMap((rollout) =>
        outcomes.map((outcome) => ({
          value: rollout[outcome],
          labels: [rollout.id, rollout.fleet, outcome === 'inFlight' ? 'in_flight' : outcome],
        })),
      ),
    ],
  )
}

function ageOf(entry: Uint8Array | null, now: Date): number {
  if (entry === null) return 0
  const { at } = parseAnyJson(entry) as { at: string }
  return Math.max(0, (now.getTime() - parseInstant(at).getTime()) / 1000)
}

/** Answers `undefined` when the database is unreachable, fails or does not answer in time. */
async function inTime<T>(
  app: Pick<App, 'callerLog' | 'sleep'>,
  work: Promise<T>,
): Promise<T | undefined> {
  try {
    return await answerWithin(app.sleep, answerMs, work)
  } catch (error) {
    app.callerLog.warn(anyone, 'metrics.incomplete', { error })
    return undefined
  }
}
