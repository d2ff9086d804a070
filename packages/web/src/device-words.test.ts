import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import { activeFilters, deviceListCommand, deviceQuery, filterFields } from './device-filters.ts'
import { formatTags, parseTags } from './device-words.ts'
import { formatRowsCsv } from './downloads.ts'
import { formatCommand } from './shell-words.ts'

const now = new Date('2030-01-10T12:00:30Z')
const filtersOf = (search: string) => {
  const pairs = new URLSearchParams(search)
  return activeFilters((name) => pairs.get(name) ?? undefined)
}

test('D5 filters in the address are the query of the API and the options of the command line', () => {
  const filters = filtersOf(
    'fleet=shops&tag=site%3Dnorth&running=1.10&state=rolled_back&silent-for=1d&clock=off&q=gate',
  )
  assert.deepEqual(deviceQuery(filters, now), {
    query: {
      fleet: 'shops',
      tag: 'site=north',
      version: '1.10',
      state: 'rolled_back',
      seenBefore: '2030-01-09T12:00:00Z',
      clock: 'off',
      q: 'gate',
    },
    mistakes: [],
  })
  assert.equal(
    deviceListCommand(filters),
    'seaworthy device list --fleet shops --tag site=north --running 1.10 --state rolled_back --silent-for 1d --clock-off --text gate',
  )
})

test('D5 online, silent, behind and failed are filters of the page by the words of the command line', () => {
  const filters = filtersOf('presence=silent&update=failed&behind=2')
  assert.deepEqual(deviceQuery(filters, now), {
    query: { presence: 'silent', update: 'failed', behind: 2 },
    mistakes: [],
  })
  assert.equal(
    deviceListCommand(filters),
    'seaworthy device list --presence silent --failed --behind 2',
  )
  assert.deepEqual(deviceQuery(filtersOf('presence=away&behind=none'), now).query, {})
})

test('D5 a filter that means nothing is left out and named, and the others hold', () => {
  const { query, mistakes } = deviceQuery(
    filtersOf('fleet=Shops%21&silent-for=soon&seen-within=9999999d&name=gate&state=odd'),
    now,
  )
  assert.deepEqual(query, { namePrefix: 'gate' })
  assert.deepEqual(mistakes, [
    '“Shops!” cannot be what “Fleet” means.',
    '“odd” cannot be what “State” means.',
    '“soon” cannot be what “Not heard of for” means.',
    '“9999999d” cannot be what “Heard of within” means.',
  ])
  assert.equal(new Set(filterFields.map(({ name }) => name)).size, filterFields.length)
})

test('attack: what stands in a command to copy is one word, whatever it holds (property)', () => {
  fc.assert(
    fc.property(fc.string({ unit: anyCodePoint, maxLength: 40 }), (word) => {
      const quoted = formatCommand(word)
      if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(quoted)) return assert.equal(quoted, word)
      assert.ok(quoted.startsWith("'") && quoted.endsWith("'"))
      // A shell reads quoted parts and `\'` between them.
      assert.equal(quoted.slice(1, -1).replaceAll(String.raw`'\''`, "'"), word)
    }),
  )
  assert.equal(
    formatCommand('device', 'list', '--text', '$(reboot)'),
    "device list --text '$(reboot)'",
  )
})

test('tags are written one on each line and read as they were (property)', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,10}$/)
  const value = fc.stringMatching(/^[A-Za-z0-9=:/_-]{0,20}$/)
  fc.assert(
    fc.property(fc.dictionary(name, value, { maxKeys: 8, noNullPrototype: true }), (tags) => {
      assert.deepEqual(parseTags(formatTags(tags).replaceAll(' ', '\n')), tags)
    }),
  )
  for (const text of ['site', '=north', 'a=1\na=2', 'Site=north', `a=${'x'.repeat(256)}`]) {
    assert.equal(parseTags(text), undefined, text)
  }
})

test('attack: a name that a spreadsheet would calculate stays a text in a downloaded list', () => {
  const columns = [
    { title: 'Device', text: ({ name }: { name: string }) => name },
    { title: 'Actions' },
    { title: 'Count', text: () => 3 },
  ]
  assert.equal(
    formatRowsCsv(columns, [{ name: '=cmd|calc' }]),
    '"Device","Count"\r\n"\'=cmd|calc","3"\r\n',
  )
})
