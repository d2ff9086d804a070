/**
 * Devices of other protocols follow the same rules as our agents: what they tell becomes a report
 * like an agent's, and the same engine decides what they get. Their reports carry no signature:
 * only the token vouches for them.
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import type { ReportChange } from '@seaworthy/fleet/protocols'
import { activityOf, changeReport } from '@seaworthy/fleet/protocols'
import type { Answer, CheckInFacts, HeldBack } from '@seaworthy/fleet/rollouts'
import { hexEncode } from '@seaworthy/std/bytes'
import { formatInstant } from '@seaworthy/std/time'
import { storeReports } from '../../db/check-ins.ts'
import type { StoredReport } from '../../db/devices.ts'
import type { Db, WriteTx } from '../../db/connection.ts'
import type { ForeignPoll, ForeignState } from '../../db/foreign-check-ins.ts'
import { lockForeignState, writeForeignPolls } from '../../db/foreign-check-ins.ts'
import type { App, Ports, ForeignIdentity, ForeignCheckIns } from '../app.ts'
import {
  checkInTimes,
  createBatches,
  createWaitingLimit,
  refuseOverload,
  slowdownOf,
} from '../worker/index.ts'
import { policyOf } from '../fleets/index.ts'
import { parseUpdates, decideFor } from '../rollouts/index.ts'

export type { ForeignState, OpenAction } from '../../db/foreign-check-ins.ts'

interface Waiting {
  readonly poll: ForeignPoll
  readonly seenAt: Date
  readonly resolve: (state: ForeignState | undefined) => void
  readonly reject: (error: unknown) => void
}

export function createForeignCheckIns(
  db: Db,
  ports: Pick<Ports, 'clock' | 'sleep' | 'random'>,
  onHeard: () => void,
): ForeignCheckIns {
  const batches = createBatches<Waiting>(ports, {
    keyOf: ({ poll }) => poll.device,
    times: checkInTimes,
    write: (batch) => writeBatch(db, batch, onHeard),
  })
  const limit = createWaitingLimit()
  return {
    slowdown: () => slowdownOf(batches.backlog()),
    async poll(identity, now) {
      refuseOverload(batches.backlog(), ports.random)
      const poll = pollOf(identity)
      limit.enter(poll.device)
      try {
        return await new Promise((resolve, reject) => {
          batches.add({ poll, seenAt: now, resolve, reject })
        })
      } finally {
        limit.leave(poll.device)
      }
    },
  }
}

function pollOf({ deviceId, gatewayId, secretSha256 }: ForeignIdentity): ForeignPoll {
  const secret = secretSha256 === null ? null : hexEncode(secretSha256)
  return { device: deviceId, secretSha256: secret, gateway: gatewayId }
}

async function writeBatch(db: Db, batch: readonly Waiting[], onHeard: () => void): Promise<void> {
  try {
    const seenAt = batch.at(-1)!.seenAt
    const polls = batch.map(({ poll }) => poll)
    const states = await db.writeRows((tx) => writeForeignPolls(tx, polls, seenAt))
    const firstHeard = [...states.values()].filter(({ report }) => report === null)
    if (firstHeard.length > 0) {
      await db.write((tx) =>
        storeReports(
          tx,
          firstHeard.map((state) => wholeCheckIn(state.device, firstReport(state, seenAt), seenAt)),
          seenAt,
        ),
      )
    }
    onHeard()
    for (const { poll, resolve } of batch) {
      const state = states.get(poll.device)
      resolve(state && { ...state, report: state.report ?? firstReport(state, seenAt) })
    }
  } catch (error) {
    for (const { reject } of batch) reject(error)
  }
}

/** What a foreign device is taken to say before it has said anything. */
function firstReport({ protocol, platform }: ForeignState, now: Date): StoredReport {
  return {
    sequence: 0,
    at: formatInstant(now),
    running: null,
    committedCounter: 0,
    floor: 0,
    update: { state: 'idle' },
    metadata: {},
    timestampVerifiedAt: null,
    refusals: [],
    agentVersion: protocol,
    platform,
  }
}

function wholeCheckIn(device: string, report: DeviceReport, now: Date) {
  return {
    device,
    // Polls of a foreign device carry no report that could be compared by its digest.
    digest: '',
    reportedAtSeconds: Math.floor(now.getTime() / 1000),
    verifiedAtSeconds: null,
    report: JSON.stringify(report),
    isSigned: true,
  }
}

/**
 * The device's present state, locked until the end of the transaction; `undefined` for a removed
 * device, and when the credential `by` is no longer the device's own.
 */
export async function lockForeign(
  tx: WriteTx,
  deviceId: string,
  now: Date,
  by?: ForeignIdentity,
): Promise<ForeignState | undefined> {
  const state = await lockForeignState(tx, deviceId, by && pollOf(by))
  return state && { ...state, report: state.report ?? firstReport(state, now) }
}

/** Stores what a locked device said as its next report. */
export async function storeChange(
  tx: WriteTx,
  state: ForeignState,
  change: ReportChange,
  now: Date,
): Promise<ForeignState> {
  const before = state.report ?? firstReport(state, now)
  const { unsignedVersion: _, ...known } = before
  const report: StoredReport = {
    ...known,
    ...changeReport(before, change),
    sequence: before.sequence + 1,
    at: formatInstant(now),
  }
  await storeReports(tx, [wholeCheckIn(state.device, report, now)], now)
  return { ...state, report }
}

/**
 * Decides what comes next for the device, and writes it, as for one of our agents (RFD 12). With
 * `heldBack`, nothing is granted that could not be shown to the device (RFD 13). Throws
 * `unavailable`.
 */
export async function decideForeign(
  app: Pick<App, 'fleets' | 'metrics' | 'releases' | 'rollouts' | 'settlements' | 'zones'>,
  state: ForeignState,
  heldBack: HeldBack | null,
  now: Date,
): Promise<{ answer: Answer; fleet: FleetPolicy }> {
  const fleet = await policyOf(app, state.fleet)
  const facts = factsOf(state, fleet, heldBack, now)
  const answer = await decideFor(app, facts, fleet, now)
  app.metrics.decisions.add(1, answer.reason)
  return { answer, fleet }
}

function factsOf(
  state: ForeignState,
  fleet: FleetPolicy,
  heldBack: HeldBack | null,
  now: Date,
): CheckInFacts {
  const { update, running, committedCounter, floor, sequence } =
    state.report ?? firstReport(state, now)
  return {
    deviceId: state.device,
    platform: state.platform,
    hardware: state.hardware,
    tags: state.tags,
    running: running && {
      product: running.product,
      sha256: running.sha256,
      counter: running.counter,
    },
    committedCounter,
    floor,
    activity: {
      state: activityOf(fleet, update.state),
      sha256: update.sha256 ?? null,
      code: update.code ?? null,
    },
    sequence,
    heldBack,
    updates: parseUpdates(state.updates),
  }
}
