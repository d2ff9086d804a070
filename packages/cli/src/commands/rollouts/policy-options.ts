/**
 * A rollout's policy on a command line: options override a file, which overrides the defaults. The
 * fleet's rules judge what it may say.
 */
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import type { RolloutView } from '@seaworthy/api/rollouts'
import { rolloutPolicyField } from '@seaworthy/api/rollouts'
import type {
  Gate,
  Rate,
  RolloutPolicy,
  RolloutRefusal,
  WaveMembers,
  Windows,
  WindowSpan,
} from '@seaworthy/fleet/rollouts'
import {
  checkPolicy,
  createZones,
  describeMembers,
  policyDefaults,
} from '@seaworthy/fleet/rollouts'
import { utf8Decode } from '@seaworthy/std/bytes'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { Refusal } from '@seaworthy/std/refusal'
import { formatDuration } from '@seaworthy/std/time'
import { CliError } from '../../failure.ts'
import { durationOption, oneOf, wholeNumber } from '../../options.ts'
import { readBounded } from '../../state/files.ts'
import type { ZoneOptions } from '../../window-spans.ts'
import { collectSpans, windowsOf } from '../../window-spans.ts'

/** The value `none` removes a limit. */
type OrNone<T> = T | 'none'

export interface PolicyOptions extends ZoneOptions {
  policy?: string
  waves?: WaveMembers[]
  approveWave?: number[]
  /** Milliseconds, for all waves or for each. */
  bake?: number[]
  success?: number
  successOf?: Gate['successOf']
  maxFailures?: OrNone<number>
  minSample?: number
  maxInFlight?: OrNone<number>
  maxPerPeriod?: OrNone<NonNullable<RolloutPolicy['perPeriod']>>
  rate?: OrNone<Rate>
  window?: WindowSpan[]
  timeout?: number
  silentAfter?: OrNone<number>
  safeMode?: boolean
  failureBudget?: OrNone<number>
  onFailure?: RolloutPolicy['onFailure']
  attempts?: number
  retryAfter?: number
  emergency?: boolean
}

const countMax = 100_000_000
const fileBytesMax = 256 * 1024

const gateDefault = policyDefaults.waves[0]!.gate

const silentAfterDefault = policyDefaults.silentAfterSeconds ?? 0

/** The defaults as the help shows them. */
const defaultTexts = {
  waves: policyDefaults.waves.map(({ members }) => describeMembers(members)).join(','),
  bake: formatDuration(gateDefault.bakeSeconds * 1000),
}

/**
 * The defaults stand in the help, and in what `--dry-run` prints. With `like-another` there are
 * none: what is not given is as in another policy.
 */
