/**
 * D3 D4 O1: a fleet in one five-wave rollout, with bad devices, replicas that are killed and cut
 * off, clocks that jump and a night that has an hour twice. Real application code and a real
 * PostgreSQL; the story's own time, which only this file moves. Same seed, same story.
 */
import { membersOf } from '@seaworthy/fleet/rollouts'
import { seededRandom } from '@seaworthy/std/random'
import { reportOf } from './devices.ts'
import { releases } from './fleet-rows.ts'
import type { ReplicaPair } from './replica-pair.ts'
import { openReplicaPair, replicasCount } from './replica-pair.ts'
import type { Seen, Steering } from './limits.ts'
import { checkLimits, nothingSeen } from './limits.ts'
import type { Misfortune } from './misfortunes.ts'
import { createMisfortunes, planWave } from './misfortunes.ts'
import type { StoryDevice } from './story-devices.ts'
import { createStoryDevices, hear, instantOf, liveUntil } from './story-devices.ts'

export const fleetStoryName = 'fleet-rollout'
export const devicesCountDefault = 100_000

export interface FleetStoryOptions {
  readonly devicesCount: number
  readonly seed: number
  /** Each line as it is told. */
  readonly onLine?: (line: string) => void
}

const badShare = 0.03
const pollMinutes = 120
/** Saturday evening before the night in which Berlin has 02:00 to 03:00 twice. */
const startAt = new Date('2026-10-24T18:00:00Z')
const lastMinute = 40 * 60
/** The most devices that ask at the same time: few enough for one transaction each. */
const groupMax = 400

const policyOf = (devicesCount: number) => {
  const gate = {
    bakeSeconds: 900,
    successPercentMin: 75,
    successOf: 'members',
    sampleMin: 50,
  } as const
  const wave = (percent: number, failurePercentMax: number) => ({
    members: { kind: 'percent' as const, percent },
    needsApproval: false,
    gate: { ...gate, failurePercentMax },
  })
  return {
    // The third gate is stricter than the devices are good: there it must stop by itself.
    waves: [wave(1, 10), wave(5, 10), wave(20, 2), wave(50, 10), wave(100, 10)],
    inFlightMax: Math.ceil(devicesCount / 50),
    perPeriod: { updatesMax: Math.ceil(devicesCount / 6), seconds: 3600 },
    rate: null,
    windows: {
      timeZone: 'Europe/Berlin',
      fallbackTimeZone: 'Europe/Berlin',
      spans: [
        { days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], from: '20:00', to: '09:00' },
      ],
    },
    timeoutSeconds: 7200,
    silentAfterSeconds: 86_400,
    safeMode: false,
    failuresMax: null,
    onFailure: 'pause',
    attempts: { max: 1, waitSeconds: 0 },
    isEmergency: false,
  } as const
}

/** Throws when a limit or a count is not what it must be. */
export async function tellFleetStory(options: FleetStoryOptions): Promise<string> {
  const lines: string[] = []
  const tell = (line: string) => {
    lines.push(line)
    options.onLine?.(line)
  }
  const random = seededRandom(options.seed)
  const devices = createStoryDevices({
    count: options.devicesCount,
    badShare,
    pollMinutes,
    running: releases[0],
    random,
  })
  const pair = await openReplicaPair({ startAt, random, devices })
  try {
    await new FleetStory(pair, devices, random, tell).play()
  } finally {
    await pair.close()
  }
  return `${lines.join('\n')}\n`
}

class FleetStory {
  readonly #pair: ReplicaPair
  readonly #devices: StoryDevice[]
  readonly #tell: (line: string) => void
  readonly #random
  readonly #policy
  /** Devices by the minute at which they speak next. */
  readonly #agenda = new Map<number, StoryDevice[]>()
  readonly #misfortunes = createMisfortunes()
  #rolloutId = ''
  #seen: Seen = nothingSeen
  #steering: Steering | null = null
  #wavesOpenCount = 0
  #state = 'active'
  #wasOpen = false
  #lostAnswers = 0
  /** The minute at which the last devices have asked again after the end, and got the baseline. */
  #endMinute: number | undefined

  constructor(
    pair: ReplicaPair,
    devices: StoryDevice[],
    random: ReturnType<typeof seededRandom>,
    tell: (line: string) => void,
  ) {
    this.#pair = pair
    this.#tell = tell
    this.#random = random
    this.#devices = devices
    this.#policy = policyOf(devices.length)
  }

  async play(): Promise<void> {
    const { length } = this.#devices
    const bad = this.#devices.filter(({ isBad }) => isBad).length
    this.#tell(`${length} devices run 1.0.0; 1.1.0 will fail its health check on ${bad} of them`)
    this.#rolloutId = await this.#pair.createRollout(this.#policy)
    const { waves, inFlightMax, perPeriod } = this.#policy
    const shares = waves.map(({ members }) => `${members.percent} %`).join(', ')
    this.#tell(
      `rollout to 1.1.0: waves ${shares}; at most ${inFlightMax} at once, ${perPeriod.updatesMax} an hour; 20:00 to 09:00 in Berlin`,
    )
    for (const device of this.#devices) this.#plan(device)
    for (let minute = 0; minute <= lastMinute; minute++) {
      this.#pair.setNow(instantOf(startAt, minute))
      await this.#passMinute(minute)
      if (this.#state === 'finished') this.#endMinute ??= minute + pollMinutes + 10
      if (minute === this.#endMinute) break
    }
    await this.#end()
  }

  #plan(device: StoryDevice): void {
    const list = this.#agenda.get(device.nextAtMinute)
    if (list === undefined) this.#agenda.set(device.nextAtMinute, [device])
    else list.push(device)
  }

  async #passMinute(minute: number): Promise<void> {
    await this.#pair.passNotifications()
    await this.#pair.lead()
    await this.#note(minute)
    await this.#meddle(minute)
    const speaking = this.#agenda.get(minute) ?? []
    this.#agenda.delete(minute)
    for (const device of speaking) liveUntil(device)
    for (const group of groupsOf(speaking)) {
      await this.#letSpeak(group.devices, group.replica, minute)
    }
    if (minute % 60 === 59) await this.#checkLimits()
  }

