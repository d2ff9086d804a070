/**
 * When devices of a fleet may restart into a release, as people write it:
 * `coordinated:slots=2,ttl=1h;mon-fri 22:00-04:00`.
 */
import { InvalidArgumentError } from 'commander'
import type { FleetView } from '@seaworthy/api/fleets'
import { rebootPolicyField } from '@seaworthy/api/fleets'
import type { WindowSpan } from '@seaworthy/fleet/rollouts'
import { describeWindows } from '@seaworthy/fleet/rollouts'
import { formatDuration } from '@seaworthy/std/time'
import { CliError } from './failure.ts'
import { formatCount } from './output/format.ts'
import { durationOption, wholeNumber } from './options.ts'
import type { ZoneOptions } from './window-spans.ts'
import { parseWindowSpan, windowsOf } from './window-spans.ts'

type RebootPolicy = FleetView['reboot']

/** The value of `--reboot`; another option gives the time zone of its spans. */
export interface RebootOption {
  strategy: RebootPolicy['strategy']
  slots?: number
  ttlSeconds?: number | null
  spans: readonly WindowSpan[]
}

const form =
  'immediate, off, "window:mon-fri 22:00-04:00;sat,sun 00:00-24:00" or "coordinated:slots=2,ttl=1h", that one with spans behind ; as well'

export function parseReboot(text: string): RebootOption {
  if (text === 'immediate' || text === 'off') return { strategy: text, spans: [] }
  const [, strategy, rest] = /^(window|coordinated):(.+)$/.exec(text) ?? []
  if (rest === undefined) throw new InvalidArgumentError(`One of ${form}.`)
  if (strategy === 'window') {
    return { strategy, spans: rest.split(';').map(parseWindowSpan) }
  }
  const [settings, ...spans] = rest.split(';')
  return {
    strategy: 'coordinated',
    ...parseSlots(settings!),
    spans: spans.map(parseWindowSpan),
  }
}

function parseSlots(text: string): { slots: number; ttlSeconds: number | null } {
  const match = /^slots=(\d{1,7})(?:,ttl=(\S+))?$/.exec(text)
  if (match === null) throw new InvalidArgumentError(`Not of the form coordinated:slots=2,ttl=1h.`)
  const [, slots, ttl] = match
  return {
    slots: wholeNumber(1, 1_000_000)(slots!),
    ttlSeconds: ttl === undefined || ttl === 'none' ? null : Math.round(durationOption(ttl) / 1000),
  }
}

/** Throws a usage error where zones are given without spans, or what is given cannot be sent. */
export function rebootPolicyOf(
  option: RebootOption | undefined,
  zones: ZoneOptions,
): RebootPolicy | undefined {
  const hasZone = zones.timeZone !== undefined || zones.fallbackTimeZone !== undefined
  if (hasZone && (option === undefined || option.spans.length === 0)) {
    throw new CliError('usage', 'a time zone without a span of time', {
      wayOut: 'Say when devices may restart: --reboot "window:mon-fri 22:00-04:00".',
    })
  }
  if (option === undefined) return undefined
  const { strategy, spans, slots, ttlSeconds } = option
  const parsed = rebootPolicyField.safeParse({
    strategy,
    ...(slots === undefined ? {} : { slots, ttlSeconds }),
    ...(spans.length === 0 ? {} : { windows: windowsOf(spans, zones) }),
  })
  if (parsed.success) return parsed.data
  const path = parsed.error.issues[0]?.path ?? []
  const fault = faults[String(path.at(-1))] ?? 'its spans of time cannot be used'
  throw new CliError('usage', `--reboot: ${fault}`, {
    wayOut: 'See `seaworthy fleet set --help` for its forms.',
  })
}

/** What is wrong, by the member of the policy that the schema refuses. */
const faults: Readonly<Record<string, string>> = {
  slots: 'slots must be between 1 and 1000000',
  ttlSeconds: 'ttl must be between 1m and 30d, or none',
  timeZone: 'not a time zone, such as Europe/Berlin or UTC',
  fallbackTimeZone: 'not a fallback time zone, such as Europe/Berlin or UTC',
}

export function describeReboot(policy: RebootPolicy): string {
  switch (policy.strategy) {
    case 'immediate':
      return 'as soon as a release is ready'
    case 'off':
      return 'never by themselves'
    case 'window':
      return describeWindows(policy.windows)
    case 'coordinated': {
      const { slots, ttlSeconds, windows } = policy
      const held = ttlSeconds === null ? '' : `, a slot for ${formatDuration(ttlSeconds * 1000)}`
      const when = windows === undefined ? '' : `, ${describeWindows(windows)}`
      return `${formatCount(slots, 'device')} at a time${held}${when}`
    }
  }
}