export function addPolicyOptions(
  command: Command,
  defaults: typeof defaultTexts | 'like-another' = defaultTexts,
): Command {
  const isLike = defaults === 'like-another'
  const { waves, bake } = isLike ? defaultTexts : defaults
  const otherwise = (value: string | number) => (isLike ? '' : ` (default: ${value})`)
  const { attempts, timeoutSeconds, onFailure } = policyDefaults
  return command
    .option(
      '--waves <list>',
      `for example 1%,10%,50%,100%: shares of the fleet so far; also count:50 and tag:canary=yes${otherwise(waves)}`,
      parseWaves,
    )
    .option(
      '--approve-wave <numbers>',
      'waves that open only once a person approved them, for example 2,3',
      parseNumbers,
    )
    .option(
      '--bake <durations>',
      `how long a wave must have stayed well; one for all waves, or one for each: 0,10m,1h${otherwise(bake)}`,
      parseBakes,
    )
    .option(
      '--success <percent>',
      `share that must be healthy${otherwise(`${gateDefault.successPercentMin}%`)}`,
      parsePercent,
    )
    .option(
      '--success-of <what>',
      `share of what: members of the wave, or its ended updates${otherwise(gateDefault.successOf)}`,
      oneOf('members', 'ended'),
    )
    .option(
      '--max-failures <percent>',
      `share of failures among the ended updates of a wave that is still allowed, or none for any${otherwise(`${gateDefault.failurePercentMax}%`)}`,
      orNone(parseFailures),
    )
    .option(
      '--min-sample <count>',
      `how many updates of a wave must have ended before shares of them count${otherwise(gateDefault.sampleMin)}`,
      wholeNumber(1, 1_000_000),
    )
    .option(
      '--failure-budget <count>',
      `failed devices over all waves that are still allowed, or none for any number${otherwise('none')}`,
      orNone(wholeNumber(0, countMax)),
    )
    .option('--safe-mode', 'one device at a time until the first is healthy; one failure stops')
    .option(
      '--on-failure <what>',
      `pause or abort when a limit of failures is passed${otherwise(onFailure)}`,
      oneOf('pause', 'abort'),
    )
    .option(
      '--max-in-flight <count>',
      `updates at the same time, or none for any number${otherwise('none')}`,
      orNone(wholeNumber(1, countMax)),
    )
    .option(
      '--max-per-period <count/time>',
      `updates offered in each period from the start, for example 200/1h, or none${otherwise('none')}`,
      orNone(parsePerPeriod),
    )
    .option(
      '--rate <rate>',
      `offers spread evenly: 30/min, or growing: 10/min,x2,every:100,max:1000/min, or none${otherwise('none')}`,
      orNone(parseRate),
    )
    .option(
      '--window <span>',
      `offer only then, for example "mon-fri 22:00-04:00", repeatable${otherwise('at any time')}`,
      collectSpans,
    )
    .option('--time-zone <zone>', 'of the windows: a name, or device for its own (default: UTC)')
    .option(
      '--fallback-time-zone <zone>',
      'with --time-zone device: for devices without the tag time-zone',
    )
    .option(
      '--timeout <duration>',
      `an update that takes longer has failed${otherwise(formatDuration(timeoutSeconds * 1000))}`,
      durationOption,
    )
    .option(
      '--silent-after <duration>',
      `a device not heard from for this long holds up no wave, or none to wait for every device${otherwise(formatDuration(silentAfterDefault * 1000))}`,
      orNone(durationOption),
    )
    .option(
      '--attempts <count>',
      `tries of each device${otherwise(attempts.max)}`,
      wholeNumber(1, 10),
    )
    .option(
      '--retry-after <duration>',
      `wait before the next try${otherwise(formatDuration(attempts.waitSeconds * 1000))}`,
      parseWait,
    )
    .option('--emergency', 'overtake the other rollouts of the fleet; only for security releases')
    .option(
      '--policy <file>',
      'the whole policy as JSON, as --dry-run --json prints it; options go before it',
    )
}

/** The policy as the HTTP API carries it. */
export type Policy = RolloutView['policy']

/**
 * Options go before the file, the file before `like`. Throws a usage error that names what is
 * wrong.
 */
export async function policyOf(
  options: PolicyOptions,
  like: RolloutPolicy = policyDefaults,
): Promise<Policy> {
  const base = options.policy === undefined ? like : await readPolicy(options.policy)
  const policy: RolloutPolicy = {
    waves: wavesOf(base, options),
    inFlightMax: limited(options.maxInFlight, base.inFlightMax),
    perPeriod: limited(options.maxPerPeriod, base.perPeriod),
    rate: limited(options.rate, base.rate),
    windows: windowsFrom(base.windows, options),
    timeoutSeconds: given(secondsOf(options.timeout), base.timeoutSeconds),
    silentAfterSeconds: limited(secondsOrNone(options.silentAfter), base.silentAfterSeconds),
    safeMode: given(options.safeMode, base.safeMode),
    failuresMax: limited(options.failureBudget, base.failuresMax),
    onFailure: given(options.onFailure, base.onFailure),
    attempts: {
      max: given(options.attempts, base.attempts.max),
      waitSeconds: given(secondsOf(options.retryAfter), base.attempts.waitSeconds),
    },
    isEmergency: given(options.emergency, base.isEmergency),
  }
  if (options.retryAfter !== undefined && policy.attempts.max === 1) {
    throw new CliError('usage', '--retry-after without a second attempt', {
      wayOut: 'Say how often a device may try: --attempts 3.',
    })
  }
  try {
    checkPolicy(policy, createZones())
  } catch (error) {
    throw options.policy === undefined ? countingWaves(error) : error
  }
  return parsePolicy('policy', policy)
}

