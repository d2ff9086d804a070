import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { systemRandom } from '@seaworthy/std/random'
import { testPorts } from '../testing/ports.ts'
import { CliError } from '../failure.ts'
import { changeConfig, chooseServer, configFolder, nameServer, readConfig } from './servers.ts'
import { withFileLock } from './file-lock.ts'
import { readBounded, writeDurably } from './files.ts'

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-state-'))
  t.after(() => rm(folder, { recursive: true }))
  return folder
}

test('files are replaced whole, for the owner alone, and nothing is left behind', async (t) => {
  const folder = await makeFolder(t)
  const path = join(folder, 'file')
  await writeDurably(path, 'one', { random: systemRandom })
  await writeDurably(path, 'two', { random: systemRandom })
  assert.equal(await readFile(path, 'utf8'), 'two')
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(folder), ['file'])
  await assert.rejects(writeDurably(path, 'three', { random: systemRandom, isNew: true }), {
    code: 'EEXIST',
  })
  assert.equal(await readFile(path, 'utf8'), 'two')
})

test('V8 fault: of two commands that change a record at once neither undoes the other, and a dead one holds nobody up', async (t) => {
  const path = join(await makeFolder(t), 'record')
  const ports = { ...testPorts(), random: systemRandom }
  await writeDurably(path, '', ports)
  const add = (letter: string) =>
    withFileLock(ports, path, async () => {
      const before = await readFile(path, 'utf8')
      // Others get their turn between reading and writing.
      await ports.sleep(1)
      await writeDurably(path, before + letter, ports)
    })
  await Promise.all('abcdefgh'.split('').map(add))
  assert.equal((await readFile(path, 'utf8')).split('').toSorted().join(''), 'abcdefgh')
  await assert.rejects(withFileLock(ports, path, () => Promise.reject(new Error('dead'))))
  await add('i')
  assert.equal((await readFile(path, 'utf8')).length, 9)
})

test('reads are bounded, also of files without a size', async (t) => {
  const folder = await makeFolder(t)
  const path = join(folder, 'file')
  await writeFile(path, 'x'.repeat(100))
  assert.equal((await readBounded(path, 100)).length, 100)
  await assert.rejects(readBounded(path, 99), CliError)
  await assert.rejects(readBounded('/dev/zero', 1000), CliError)
  await assert.rejects(readBounded(folder, 1), { code: 'EISDIR', path: folder })
})

test('the configuration comes back as it was, and a damaged one is never a fresh start', async (t) => {
  const folder = await makeFolder(t)
  assert.deepEqual(await readConfig(folder), { servers: {} })
  const config = {
    current: 'a',
    servers: { a: { url: 'https://a', pin: 'sha256:x', logVerifierKey: 'k', rootDigest: 'd' } },
  }
  await changeConfig(testPorts(), folder, () => config)
  const read = await readConfig(folder)
  assert.deepEqual({ ...read, servers: { ...read.servers } }, config)
  assert.equal(chooseServer(read, undefined).server.url, 'https://a')
  assert.throws(() => chooseServer(read, 'b'), { exitCode: 5 })
  for (const damaged of ['', '{}', '[]', '{"format":"seaworthy-cli-v1","servers":{"a":{}}}']) {
    await writeFile(join(folder, 'config.json'), damaged)
    await assert.rejects(readConfig(folder), CliError)
  }
})

test('where the configuration lies: option, SEAWORTHY_CONFIG, XDG_CONFIG_HOME, home', () => {
  const folderOf = (environment: Record<string, string>, option?: string) =>
    configFolder(testPorts({ environment }), option)
  const all = { SEAWORTHY_CONFIG: '/s', XDG_CONFIG_HOME: '/x', HOME: '/h' }
  assert.equal(folderOf(all, '/o'), '/o')
  assert.equal(folderOf(all), '/s')
  assert.equal(folderOf({ XDG_CONFIG_HOME: '/x', HOME: '/h' }), '/x/seaworthy')
  assert.equal(folderOf({ XDG_CONFIG_HOME: 'relative', HOME: '/h' }), '/h/.config/seaworthy')
  assert.equal(nameServer('https://ship.example.com'), 'ship.example.com')
  assert.equal(nameServer('https://[::1]:8443'), '1--8443')
})
