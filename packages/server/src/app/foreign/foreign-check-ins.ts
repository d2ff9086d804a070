/**
 * Devices of other protocols follow the same rules as our agents: what they tell becomes a report
 * like an agent's, and the same engine decides what they get. Their reports carry no signature:
 * only the token vouches for them.
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import { asSignedSequence } from '@seaworthy/fleet/devices'
import type { ReportChange } from '@seaworthy/fleet/protocols'
import { changeReport } from '@seaworthy/fleet/protocols'
import type { Answer, CheckInFacts, HeldBack } from '@seaworthy/fleet/rollouts'
import { readActivity } from '@seaworthy/fleet/rollouts'
import { hexEncode } from '@seaworthy/std/bytes'
import { formatInstant } from '@seaworthy/std/time'
import { storeReports } from '../../db/check-ins.ts'
import type { StoredReport } from '../../db/devices.ts'
import type { Db, WriteTx } from '../../db/connection.ts'
import type { ForeignPoll, ForeignState } from '../../db/foreign-check-ins.ts'
import {
  learnForeignPolls,
  lockForeignState,
  writeForeignPolls,
} from '../../db/foreign-check-ins.ts'
import type { App, Ports, ForeignIdentity, ForeignCheckIns } from '../app.ts'
import {
  checkInTimes,
  createBatches,
  createWaitingLimit,
  joinBacklogs,
  refuseOverload,
  slowdownOf,
} from '../worker/index.ts'
import { policyOf } from '../fleets/index.ts'
import { parseUpdates, decideFor } from '../rollouts/index.ts'

export type { ForeignState, OpenAction } from '../../db/foreign-check-ins.ts'

interface Waiting {
  readonly poll: ForeignPoll
  readonly resolve: (state: ForeignState | undefined) => void
  readonly reject: (error: unknown) => void
}

type States = ReadonlyMap<string, ForeignState>
/** What happens to a poll that a batch cannot answer. */
type Otherwise = (waiting: Waiting) => void

/** Polls of devices that have changed rarely come many at a time. */
const changedTimes = { usualMs: 0, fewMs: 0 }

export function createForeignCheckIns(
  db: Db,
  ports: Pick<Ports, 'clock' | 'sleep' | 'random'>,
  onHeard: () => void,
): ForeignCheckIns {
  const keyOf = ({ poll }: Waiting) => poll.device
  const write =
    (work: (polls: readonly ForeignPoll[]) => Promise<States>, others: Otherwise) =>
    async (batch: readonly Waiting[]) => {
      try {
        const polls = batch.map(({ poll }) => poll)
        const states = await work(polls)
        if (states.size > 0) onHeard()
        for (const waiting of batch) {
          const state = states.get(waiting.poll.device)
          if (state === undefined) others(waiting)
          else waiting.resolve(state)
        }
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
  // What has changed takes longer, and the other polls do not wait for it.
  const changed = createBatches<Waiting>(ports, {
    ...{ keyOf, times: changedTimes },
    write: write(
      (polls) => learnChanged(db, polls),
      ({ resolve }) => resolve(undefined),
    ),
  })
  const idle = createBatches<Waiting>(ports, {
    ...{ keyOf, times: checkInTimes },
    write: write(
      (polls) => db.writeRows((tx) => writeForeignPolls(tx, polls)),
      (waiting) => changed.add(waiting),
    ),
  })
  const limit = createWaitingLimit()
  const backlog = () => joinBacklogs(idle.backlog(), changed.backlog())
  return {
    slowdown: () => slowdownOf(backlog()),
    async poll(identity) {
      refuseOverload(backlog(), ports.random)
      const poll = pollOf(identity)
      limit.enter(poll.device)
      try {
        return await new Promise((resolve, reject) => {
          idle.add({ poll, resolve, reject })
        })
      } finally {
        limit.leave(poll.device)
      }
    },
  }
}

function pollOf({ deviceId, gatewayId, protocol, secretSha256 }: ForeignIdentity): ForeignPoll {
  const secret = secretSha256 === null ? null : hexEncode(secretSha256)
  return { device: deviceId, secretSha256: secret, gateway: gatewayId, protocol }
}

async function learnChanged(db: Db, polls: readonly ForeignPoll[]): Promise<States> {
  return db.write(async (tx) => {
    const learned = await learnForeignPolls(tx, polls)
    const now = await tx.now()
    const states = [...learned.values()].map((state) => ({
      ...state,
      report: state.report ?? firstReport(state, now),
    }))
    const firstHeard = states.flatMap(({ device, report }) =>
      learned.get(device)!.report === null ? wholeCheckIn(device, report, now) : [],
    )
    if (firstHeard.length > 0) await storeReports(tx, firstHeard)
    return new Map(states.map((state) => [state.device, state]))
  })
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
    // The next poll starts from what is known of the device now.
    digest: '',
    reportedAtSeconds: Math.floor(now.getTime() / 1000),
    verifiedAtSeconds: null,
    report: JSON.stringify(report),
    isRepeated: false,
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
  await storeReports(tx, [wholeCheckIn(state.device, report, now)])
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
  const facts = factsOf(state, heldBack, now)
  const answer = await decideFor(app, facts, fleet, now)
  app.metrics.decisions.add(1, answer.reason)
  return { answer, fleet }
}

function factsOf(state: ForeignState, heldBack: HeldBack | null, now: Date): CheckInFacts {
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
    // Such a device has no key: it is known by its secret, and its word counts as it is.
    activity: readActivity(update, asSignedSequence(sequence)),
    countsAttempts: false,
    sequence,
    heldBack,
    updates: parseUpdates(state.updates),
  }
}
