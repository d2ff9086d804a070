import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { dayMs } from '@seaworthy/std/time'
import type { Signer } from '@seaworthy/trust/keys'
import { generateSigner } from '@seaworthy/trust/keys'
import {
  buildRoot,
  buildSnapshot,
  buildTargets,
  buildTimestamp,
  changeRoot,
  signMetadata,
} from '@seaworthy/trust/tuf'
import { createCliUser } from '../testing/cli-user.ts'

/** A repository of one key and one target, served over plain HTTP. */
async function serveRepository(t: TestContext) {
  const signer: Signer = await generateSigner('ed25519')
  const files = new Map<string, Uint8Array>()
  const requests: string[] = []
  const content = utf8Encode('the target\n')
  const sha256 = hash('sha256', content, 'hex')
  const expiresAt = new Date(Date.now() + dayMs)
  const own = { keys: [signer.key], threshold: 1 }
  const root = await buildRoot({
    expiresAt,
    roles: { root: own, targets: own, snapshot: own, timestamp: own },
  })
  const publish = async (version: number, changes: { hashes?: Record<string, string> } = {}) => {
    const targets = {
      ...buildTargets(expiresAt),
      version,
      targets: {
        'dir/a file': { length: content.length, hashes: changes.hashes ?? { sha256 } },
      },
    }
    const targetsBytes = await signMetadata(targets, [signer])
    const snapshot = {
      ...(await buildSnapshot(
        undefined,
        new Map([['targets', { version, bytes: targetsBytes }]]),
        expiresAt,
      )),
      version,
    }
    const snapshotBytes = await signMetadata(snapshot, [signer])
    const timestamp = {
      ...(await buildTimestamp(
        undefined,
        { version, bytes: snapshotBytes },
        { signedAt: new Date(), expiresAt },
      )),
      version,
    }
    files.set(`/metadata/${version}.targets.json`, targetsBytes)
    files.set(`/metadata/${version}.snapshot.json`, snapshotBytes)
    files.set('/metadata/timestamp.json', await signMetadata(timestamp, [signer]))
  }
  const rootBytes = await signMetadata(root, [signer])
  files.set(`/targets/dir/${sha256}.a%20file`, content)
  await publish(1)
  const server = createServer((request, response) => {
    requests.push(request.url!)
    const file = files.get(request.url!)
    response.writeHead(file === undefined ? 404 : 200).end(file)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { signer, files, requests, rootBytes, root, url, content, publish, expiresAt, sha256 }
}

async function makeClient(t: TestContext) {
  const repository = await serveRepository(t)
  const user = await createCliUser(t, 'tuf')
  const tuf = (...args: string[]) =>
    user.run(
      'tuf',
      '--metadata-dir',
      user.file('metadata'),
      '--metadata-url',
      `${repository.url}/metadata`,
      '--target-name',
      'dir/a file',
      '--target-base-url',
      `${repository.url}/targets`,
      '--target-dir',
      user.file('targets'),
      ...args,
    )
  await writeFile(user.file('root.json'), repository.rootBytes)
  return { repository, user, tuf }
}

test('init, refresh and download keep the exact bytes and make only the requests of the workflow', async (t) => {
  const { repository, user, tuf } = await makeClient(t)
  assert.deepEqual(await tuf('init', user.file('root.json')), { exitCode: 0, out: '', err: '' })
  assert.deepEqual(await tuf('refresh'), { exitCode: 0, out: '', err: '' })
  assert.deepEqual(repository.requests, [
    '/metadata/2.root.json',
    '/metadata/timestamp.json',
    '/metadata/1.snapshot.json',
    '/metadata/1.targets.json',
  ])
  assert.deepEqual((await readdir(user.file('metadata'))).toSorted(), [
    'root.json',
    'snapshot.json',
    'targets.json',
    'timestamp.json',
  ])
  const stored = await readFile(`${user.file('metadata')}/timestamp.json`)
  assert.deepEqual(new Uint8Array(stored), repository.files.get('/metadata/timestamp.json'))
  assert.equal((await tuf('download')).exitCode, 0)
  const [name] = await readdir(user.file('targets'))
  assert.equal(await readFile(`${user.file('targets')}/${name}`, 'utf8'), 'the target\n')
  // a target that is there and right is not fetched again
  repository.requests.length = 0
  assert.equal((await tuf('download')).exitCode, 0)
  assert.ok(!repository.requests.some((path) => path.startsWith('/targets/')))
})

test('T7 rollback, wrong content and forged roots end with exit code 1 and their code', async (t) => {
  const { repository, user, tuf } = await makeClient(t)
  await tuf('init', user.file('root.json'))
  await repository.publish(2)
  assert.equal((await tuf('refresh')).exitCode, 0)
  await repository.publish(1)
  const rollback = await tuf('refresh')
  assert.equal(rollback.exitCode, 1)
  assert.match(rollback.err, /\(rollback\)/)
  await repository.publish(3)
  repository.files.set(`/targets/dir/${repository.sha256}.a%20file`, utf8Encode('not target\n'))
  const swapped = await tuf('download')
  assert.equal(swapped.exitCode, 1)
  assert.match(swapped.err, /\(wrong_hash\)/)
  const stranger = await generateSigner('ed25519')
  const { expiresAt, root } = repository
  const forged = await signMetadata(await changeRoot(root, { expiresAt }), [stranger])
  repository.files.set('/metadata/2.root.json', forged)
  const refused = await tuf('refresh')
  assert.equal(refused.exitCode, 1)
  assert.match(refused.err, /\(signature_threshold\)/)
})
