/**
 * Filters of the list of devices: how each is called in the address and on the command line, and
 * the query of `/v1/devices` that they make together.
 */
import type { DeviceFilter } from '@seaworthy/api/devices'
import { deviceFilter, devicePresence, deviceProtocol } from '@seaworthy/api/devices'
import { updateState } from '@seaworthy/api/device-self'
import { formatInstant, parseDuration } from '@seaworthy/std/time'
import { formatCommand } from './shell-words.ts'

interface FilterField {
  /** The name in the address. */
  readonly name: string
  readonly label: string
  /** The option of `seaworthy device list`; a flag where the only choice needs no value. */
  readonly option: string
  readonly placeholder?: string
  /** The values that there are; any text where there is no list. */
  readonly choices?: readonly string[]
  readonly isFlag?: boolean
}

const dayMs = 86_400_000

export const filterFields = [
  { name: 'fleet', label: 'Fleet', option: '--fleet', placeholder: 'harbour' },
  { name: 'product', label: 'Product', option: '--product', placeholder: 'gateway' },
  { name: 'name', label: 'Name begins with', option: '--name', placeholder: 'gate-' },
  { name: 'tag', label: 'Tag', option: '--tag', placeholder: 'site=north' },
  { name: 'running', label: 'Runs version', option: '--running', placeholder: '1.4.2' },
  { name: 'state', label: 'State', option: '--state', choices: updateState.options },
  {
    ...{ name: 'presence', label: 'Presence', option: '--presence' },
    choices: devicePresence.options,
  },
  {
    ...{ name: 'update', label: 'Last update', option: '--failed' },
    ...{ choices: ['failed'], isFlag: true },
  },
  {
    ...{ name: 'behind', label: 'Releases behind, at least', option: '--behind' },
    placeholder: '1',
  },
  {
    ...{ name: 'silent-for', label: 'Not heard of for', option: '--silent-for' },
    choices: ['10m', '1h', '12h', '1d', '7d', '30d'],
  },
  {
    ...{ name: 'seen-within', label: 'Heard of within', option: '--seen-within' },
    choices: ['10m', '1h', '12h', '1d', '7d', '30d'],
  },
  { name: 'refused', label: 'Refused with', option: '--refused', placeholder: 'code' },
  { name: 'platform', label: 'Platform', option: '--platform', placeholder: 'linux/arm64' },
  { name: 'agent', label: 'Agent version', option: '--agent-version', placeholder: '0.1.0' },
  { name: 'protocol', label: 'Protocol', option: '--protocol', choices: deviceProtocol.options },
  {
    ...{ name: 'clock', label: 'Clock', option: '--clock-off' },
    ...{ choices: ['off'], isFlag: true },
  },
  {
    ...{ name: 'identity', label: 'Identity', option: '--shared-identity' },
    ...{ choices: ['shared'], isFlag: true },
  },
  { name: 'q', label: 'Text', option: '--text', placeholder: '' },
] as const satisfies readonly FilterField[]

export type FilterName = (typeof filterFields)[number]['name']

export interface ActiveFilter {
  readonly field: FilterField & { readonly name: FilterName }
  readonly value: string
}

export function activeFilters(get: (name: string) => string | undefined): ActiveFilter[] {
  return filterFields.flatMap((field) => {
    const value = get(field.name)
    return value === undefined || value === '' ? [] : [{ field, value }]
  })
}

type FilterMember = Extract<keyof DeviceFilter, string>

const members: Readonly<Record<FilterName, FilterMember>> = {
  fleet: 'fleet',
  product: 'product',
  name: 'namePrefix',
  tag: 'tag',
  running: 'version',
  state: 'state',
  presence: 'presence',
  update: 'update',
  behind: 'behind',
  'silent-for': 'seenBefore',
  'seen-within': 'seenSince',
  refused: 'refusal',
  platform: 'platform',
  agent: 'agentVersion',
  protocol: 'protocol',
  clock: 'clock',
  identity: 'identity',
  q: 'q',
}

/**
 * The query that the filters make. Lengths of time count from the beginning of the minute, so that
 * the question stays the same for as long.
 */
export function deviceQuery(
  filters: readonly ActiveFilter[],
  now: Date,
): { readonly query: DeviceFilter; readonly mistakes: readonly string[] } {
  const minute = now.getTime() - (now.getTime() % 60_000)
  const query: Partial<Record<FilterMember, string>> = {}
  const mistakes: string[] = []
  for (const { field, value } of filters) {
    const member = members[field.name]
    const given = member === 'seenBefore' || member === 'seenSince' ? ago(value, minute) : value
    const one = given === undefined ? undefined : Object.fromEntries([[member, given]])
    if (one !== undefined && deviceFilter.safeParse(one).success) Object.assign(query, one)
    else mistakes.push(`“${value}” cannot be what “${field.label}” means.`)
  }
  return { query: deviceFilter.parse(query), mistakes }
}

function ago(duration: string, fromMs: number): string | undefined {
  try {
    const ms = parseDuration(duration)
    return ms > 10_000 * dayMs ? undefined : formatInstant(new Date(fromMs - ms))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** The command that lists the same devices. */
export function deviceListCommand(filters: readonly ActiveFilter[]): string {
  const options = filters.flatMap(({ field, value }) =>
    field.isFlag === true ? [field.option] : [field.option, value],
  )
  return formatCommand('seaworthy', 'device', 'list', ...options)
}
