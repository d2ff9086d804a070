/**
 * What the device says about itself, and the outbox of signed statements that are not acknowledged
 * yet.
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import { formatInstant } from '@seaworthy/std/time'
import type { Signer } from '@seaworthy/trust/keys'
import { signReport } from './device-key.ts'
import type { DeviceState, StoredRelease, SignedReport } from './device-state.ts'
import { outboxMax } from './device-state.ts'

export type UpdateActivity =
  | { state: 'idle' }
  | {
      state: 'downloading' | 'installing' | 'watching' | 'committed' | 'rolled_back' | 'failed'
      targetPath: string
      sha256: string
      percent?: number
      code?: string
    }

/** Whether it tells how an update ended. */
export function isEnd({ state }: UpdateActivity): boolean {
  return state === 'committed' || state === 'rolled_back' || state === 'failed'
}

/** The activity of a device that is ready, and waits for permission to restart (V12). */
export function waitingActivity({ targetPath, sha256 }: StoredRelease): UpdateActivity {
  return { state: 'installing', targetPath, sha256, code: 'waiting_for_restart' }
}

/** The facts of a report that are not in the durable state. */
export interface AgentFacts {
  product: string
  agentVersion: string
  platform: string
  bootId: string
  activity: UpdateActivity
  /** What a signed report says of the machine. */
  machine?: DeviceReport['machine']
}

/**
 * A report on the state. `running` is the committed release; one that is on trial is named by
 * `update`, until it is committed.
 */
export function buildReport(
  state: DeviceState,
  facts: AgentFacts,
  now: Date,
  sequence: number,
): DeviceReport {
  const running = state.committed
  return {
    sequence,
    at: formatInstant(now),
    running:
      running === null
        ? null
        : {
            product: facts.product,
            version: running.version,
            sha256: running.sha256,
            counter: running.counter,
          },
    committedCounter: state.committedCounter,
    floor: state.floor,
    update: facts.activity,
    metadata: state.metadata,
    timestampVerifiedAt: state.timestampVerifiedAt,
    refusals: state.refusals,
    ...describeAppSettings(state),
    agentVersion: facts.agentVersion,
    platform: facts.platform,
    bootId: facts.bootId,
  }
}

/** Nothing for a device that never had variables or secrets. */
function describeAppSettings({
  configuration: { version, failed },
}: DeviceState): Pick<DeviceReport, 'configuration'> {
  if (version === null && failed === null) return {}
  return {
    configuration: {
      version,
      ...(failed === null ? {} : { failed: { version: failed.version, code: failed.code } }),
    },
  }
}

/**
 * Adds a signed report about `state` to its outbox, so that change and report become durable in one
 * write. A full outbox gives up its second-newest entries first: the newest states all that is true
 * now, and the gap in the sequence stays visible.
 */
export async function withSignedReport(
  state: DeviceState,
  facts: AgentFacts,
  signer: Signer,
  now: Date,
): Promise<DeviceState> {
  const sequence = state.sequence + 1
  const report = {
    ...buildReport(state, facts, now, sequence),
    // Reports without a signature leave it out: the server keeps what was signed last.
    ...(state.failure === null ? {} : { failure: state.failure }),
    ...(facts.machine === undefined ? {} : { machine: facts.machine }),
  }
  const signed: SignedReport = { sequence, report, signature: await signReport(signer, report) }
  const kept = state.outbox.length < outboxMax ? state.outbox : state.outbox.slice(0, outboxMax - 1)
  return { ...state, sequence, outbox: [...kept, signed] }
}

/**
 * The number from which a device continues when its server says that a later one was used: one of
 * the two was restored, or the device has reported without its state
 * (`installer/unreadable-state.ts`), numbered by seconds since 1970. Each further try leaps a
 * thousand times as far, so that three tries pass any number that was ever used. Beyond `leapMax`
 * steps are small, so that no server drives a device to the end of the numbers.
 */
export function sequenceBeyond(sequence: number, triesBefore: number, now: Date): number {
  const seconds = Math.floor(now.getTime() / 1000)
  if (sequence >= leapMax) return sequence + leap
  if (triesBefore === 0) return Math.max(sequence + leap, Math.min(seconds, leapMax))
  return sequence + leap ** Math.min(triesBefore + 1, 3)
}

const leap = 1000
const leapMax = 1e12
