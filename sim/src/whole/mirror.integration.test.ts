/**
 * A static mirror on its way from the server to a device that knows no server: the real command
 * line fills a folder, a web server that knows nothing serves it, a real agent follows it.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { cp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'
import { after, before, test } from 'node:test'
import type { TestAgent } from '@seaworthy/agent/testing'
import { publishRelease } from '@seaworthy/server/testing'
import { waitUntil } from '@seaworthy/std/testing'
import type { Installation, TestRelease } from './testing/installation.ts'
import { buildInstallation, readDevice } from './testing/installation.ts'
import type { CommandLine } from './testing/program.ts'
import { createCommandLine } from './testing/program.ts'

let installation: Installation
let ann: CommandLine
let folder: string
let mirror: { url: string; close(): void }

/** Serves files below the folder, and knows nothing of what they are. */
async function serveFolder(root: string) {
  const server = createServer((request, response) => {
    const path = join(
      root,
      normalize(decodeURIComponent(new URL(request.url!, 'http://x').pathname)),
    )
    const facts = statSync(path, { throwIfNoEntry: false })
    if (facts?.isFile() !== true) return response.writeHead(404).end()
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': facts.size,
    })
    return createReadStream(path).pipe(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function release(version: string): Promise<TestRelease> {
  const built = await installation.buildRelease(version)
  await publishRelease(installation.client, built, installation.signers)
  return built
}

const channel = ['--channel', 'acme/stable']
const sync = (...args: string[]) => ann.json<Synced>('mirror', 'sync', folder, ...channel, ...args)
const check = (...args: string[]) => ann.run('mirror', 'check', mirror.url, ...channel, ...args)

interface Synced {
  readonly releases: number
  readonly bytes: number
  readonly removed: number
}

before(async () => {
  installation = await buildInstallation()
  folder = join(installation.folder, 'mirror')
  ann = createCommandLine(join(installation.folder, 'ann'))
  const { server, adminToken, anchor } = installation
  const root = `sha256:${createHash('sha256').update(anchor).digest('hex')}`
  const login = ['login', server.url, '--pin', server.pin, '--token', adminToken, '--root', root]
  await ann.ok(...login)
  mirror = await serveFolder(folder)
})
after(async () => {
  mirror.close()
  await installation.stop()
})

async function awaitRunning(agent: TestAgent, { version, sha256 }: TestRelease): Promise<void> {
  await waitUntil(
    async () => `${version} runs\n${agent.log.slice(-20).join('')}`,
    async () => (await readDevice(agent)).state?.committed?.sha256 === sha256,
  )
}

test('D14 a mirror is made, compared, refreshed and cleared, and a device follows it without any server', async () => {
  const first = await release('1.0.0')
  assert.equal((await sync()).releases, 1)
  const whole = await check('--content')
  assert.deepEqual([whole.exitCode, whole.err], [0, ''])
  assert.match(whole.out, /is whole: 1 release\. Devices take it until /)
  const agent = await installation.addAgent('device', {
    server: undefined,
    pin: undefined,
    provisioningKey: undefined,
    mirrors: [{ url: mirror.url }],
    pollSeconds: 1,
  })
  agent.start()
  await awaitRunning(agent, first)

  const second = await release('2.0.0')
  const behind = await check()
  assert.equal(behind.exitCode, 3)
  assert.match(behind.out, /acme\.stable is version \d+; the server has version \d+/)
  const former = join(installation.folder, 'former')
  await cp(folder, former, { recursive: true })
  assert.deepEqual((await sync()).removed, 0, 'a device may still be reading what was listed')
  assert.equal((await check('--content')).exitCode, 0)
  await awaitRunning(agent, second)

  // T7 attack: whoever owns the mirror puts its former content back.
  await rm(join(folder, 'tuf'), { recursive: true })
  await cp(join(former, 'tuf'), join(folder, 'tuf'), { recursive: true })
  const since = agent.log.length
  await waitUntil('the device refuses to go back', async () => {
    await agent.updateNow().catch(() => undefined)
    return /rollback/.test(agent.log.slice(since).join(''))
  })
  assert.equal((await readDevice(agent)).current, second.sha256)
  await agent.stop()

  // Only the newest is kept; what the run before wanted goes with the next.
  const blobs = async () => (await readdir(join(folder, 'v2/acme/blobs'))).length
  const before = await blobs()
  assert.equal((await sync('--newest', '1')).releases, 1)
  assert.equal(await blobs(), before)
  assert.ok((await sync('--newest', '1')).removed > 0)
  assert.ok((await blobs()) < before)
  assert.equal((await check('--newest', '1', '--content')).exitCode, 0)
  assert.equal((await check()).exitCode, 3, 'it does not have them all')
})

test('T7 attack: wrong, cut and missing content of a mirror is named, with the release that it is of', async () => {
  await sync('--newest', '1')
  const place = join(folder, 'v2/acme/blobs')
  const [name] = (await readdir(place)).toSorted(
    (a, b) => statSync(join(place, b)).size - statSync(join(place, a)).size,
  )
  const path = join(place, name!)
  const { size } = statSync(path)
  const newest = ['--newest', '1']
  await writeFile(path, Buffer.alloc(size, 'x'))
  assert.equal((await check(...newest)).exitCode, 0, 'lengths alone do not show it')
  const wrong = await check(...newest, '--content')
  assert.deepEqual([wrong.exitCode, wrong.err], [3, ''])
  assert.match(wrong.out, /acme\/stable\/2\.0\.0: .*\(wrong_hash\)/)
  await sync(...newest)
  assert.equal((await check(...newest, '--content')).exitCode, 3, 'its length is right')
  await sync(...newest, '--content')
  assert.equal((await check(...newest, '--content')).exitCode, 0)
  await writeFile(path, 'short')
  assert.match((await check(...newest)).out, /acme\/stable\/2\.0\.0: .*\(blob_cut\)/)
  // The next run brings what is not there in its length.
  await sync(...newest)
  assert.equal((await check(...newest, '--content')).exitCode, 0)
  await rm(path)
  assert.match((await check(...newest)).out, /acme\/stable\/2\.0\.0: .*\(content_missing\)/)
  await rm(join(folder, 'tuf/timestamp.json'))
  assert.match((await check(...newest)).out, /metadata: .*\(metadata_missing\)/)
  const nowhere = await ann.run('mirror', 'check', 'ftp://mirror.example', ...channel)
  assert.deepEqual([nowhere.exitCode, /https:\/\/HOST/.test(nowhere.err)], [2, true])
  const unknown = await ann.run('mirror', 'sync', folder, '--channel', 'acme/none')
  assert.equal(unknown.exitCode, 5, unknown.err)
})
