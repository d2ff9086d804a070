import assert from 'node:assert/strict'
import { chownSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { Refusal } from '@seaworthy/std/refusal'
import { makeTestFolder } from '../testing/test-agent.ts'
import { giveFolder, makeRootsFolder, requireNotOf, requireRootsAlone } from './owners.ts'

const skip = process.getuid?.() === 0 ? false : 'needs root'
const folder = makeTestFolder()
after(() => folder.remove())

const fetcher = { uid: 1, gid: 1, name: 'daemon' }
const place = (path: string) => ({ what: 'the state', path, elsewhere: 'choose another' })

function refusedWith(said: RegExp) {
  return (error: unknown) =>
    error instanceof Refusal && error.code === 'folder_unusable' && said.test(error.message)
}

test(
  'V3 root’s folders may lie behind links that are root’s, relative ones and those that lead up too',
  { skip },
  () => {
    mkdirSync(`${folder.path}/disk`)
    symlinkSync('disk/../disk', `${folder.path}/link`)
    makeRootsFolder(place(`${folder.path}/link/a/b`), 0o700)
    const made = lstatSync(`${folder.path}/disk/a/b`)
    assert.deepEqual([made.uid, made.mode & 0o777], [0, 0o700])
    requireRootsAlone(place(`${folder.path}/not/there/yet`))
    assert.throws(() => lstatSync(`${folder.path}/not`), 'a look makes nothing')
    symlinkSync('turn', `${folder.path}/turn`)
    assert.throws(() => requireRootsAlone(place(`${folder.path}/turn`)), refusedWith(/many links/))
  },
)

test(
  'V3 attack: nothing is made beyond a folder or link of an account’s on the way',
  { skip },
  () => {
    mkdirSync(`${folder.path}/target`)
    mkdirSync(`${folder.path}/home`)
    symlinkSync('../target', `${folder.path}/home/link`)
    chownSync(`${folder.path}/home`, fetcher.uid, fetcher.gid)
    const below = place(`${folder.path}/home/link/state`)
    assert.throws(() => makeRootsFolder(below, 0o755), refusedWith(/home, on the way .* daemon/))
    assert.throws(
      () => giveFolder(below, 0o755, fetcher),
      refusedWith(/home, on the way .* daemon/),
    )
    assert.throws(() => lstatSync(`${folder.path}/target/state`))
  },
)

test(
  'V3 a folder that root gave to one account is given on to another, but never with what is not the agent’s',
  { skip },
  () => {
    const path = `${folder.path}/run`
    giveFolder(place(path), 0o755, fetcher, ['agent.sock'])
    writeFileSync(`${path}/agent.sock`, '')
    giveFolder(place(path), 0o755, { uid: 2, gid: 3, name: 'bin' }, ['agent.sock'])
    assert.deepEqual([lstatSync(path).uid, lstatSync(path).gid], [2, 3])
    writeFileSync(`${path}/other`, '')
    giveFolder(place(path), 0o755, { uid: 2, gid: 3, name: 'bin' }, ['agent.sock'])
    assert.throws(
      () => giveFolder(place(path), 0o755, fetcher, ['agent.sock']),
      refusedWith(/holds "other"/),
    )
  },
)

test('V3 attack: root runs no code that an account of its own processes owns', { skip }, () => {
  mkdirSync(`${folder.path}/home/opt`, { recursive: true })
  chownSync(`${folder.path}/home`, fetcher.uid, fetcher.gid)
  writeFileSync(`${folder.path}/home/opt/agent.mjs`, '')
  const code = `${folder.path}/home/opt/agent.mjs`
  assert.throws(() => requireNotOf([fetcher], code), refusedWith(/home belongs to daemon/))
  requireNotOf([{ uid: 0, gid: 0, name: 'root' }], code)
})
