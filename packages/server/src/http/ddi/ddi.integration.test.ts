/** DDI clients at the door, as they really speak: SWUpdate with numbers, RAUC's client with texts, and others with tricks. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { removeDevice, showDevice } from '@seaworthy/api/devices'
import { createFleet, setFleet } from '@seaworthy/api/fleets'
import {
  createGatewayToken,
  revokeGatewayToken,
  rotateForeignDevice,
  showForeignDevice,
} from '@seaworthy/api/foreign-devices'
import { ProblemError } from '@seaworthy/api/problems'
import type { Signer } from '@seaworthy/trust/keys'
import type { PushedRelease, TestClient, TestServer } from '../../testing/index.ts'
import {
  addForeignDevice,
  createTestClient,
  publishOsImage,
  pushOsImage,
  setUpTrust,
  startTestServer,
} from '../../testing/index.ts'

let server: TestServer
let client: TestClient
/** A second connection, which the other worker may have. */
let other: TestClient
let signers: Signer[]
let release: PushedRelease
const firmware = randomBytes(300_000)

before(async () => {
  server = await startTestServer({ workers: 2 })
  client = createTestClient(server)
  other = createTestClient(server)
  ;({ signers } = await setUpTrust(client))
  release = await publish('1.0', { 'firmware.swu': firmware })
})
after(async () => {
  client.close()
  other.close()
  await server.stop()
})

async function publish(version: string, files: Record<string, Uint8Array>) {
  const pushed = await pushOsImage(client, server.adminToken, version, files)
  await publishOsImage(client, pushed, signers)
  return pushed
}

interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly bytes: Uint8Array
  // oxlint-disable-next-line no-explicit-any -- a foreign document, looked into by path
  readonly body: any
}

interface Controller {
  readonly id: string
  readonly send: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Reply>
}

function controller(
  controllerId: string,
  authorization: string | null,
  options: { tenant?: string; by?: TestClient } = {},
): Controller {
  const { tenant = 'DEFAULT', by = client } = options
  return {
    id: controllerId,
    async send(method, path, body, headers = {}) {
      const url = `/${tenant}/controller/v1/${encodeURIComponent(controllerId)}${path}`
      const reply = await by.send(method, url, {
        headers: {
          accept: 'application/json',
          ...(authorization === null ? {} : { authorization }),
          ...(body === undefined ? {} : { 'content-type': 'application/json;charset=UTF-8' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = Buffer.from(reply.bytes).toString()
      return {
        ...reply,
        text,
        body: reply.headers['content-type']?.includes('json') ? JSON.parse(text) : undefined,
      }
    },
  }
}

let count = 0
async function addController(fleet = 'shops') {
  const externalId = `unit ${++count}`
  const { id, token } = await addForeignDevice(client, { protocol: 'ddi', externalId, fleet })
  return { deviceId: id, token, ...controller(externalId, `TargetToken ${token}`) }
}

/** The path below the controller of a link in a reply. */
function pathOf(href: string): string {
  const match = /^https:\/\/[^/]+\/[^/]+\/controller\/v1\/[^/]+(\/.*)$/.exec(href)
  assert.ok(match, href)
  return match[1]!
}

async function getAction(unit: Controller): Promise<number> {
  const { status, body } = await unit.send('GET', '')
  assert.equal(status, 200)
  const href: string = body._links.deploymentBase?.href
  assert.ok(href, JSON.stringify(body))
  return Number(/deploymentBase\/(\d+)\?c=/.exec(href)?.[1])
}

const said = (execution: string, finished = 'none', more: object = {}) => ({
  status: { execution, result: { finished }, ...more },
})

test('a device polls, downloads, installs, restarts and is done only when it says closed', async () => {
  const unit = await addController()
  const first = await unit.send('GET', '')
  if (first.status !== 200) console.log(server.log().slice(-3000))
  assert.equal(first.status, 200)
  assert.equal(first.headers['content-type'], 'application/json;charset=UTF-8')
  assert.deepEqual(first.body.config, { polling: { sleep: '00:01:00' } })
  assert.match(first.body._links.configData.href, /^https:\/\/127\.0\.0\.1:\d+\/DEFAULT\//)
  const { href } = first.body._links.deploymentBase
  const { body } = await unit.send('GET', pathOf(href))
  assert.equal(body.id, '1')
  assert.equal(body.deployment.update, 'forced')
  const [chunk, ...chunks] = body.deployment.chunks
  assert.deepEqual(chunks, [])
  assert.deepEqual([chunk.part, chunk.name, chunk.version], ['os', 'acme', '1.0'])
  const [artifact] = chunk.artifacts
  assert.deepEqual(artifact.hashes, {
    sha1: createHash('sha1').update(firmware).digest('hex'),
    md5: createHash('md5').update(firmware).digest('hex'),
    sha256: createHash('sha256').update(firmware).digest('hex'),
  })
  const file = await unit.send('GET', pathOf(artifact._links.download.href))
  assert.deepEqual(Buffer.from(file.bytes), firmware)
  const sum = await unit.send('GET', pathOf(artifact._links.md5sum.href))
  assert.equal(sum.text, `${artifact.hashes.md5}  firmware.swu\n`)

  const feedback = '/deploymentBase/1/feedback'
  const running = async () =>
    await client.api.call(showDevice, { params: { deviceId: unit.deviceId } })
  await unit.send('POST', feedback, said('download'))
  assert.equal((await running()).update?.state, 'downloading')
  await unit.send(
    'POST',
    feedback,
    said('proceeding', 'none', { details: ['All Chunks Installed.'] }),
  )
  const installing = await running()
  assert.equal(installing.update?.state, 'installing')
  assert.equal(installing.running, null)
  assert.equal((await unit.send('POST', feedback, said('closed', 'success'))).status, 200)
  const done = await running()
  assert.equal(done.running?.version, '1.0')
  assert.equal(done.running?.sha256, release.sha256)
  assert.equal(done.protocol, 'ddi')
  const last = await unit.send('GET', '')
  assert.equal(last.body._links.deploymentBase, undefined)
  assert.equal(pathOf(last.body._links.installedBase.href), '/installedBase/1')
  assert.equal((await unit.send('GET', '/installedBase/1')).body.id, '1')
  const { actions } = await client.api.call(showForeignDevice, {
    params: { deviceId: unit.deviceId },
  })
  assert.deepEqual(
    actions.map(({ id, state, messages }) => [id, state, messages]),
    [[1, 'finished', ['All Chunks Installed.']]],
  )
})
