/** What a device is and does, in words. */
import type { DeviceView } from '@seaworthy/api/devices'
import { tagMap } from '@seaworthy/api/fields'
import type { updateStateField } from '@seaworthy/api/rollouts'
import type { updateState } from '@seaworthy/api/device-self'

type DeviceState = (typeof updateState)['options'][number]
type UpdateState = (typeof updateStateField)['options'][number]

export type Tone = 'gray' | 'blue' | 'green' | 'yellow' | 'red'

/** A short text with its colour, and the sentence behind it. */
export interface Mark {
  readonly text: string
  readonly tone: Tone
  readonly title?: string
}

const states: Readonly<Record<DeviceState | UpdateState, readonly [text: string, tone: Tone]>> = {
  idle: ['idle', 'gray'],
  offered: ['offered', 'blue'],
  downloading: ['downloading', 'blue'],
  installing: ['installing', 'blue'],
  restarting: ['restarting', 'blue'],
  watching: ['watching', 'blue'],
  committed: ['committed', 'green'],
  rolled_back: ['rolled back', 'red'],
  failed: ['failed', 'red'],
  timed_out: ['timed out', 'red'],
  superseded: ['superseded', 'gray'],
}

export function markOfState(state: DeviceState | UpdateState, code?: string | null): Mark {
  const [text, tone] = states[state]
  return { text: (code ?? null) === null ? text : `${text}: ${code}`, tone }
}

/** The name that people gave the device, or the beginning of its identifier. */
export function nameOfDevice({ id, name }: Pick<DeviceView, 'id' | 'name'>): string {
  return name ?? `${id.slice(0, 16)}…`
}

export function versionOf({ running, unsignedVersion }: DeviceView): string | null {
  return running?.version ?? unsignedVersion
}

/** Whatever a person should look at, the gravest first; empty for a device that is well. */
export function marksOfDevice(device: DeviceView): Mark[] {
  const { running, unsignedVersion, lastRefusal, configuration, identitySharedSince } = device
  const marks: (Mark | undefined)[] = [
    identitySharedSince === null
      ? undefined
      : {
          text: 'identity shared',
          tone: 'red',
          title: `Two machines seem to use its identity, since ${identitySharedSince}.`,
        },
    lastRefusal === null
      ? undefined
      : { text: `refused: ${lastRefusal.code}`, tone: 'red', title: lastRefusal.at },
    configuration?.failed === undefined
      ? undefined
      : {
          text: `values put back: ${configuration.failed.code}`,
          tone: 'red',
          title: `Its application did not become healthy with version ${configuration.failed.version} of its variables and secrets, and has the previous ones.`,
        },
    device.presence === 'silent'
      ? {
          text: 'silent',
          tone: 'yellow',
          title: `It was not heard of for a day and five polls: ${device.lastSeenAt ?? 'never since it registered'}.`,
        }
      : undefined,
    Math.abs(device.clockOffsetSeconds ?? 0) > 60
      ? { text: 'clock off', tone: 'yellow', title: describeClock(device) }
      : undefined,
    running === null && unsignedVersion !== null
      ? {
          text: 'unsigned',
          tone: 'gray',
          title: 'The machine reports this version; nobody has signed it for its channel.',
        }
      : undefined,
  ]
  return marks.filter((mark) => mark !== undefined)
}

/** `2 minutes ahead`; `right` where it is off by a minute at most. */
export function describeClock({ clockOffsetSeconds }: DeviceView): string {
  if (clockOffsetSeconds === null) return 'unknown'
  const seconds = Math.abs(clockOffsetSeconds)
  if (seconds <= 60) return 'right, to a minute'
  const minutes = Math.round(seconds / 60)
  const size = minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`
  return `${size} ${clockOffsetSeconds > 0 ? 'ahead' : 'behind'}`
}

export function formatTags(tags: DeviceView['tags']): string {
  return Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}

/** Reads one tag from each line; `undefined` where a line is not a tag. */
export function parseTags(text: string): Record<string, string> | undefined {
  const tags: Record<string, string> = {}
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line === '') continue
    const mark = line.indexOf('=')
    if (mark < 1 || Object.hasOwn(tags, line.slice(0, mark))) return undefined
    tags[line.slice(0, mark)] = line.slice(mark + 1)
  }
  return tagMap.safeParse(tags).success ? tags : undefined
}