/** Waves are counted from 1 for people; who wrote a file finds them by the names of its members. */
function countingWaves(error: unknown): unknown {
  if (!(error instanceof Refusal)) return error
  const message = error.message.replaceAll(
    /\bwaves\[(\d+)\](?:\.members\.\w+)?/g,
    (_field, index: string) => `wave ${Number(index) + 1}`,
  )
  return new Refusal<RolloutRefusal>('rollout_policy_invalid', message, { cause: error })
}

async function readPolicy(path: string): Promise<Policy> {
  const text = utf8Decode(await readBounded(path, fileBytesMax))
  let value: unknown
  try {
    value = parseAnyJsonText(text)
  } catch (cause) {
    throw new CliError('usage', `${path} is not JSON`, { cause })
  }
  return parsePolicy(path, value)
}

function parsePolicy(name: string, value: unknown): Policy {
  const parsed = rolloutPolicyField.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new CliError('usage', `${name}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, {
    wayOut: 'A whole policy is printed by `seaworthy rollout create … --dry-run --json`.',
  })
}

/** New waves take the gates of the waves they replace, one by one. */
function wavesOf(base: RolloutPolicy, options: PolicyOptions): RolloutPolicy['waves'] {
  const members = options.waves ?? base.waves.map((wave) => wave.members)
  const { bake, approveWave } = options
  if (bake !== undefined && bake.length > 1 && bake.length !== members.length) {
    throw new CliError(
      'usage',
      `--bake has ${bake.length} durations for ${members.length} waves: give one for all, or one for each`,
    )
  }
  const beyond = approveWave?.find((number) => number > members.length)
  if (beyond !== undefined) {
    throw new CliError('usage', `--approve-wave ${beyond}: there are ${members.length} waves`)
  }
  return members.map((one, i) => {
    const before = base.waves[i] ?? base.waves.at(-1)!
    return {
      members: one,
      needsApproval: approveWave?.includes(i + 1) ?? (i in base.waves && before.needsApproval),
      gate: gateOf(before.gate, options, bake?.[bake.length === 1 ? 0 : i]),
    }
  })
}

function gateOf(before: Gate, options: PolicyOptions, bakeMs: number | undefined): Gate {
  return {
    bakeSeconds: given(secondsOf(bakeMs), before.bakeSeconds),
    successPercentMin: given(options.success, before.successPercentMin),
    successOf: given(options.successOf, before.successOf),
    failurePercentMax: limited(options.maxFailures, before.failurePercentMax),
    sampleMin: given(options.minSample, before.sampleMin),
  }
}

function windowsFrom(before: Windows | null, options: PolicyOptions): Windows | null {
  const { window: spans, timeZone, fallbackTimeZone } = options
  if (spans === undefined && timeZone === undefined && fallbackTimeZone === undefined) return before
  const of = spans ?? before?.spans
  if (of !== undefined) {
    return windowsOf(of, {
      ...(before === null
        ? {}
        : { timeZone: before.timeZone, fallbackTimeZone: before.fallbackTimeZone }),
      ...(timeZone === undefined ? {} : { timeZone }),
      ...(fallbackTimeZone === undefined ? {} : { fallbackTimeZone }),
    })
  }
  throw new CliError('usage', 'a time zone without a window', {
    wayOut: 'Say when updates may be offered: --window "mon-fri 22:00-04:00".',
  })
}

function given<T>(option: T | undefined, otherwise: T): T {
  return option === undefined ? otherwise : option
}

function limited<T>(option: OrNone<T> | undefined, otherwise: T | null): T | null {
  if (option === undefined) return otherwise
  return option === 'none' ? null : option
}

function secondsOrNone(ms: OrNone<number> | undefined): OrNone<number> | undefined {
  return ms === 'none' ? ms : secondsOf(ms)
}

function secondsOf(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms / 1000)
}

const wavesForm = 'a list such as 1%,10%,100%, with count:50 and tag:name=value as well'

function parseWaves(text: string): WaveMembers[] {
  return text.split(',').map((part) => parseMembers(part.trim()))
}

function parseMembers(part: string): WaveMembers {
  const percent = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(part)?.[1]
  if (percent !== undefined) return { kind: 'percent', percent: Number(percent) }
  const count = /^count:(\d{1,9})$/.exec(part)?.[1]
  if (count !== undefined) return { kind: 'count', count: Number(count) }
  const tag = /^tag:([a-z][a-z0-9_.-]{0,62})=(.{0,255})$/.exec(part)
  if (tag !== null) return { kind: 'tag', key: tag[1]!, value: tag[2]! }
  throw new InvalidArgumentError(`"${part}" is not a wave: ${wavesForm}.`)
}

function parseNumbers(text: string): number[] {
  return text.split(',').map(wholeNumber(1, 50))
}

function parseBakes(text: string): number[] {
  return text.split(',').map(parseWait)
}

/** A duration that may be zero: `0` or `0s`. */
function parseWait(text: string): number {
  return /^0[smhd]?$/.test(text) ? 0 : durationOption(text)
}

/** A number alone could mean devices. */
function parsePercent(text: string): number {
  const value = Number(/^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text)?.[1] ?? Number.NaN)
  if (value >= 0 && value <= 100) return value
  throw new InvalidArgumentError('Not a percentage from 0% to 100%, such as 2%.')
}

function parseFailures(text: string): number {
  if (/^\d+$/.test(text)) {
    throw new InvalidArgumentError(
      `Write ${text}% for a share; devices are --failure-budget ${text}.`,
    )
  }
  return parsePercent(text)
}

function parsePerPeriod(text: string): NonNullable<RolloutPolicy['perPeriod']> {
  const match = /^(\d{1,9})\/(\d+[smhd])$/.exec(text)
  if (match === null) throw new InvalidArgumentError('Not of the form 200/1h.')
  return {
    updatesMax: wholeNumber(1, countMax)(match[1]!),
    seconds: Math.round(durationOption(match[2]!) / 1000),
  }
}

const rateForm = 'of the form 30/min or 10/min,x2,every:100,max:1000/min; also /s and /h'
const perMinuteOf: Readonly<Record<string, number>> = { s: 60, min: 1, h: 1 / 60 }

/** `30/min`, or with a factor that applies after so many healthy devices, up to a most. */
function parseRate(text: string): Rate {
  const [first, ...others] = text.split(',')
  const perMinute = parsePerMinute(first ?? '')
  if (others.length === 0) return { kind: 'constant', perMinute }
  const find = (pattern: RegExp) => {
    const found = others.flatMap((part) => pattern.exec(part)?.[1] ?? [])
    if (found.length !== 1) throw new InvalidArgumentError(`Not ${rateForm}.`)
    return found[0]!
  }
  if (others.length !== 3) throw new InvalidArgumentError(`Not ${rateForm}.`)
  return {
    kind: 'exponential',
    perMinute,
    factor: Number(find(/^x(\d{1,3}(?:\.\d{1,3})?)$/)),
    everyHealthy: wholeNumber(1, countMax)(find(/^every:(\d{1,9})$/)),
    perMinuteMax: parsePerMinute(find(/^max:(.+)$/)),
  }
}

function parsePerMinute(text: string): number {
  const match = /^(\d{1,7}(?:\.\d{1,3})?)\/(s|min|h)$/.exec(text)
  if (match === null) throw new InvalidArgumentError(`Not ${rateForm}.`)
  return Number(match[1]) * perMinuteOf[match[2]!]!
}

function orNone<T>(parse: (text: string) => T): (text: string) => OrNone<T> {
  return (text) => (text === 'none' ? text : parse(text))
}