  /**
   * Lets all ask at once at one replica; a device that gets no answer asks another one a minute
   * later.
   */
  async #letSpeak(devices: readonly StoryDevice[], replica: number, minute: number): Promise<void> {
    const now = instantOf(startAt, minute)
    const answers = await Promise.all(
      devices.map((device) => this.#pair.checkIn(replica, device, reportOf(device, now))),
    )
    for (const [i, device] of devices.entries()) {
      const answer = answers[i]!
      if (answer === 'unreachable') {
        this.#lostAnswers++
        device.nextAtMinute = minute + 1
      } else hear(device, answer, minute, pollMinutes)
      this.#plan(device)
    }
  }

  /** Does what people and misfortune do, by the clock of the story and by the waves. */
  async #meddle(minute: number): Promise<void> {
    for (const misfortune of this.#misfortunes.due(minute)) {
      this.#say(minute, await misfortune.happen())
    }
  }

  async #note(minute: number): Promise<void> {
    const rollout = await this.#pair.getRollout(this.#rolloutId)
    const isOpen = this.#pair.isWindowOpen(this.#policy.windows)
    if (isOpen !== this.#wasOpen) {
      this.#wasOpen = isOpen
      this.#say(minute, isOpen ? 'the window opens' : 'the window closes')
    }
    if (rollout.wavesOpenCount !== this.#wavesOpenCount) {
      this.#wavesOpenCount = rollout.wavesOpenCount
      const membersCount = membersOf(rollout, rollout.wavesOpenCount - 1)
      this.#say(minute, `wave ${rollout.wavesOpenCount} of 5 opens for ${membersCount} devices`)
      planWave(this.#misfortunes, this.#pair, rollout.wavesOpenCount, minute, this.#random)
    }
    if (rollout.state !== this.#state) {
      this.#state = rollout.state
      this.#say(
        minute,
        `${rollout.state}${rollout.stopReason === null ? '' : `: ${rollout.stopReason}`}`,
      )
      if (rollout.state === 'paused') this.#misfortunes.plan(this.#resumption(minute + 25))
    }
    if (minute % 60 === 0) this.#say(minute, describeWaves(rollout.waves))
  }

  async #end(): Promise<void> {
    await this.#checkLimits()
    const rollout = await this.#pair.getRollout(this.#rolloutId)
    const updated = this.#devices.filter(({ running }) => running.version === '1.1.0').length
    const good = this.#devices.filter(({ isBad }) => !isBad).length
    this.#tell(`in the end: ${describeWaves(rollout.waves)}`)
    this.#tell(
      `${updated} of ${good} good devices run 1.1.0; ${this.#lostAnswers} answers were lost`,
    )
  }

  async #checkLimits(): Promise<void> {
    this.#seen = await checkLimits(this.#pair.db, this.#rolloutId, this.#seen, this.#steering)
    this.#steering = null
  }

  #resumption(atMinute: number): Misfortune {
    return {
      atMinute,
      happen: async () => {
        // What follows is judged by itself, and not by what was seen an hour before.
        await this.#checkLimits()
        this.#steering = { how: 'resume', eventId: this.#seen.eventId }
        await this.#pair.resumeRollout(this.#rolloutId)
        return 'a person has looked at the failures, accepts them and resumes'
      },
    }
  }

  #say(minute: number, line: string): void {
    this.#tell(`${localTime(instantOf(startAt, minute))}  ${line}`)
  }
}

interface Group {
  readonly replica: number
  readonly devices: readonly StoryDevice[]
}

/**
 * Groups devices by replica and by kind: with nothing new to say, at work, with something signed.
 */
function* groupsOf(devices: readonly StoryDevice[]): Iterable<Group> {
  for (let replica = 0; replica < replicasCount; replica++) {
    const own = devices.filter((_, i) => i % replicasCount === replica)
    for (const kind of [isIdle, isAtWork, hasSigned]) {
      const alike = own.filter(kind)
      for (let from = 0; from < alike.length; from += groupMax) {
        yield { replica, devices: alike.slice(from, from + groupMax) }
      }
    }
  }
}

const hasSigned = ({ hasNewReport }: StoryDevice) => hasNewReport
const isAtWork = ({ hasNewReport, trial }: StoryDevice) => !hasNewReport && trial !== null
const isIdle = ({ hasNewReport, trial }: StoryDevice) => !hasNewReport && trial === null

function describeWaves(
  waves: readonly {
    readonly offeredCount: number
    readonly inFlightCount: number
    readonly healthyCount: number
    readonly failedCount: number
  }[],
): string {
  return waves
    .map(
      (w) =>
        `${w.healthyCount}+${w.failedCount}/${w.offeredCount}${w.inFlightCount > 0 ? `(${w.inFlightCount})` : ''}`,
    )
    .join(' | ')
}

const berlin = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'Europe/Berlin',
  weekday: 'short',
  hour: '2-digit',
  minute: '2-digit',
  timeZoneName: 'short',
})

function localTime(at: Date): string {
  return berlin.format(at)
}
