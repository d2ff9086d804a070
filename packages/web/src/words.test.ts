import assert from 'node:assert/strict'
import { test } from 'node:test'
import { userCodeLetters } from '@seaworthy/api/pairings'
import fc from 'fast-check'
import { describeBrowser } from './browsers.ts'
import { takeLinkCode } from './link-code.ts'
import { isPageAddress, pagePaths } from './page-paths.ts'
import { takeAnswer } from './provider-answers.ts'
import { normalizeRecoveryCode } from './recovery-codes.ts'
import { builtInRoles } from '@seaworthy/fleet/access'
import { describeGrant, describeRole } from './role-words.ts'
import { formatDistance, formatExact, formatSeconds } from './times.ts'
import { normalizeUserCode } from './user-codes.ts'

test('A1 the code of a link is taken out of the address, and nothing else is taken for one', () => {
  const code = 'ab'.repeat(32)
  const replaced: unknown[] = []
  const history = { replaceState: (...args: unknown[]) => void replaced.push(args[2]) }
  assert.equal(takeLinkCode({ hash: `#${code}`, pathname: '/first-owner' }, history), code)
  assert.deepEqual(replaced, ['/first-owner'])
  for (const hash of ['', '#', `#${code}0`, `#${code.toUpperCase()}`, `#x=${code}`]) {
    assert.equal(takeLinkCode({ hash, pathname: '/' }, history), undefined, hash)
  }
  assert.equal(replaced.length, 1)
})

test('A1 what a provider brings back is taken out of the address, and nothing else is taken for it', () => {
  const replaced: unknown[] = []
  const history = { replaceState: (...args: unknown[]) => void replaced.push(args[2]) }
  const at = (search: string, pathname = '/sign-in-return/harbour') =>
    takeAnswer({ pathname, search }, history)
  assert.equal(at('?code=a&state=b', '/account'), undefined)
  assert.deepEqual(replaced, [])
  assert.deepEqual(at('?code=c1&state=provider-link.harbour.s1&iss=https%3A%2F%2Fid.example'), {
    purpose: 'provider-link',
    body: {
      ...{ provider: 'harbour', code: 'c1', state: 'provider-link.harbour.s1' },
      iss: 'https://id.example',
    },
  })
  assert.deepEqual(replaced, ['/sign-in-return/harbour'])
  const nothing = { purpose: undefined, refusal: undefined }
  assert.deepEqual(at('?code=c1&state=provider-link.harbour.s1', '/sign-in-return'), nothing)
  for (const search of ['', '?code=c1', '?code=c1&state=password.harbour.s1', '?state=a.b.c']) {
    assert.deepEqual(at(search), nothing, search)
  }
  assert.deepEqual(at('?error=access_denied&state=provider-link.harbour.s1'), {
    ...{ purpose: undefined, refusal: 'access_denied' },
  })
  // Words of a stranger are not shown.
  assert.deepEqual(at('?error=Call+our+hotline'), nothing)
})

test('A1 a recovery code is read however it was typed off paper (property)', () => {
  const character = fc.constantFrom(...'0123456789abcdefghjkmnpqrstvwxyz'.split(''))
  const groups = fc.array(fc.array(character, { minLength: 4, maxLength: 4 }), {
    minLength: 6,
    maxLength: 7,
  })
  const mistype = (text: string, how: number) =>
    [text, text.toUpperCase(), text.replaceAll('0', 'o'), text.replaceAll('1', 'l')][how]!
  fc.assert(
    fc.property(groups, fc.constantFrom('-', ' ', '', ' – '), fc.nat(3), (parts, between, how) => {
      const code = parts.map((part) => part.join(''))
      const typed = mistype(code.join(between), how)
      assert.equal(normalizeRecoveryCode(typed), code.join('-'))
    }),
  )
  for (const text of ['', 'abcd', 'u'.repeat(24), '0'.repeat(23), '0'.repeat(25), '0'.repeat(29)]) {
    assert.equal(normalizeRecoveryCode(text), undefined, text)
  }
})

