/** Readers of what is asked by OData: paths, filters, and whole questions. */
import type { AskedQuestion } from '@seaworthy/api/odata'
import { readAddress, readQuestion, setsByName } from '@seaworthy/api/odata'
import { utf8Encode } from '@seaworthy/std/bytes'
import type { FuzzTarget } from '../target.ts'
import { holds } from '../target.ts'

const now = new Date('2026-03-01T12:00:00Z')
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

function check(asked: AskedQuestion): void {
  for (const set of asked.touched) holds(setsByName.has(set), 'it touches sets that there are')
  const { limit } = asked.question
  holds(Number.isSafeInteger(limit) && limit >= 0 && limit <= 1000, 'a page has at most 1,000')
}

export function createODataTargets(): FuzzTarget[] {
  const filters = [
    "fleet eq 'harbour' and not (runningVersion eq '1.1.0')",
    "hasTags/any(t: t/name eq 'region' and t/value in ('north', 'south')) and fleet eq 'a'",
    "inFleet/product eq 'gateway' and registeredAt gt now() sub duration'PT1H'",
    "fleet eq 'a' and (startswith(tolower(name), 'gate') or hasUpdates/$count ge 3)",
  ]
  return [
    {
      name: 'odata/filter',
      form: 'bytes',
      seeds: filters.map(utf8Encode),
      weight: 4,
      run: (bytes) => {
        check(readQuestion('devices', { $filter: textOf(bytes) }, { now, pageSize: null }))
      },
    },
    {
      name: 'odata/question',
      form: 'bytes',
      seeds: [
        `$filter=${filters[0]}&$select=id,name&$expand=hasTags($select=name,value)&$count=true`,
        '$orderby=registeredAt desc&$top=5&$skip=10&$expand=inFleet($expand=hasRollouts($top=2))',
        '$search=gate AND NOT ("north" OR south)&$format=json',
      ].map(utf8Encode),
      weight: 4,
      run: (bytes) => {
        const pairs = textOf(bytes)
          .split('&')
          .map((part) => {
            const at = part.indexOf('=')
            return at < 0
              ? ([part, ''] as const)
              : ([part.slice(0, at), part.slice(at + 1)] as const)
          })
        check(readQuestion('devices', Object.fromEntries(pairs), { now, pageSize: 50 }))
      },
    },
    {
      name: 'odata/address',
      form: 'bytes',
      seeds: [
        'devices',
        "updates(rollout='rollout_1',device='device_1')",
        "fleets('harbour')/hasDevices/$count",
        '$metadata',
      ].map(utf8Encode),
      weight: 2,
      run: (bytes) => {
        readAddress(textOf(bytes))
      },
    },
  ]
}
