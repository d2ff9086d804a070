/** The report of access as a table for spreadsheets: the same from command line and page. */
import { formatCsv } from '@seaworthy/std/csv'
import type { GrantEntry } from './grants.ts'

const columns: readonly (readonly [title: string, of: (entry: GrantEntry) => string | null])[] = [
  ['kind', ({ kind }) => kind],
  ['id', ({ id }) => id],
  ['name', ({ name }) => name],
  ['role', ({ role }) => role],
  ['enabled', ({ isEnabled }) => (isEnabled ? 'yes' : 'no')],
  ['products', ({ products }) => products?.join(' ') ?? 'all'],
  ['fleets', ({ fleets }) => fleets?.join(' ') ?? 'all'],
  ['networks', ({ networks }) => networks?.join(' ') ?? 'all'],
  ['since', ({ since }) => since],
  ['granted by', ({ grantedBy }) => grantedBy.id],
  ['granted by, name', ({ grantedBy }) => grantedBy.name],
  ['goes back to', ({ holder }) => holder.id],
  ['goes back to, name', ({ holder }) => holder.name],
  [
    'last used',
    ({ kind, lastUsedAt }) =>
      lastUsedAt ?? (kind === 'person' || kind === 'token' ? 'never' : null),
  ],
  ['expires', ({ expiresAt }) => expiresAt],
  ['permissions', ({ permissions }) => permissions.join(' ')],
  ['denied by', ({ deniedBy }) => deniedBy.join(' ')],
  [
    'denied',
    ({ denied }) =>
      denied.map(({ permission, by }) => `${permission} (${by.join(', ')})`).join(' '),
  ],
]

export function formatGrantsCsv(entries: readonly GrantEntry[]): string {
  return formatCsv([
    columns.map(([title]) => title),
    ...entries.map((entry) => columns.map(([, of]) => of(entry))),
  ])
}
