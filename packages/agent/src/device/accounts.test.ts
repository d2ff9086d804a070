import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '@seaworthy/std/refusal'
import type { Account } from './accounts.ts'
import { chooseAccounts, giveUpRoot } from './accounts.ts'

const machine: Readonly<Record<string, Account>> = {
  root: { uid: 0, gid: 0, name: 'root' },
  toor: { uid: 0, gid: 0, name: 'toor' },
  wheel: { uid: 500, gid: 0, name: 'wheel' },
  net: { uid: 300, gid: 300, name: 'net' },
  app: { uid: 301, gid: 301, name: 'app' },
}
const named = (...names: string[]) => {
  const there = Object.fromEntries(names.map((name, i) => [name, { uid: 900 + i, gid: 900, name }]))
  return (name: string) => machine[name] ?? there[name]
}
const uids = (accounts: ReturnType<typeof chooseAccounts>) =>
  accounts === undefined
    ? undefined
    : [accounts.fetcher.uid, accounts.application.uid, accounts.probe.uid]

test('V3 who is not root chooses nothing', () => {
  assert.equal(chooseAccounts(false, { user: 'app', fetchUser: 'net' }, named()), undefined)
})

test('V3 started as root nothing runs as root that the configuration does not name, accounts or not', () => {
  assert.deepEqual(uids(chooseAccounts(true, {}, named())), [65_521, 65_522, 65_522])
  const preset = named('seaworthy', 'seaworthy-app')
  assert.deepEqual(uids(chooseAccounts(true, {}, preset)), [900, 901, 901])
  assert.deepEqual(
    uids(chooseAccounts(true, { user: 'app', fetchUser: 'net' }, named())),
    [300, 301, 301],
  )
})

test('V3 an application runs as root where the configuration says so, and its probe all the same does not', () => {
  assert.deepEqual(uids(chooseAccounts(true, { user: 'root' }, named())), [65_521, 0, 65_523])
})

for (const [config, member] of [
  [{ fetchUser: 'root' }, 'fetchUser'],
  [{ fetchUser: 'toor' }, 'fetchUser'],
  [{ fetchUser: 'wheel' }, 'fetchUser'],
  [{ fetchUser: 'nobody-here' }, 'fetchUser'],
  [{ user: 'nobody-here' }, 'user'],
  [{ user: 'net', fetchUser: 'net' }, 'fetchUser'],
] as const) {
  test(`V3 ${JSON.stringify(config)} is refused, and the member is named`, () => {
    assert.throws(
      () => chooseAccounts(true, config, named()),
      (error) => error instanceof Refusal && error.message.startsWith(`${member}: `),
    )
  })
}

test('V3 an account of ours that somebody gave the rights of root is not taken for one without them', () => {
  const find = (name: string) =>
    name === 'seaworthy-app' ? { uid: 0, gid: 0, name } : machine[name]
  assert.throws(() => chooseAccounts(true, {}, find), Refusal)
})

test('V3 without an account root is refused, and whoever is not root has nothing to give up', () => {
  if (process.getuid?.() === 0) assert.throws(() => giveUpRoot(undefined))
  else giveUpRoot(undefined)
})
