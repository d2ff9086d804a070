import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { Command } from 'commander'
import { createClient } from '@seaworthy/api/client'
import type { Transport } from '@seaworthy/std/http'
import { dayMs, ManualClock } from '@seaworthy/std/time'
import { createRepositorySimulator } from '@seaworthy/trust/testing'
import { createContext } from '../context.ts'
import type { Connection } from '../connection.ts'
import { changeConfig } from '../state/servers.ts'
import { testPorts } from '../testing/ports.ts'
import { openRepository, requireFresh } from './repository-view.ts'

/** A connection with a repository in memory, anchored at its first root. */
async function openWorld(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-view-'))
  t.after(() => rm(folder, { recursive: true }))
  const clock = new ManualClock(new Date('2026-06-01T00:00:00Z'))
  const repository = await createRepositorySimulator(clock.now())
  await repository.addProduct('web')
  await repository.addChannel('web', 'stable')
  await repository.addRelease('web', 'stable', '1.0')
  const transport: Transport = async ({ url }) => {
    const name = url.slice('https://x/tuf/'.length)
    const bytes = name === '1.root.json' ? repository.anchor : repository.files.get(name)
    return {
      status: bytes === undefined ? 404 : 200,
      headers: {},
      body: (async function* () {
        if (bytes !== undefined) yield bytes
      })(),
    }
  }
  const ports = testPorts({ clock })
  const server = { url: 'https://x', logVerifierKey: '' }
  await changeConfig(ports, folder, () => ({ current: 'x', servers: { x: server } }))
  const connection: Connection = {
    name: 'x',
    server,
    folder: join(folder, 'servers', 'x'),
    configFolder: folder,
    client: createClient({ baseUrl: 'https://x', transport }),
    transport,
    token: '',
    log: undefined,
    logFault: undefined,
  }
  const context = createContext(ports, new Command())
  const advance = async (days: number) => {
    clock.advance(days * dayMs)
    repository.now = clock.now()
  }
  return { repository, connection, context, ports, advance }
}

test('the first root seen is taken loudly, remembered, and all roles below it are verified', async (t) => {
  const { connection, context, ports, repository } = await openWorld(t)
  const view = await openRepository(context, connection)
  const digest = hash('sha256', repository.anchor, 'hex')
  assert.equal(view.anchor?.digest, digest)
  assert.match(
    ports.err.text,
    new RegExp(`^WARNING: trust on first use: root sha256:${digest}\nNobody vouched for it yet\\.`),
  )
  assert.deepEqual([...view.current.roles.keys()].toSorted(), ['targets', 'web', 'web.stable'])
  ports.err.text = ''
  await repository.rotateKeys('root', 3, 2)
  assert.equal((await openRepository(context, connection)).roots.length, 2)
  assert.equal(ports.err.text, '')
})

test('T7 freeze: a repository whose timestamp has expired is refused', async (t) => {
  const { connection, context, advance } = await openWorld(t)
  await openRepository(context, connection)
  await advance(2)
  await assert.rejects(openRepository(context, connection), { code: 'freeze' })
})

test('T7 rollback: a repository that went back after it was seen is refused', async (t) => {
  const { connection, context, repository } = await openWorld(t)
  const before = new Map(repository.files)
  await repository.addRelease('web', 'stable', '2.0')
  await openRepository(context, connection)
  for (const [name, bytes] of before) repository.files.set(name, bytes)
  await assert.rejects(openRepository(context, connection), { code: 'rollback' })
})

test('an offline role that has expired is shown with a warning, so that it can be renewed, and vouches for nothing', async (t) => {
  const { connection, context, ports, repository, advance } = await openWorld(t)
  await openRepository(context, connection)
  await advance(70)
  await repository.publish()
  ports.err.text = ''
  const view = await openRepository(context, connection)
  assert.match(
    ports.err.text,
    /WARNING: web\.stable has expired .* \(seaworthy trust renew web\.stable\)/,
  )
  assert.doesNotMatch(ports.err.text, /WARNING: targets/)
  assert.throws(() => requireFresh(context, view, ['web', 'web.stable']), { code: 'freeze' })
  requireFresh(context, view, ['web'])
})