test('A3 the code of a command line is read however it was typed (property)', () => {
  const letter = fc.constantFrom(...userCodeLetters.split(''))
  const eight = fc.array(letter, { minLength: 8, maxLength: 8 })
  fc.assert(
    fc.property(
      eight,
      fc.constantFrom('-', ' ', '', ' – '),
      fc.boolean(),
      (all, between, isLow) => {
        const text = `${all.slice(0, 4).join('')}${between}${all.slice(4).join('')}`
        const code = `${all.slice(0, 4).join('')}-${all.slice(4).join('')}`
        assert.equal(normalizeUserCode(isLow ? text.toLowerCase() : text), code)
      },
    ),
  )
  for (const text of ['', 'BCDF-GHJ', 'BCDF-GHJKL', 'ACDF-GHJK', '1CDF-GHJK']) {
    assert.equal(normalizeUserCode(text), undefined, text)
  }
})

test('a span of time is one number of one unit', () => {
  assert.deepEqual([60, 3600, 86_400, 172_800, 30 * 86_400, 90 * 60].map(formatSeconds), [
    '1 minute',
    '1 hour',
    '24 hours',
    '2 days',
    '30 days',
    '2 hours',
  ])
})

test('a distance in time is one number of one unit', () => {
  const now = new Date('2030-01-10T12:00:00Z')
  const said = (text: string) => formatDistance(new Date(text), now)
  assert.equal(said('2030-01-10T12:00:00Z'), 'just now')
  assert.equal(said('2030-01-10T11:59:00Z'), '1 minute ago')
  assert.equal(said('2030-01-10T10:30:00Z'), '1 hour ago')
  assert.equal(said('2030-01-09T11:00:00Z'), '25 hours ago')
  assert.equal(said('2030-01-07T12:00:00Z'), '3 days ago')
  assert.equal(said('2030-01-17T11:59:30Z'), 'in 7 days')
  assert.equal(said('2030-01-10T12:00:30Z'), 'in less than a minute')
  assert.match(formatExact(now, 'en-GB', 'Europe/Berlin'), /10 Jan 2030, 13:00:00 CET/)
})

test('a grant is said in words', () => {
  const all = { deniedBy: [], products: null, fleets: null }
  assert.equal(describeGrant({ role: 'owner', ...all }), 'owner of everything')
  const some = { deniedBy: [], products: ['till'], fleets: ['shops', 'vans'] }
  assert.equal(
    describeGrant({ role: 'operator', ...some }),
    'operator of the product till, the fleets shops and vans',
  )
  for (const role of builtInRoles) assert.ok(describeRole(role).length > 10, role)
})

test('a browser is named by what it says, and by its own words where that says nothing', () => {
  const linux = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)'
  assert.equal(describeBrowser(`${linux} Chrome/156.0.0.0 Safari/537.36`), 'Chrome 156 on Linux')
  assert.equal(
    describeBrowser(`${linux} Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0`),
    'Edge 156 on Linux',
  )
  assert.equal(
    describeBrowser('Mozilla/5.0 (Windows NT 10.0; rv:150.0) Gecko/20100101 Firefox/150.0'),
    'Firefox 150 on Windows',
  )
  assert.equal(describeBrowser('curl/8'), 'curl/8')
  assert.equal(describeBrowser(''), 'unknown')
})

test('addresses of pages are of the form that the server answers', () => {
  for (const path of pagePaths) assert.match(path, /^\/[a-z-]*(?:\/\$[a-zA-Z]+){0,2}$/)
})

test('A9 attack: only an address of a page of ours is gone to after a sign-in', () => {
  for (const address of ['/', '/devices', '/devices?fleet=shops', '/devices/device_0', '/people']) {
    assert.ok(isPageAddress(address), address)
  }
  for (const address of [
    ...['//example.org', '/\\example.org', 'https://example.org/', 'javascript:alert(1)', ''],
    ...['/devices/..', '/devices//example.org', '/devices/a/b', '/nowhere', '/people#x'],
  ]) {
    assert.ok(!isPageAddress(address), address)
  }
})
