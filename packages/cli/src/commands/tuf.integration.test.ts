import assert from 'node:assert/strict'
import { createHash, hash } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import type { RequestListener, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { waitUntil } from '@seaworthy/std/testing'
import { dayMs } from '@seaworthy/std/time'
import type { Signer } from '@seaworthy/trust/keys'
import { generateSigner } from '@seaworthy/trust/keys'
import type { TargetFile } from '@seaworthy/trust/tuf'
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
  const publish = async (version: number, more: Record<string, TargetFile> = {}) => {
    const targets = {
      ...buildTargets(expiresAt),
      version,
      targets: { 'dir/a file': { length: content.length, hashes: { sha256 } }, ...more },
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
  const answers = new Map<string, RequestListener>()
  const server = createServer((request, response) => {
    requests.push(request.url!)
    assert.equal(request.headers['accept-encoding'], 'identity')
    const answer = answers.get(request.url!)
    if (answer !== undefined) return answer(request, response)
    const file = files.get(request.url!)
    return response.writeHead(file === undefined ? 404 : 200).end(file)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    ...{ signer, files, answers, requests, rootBytes, root, url, content },
    ...{ publish, expiresAt, sha256 },
  }
}

async function makeClient(t: TestContext) {
  const repository = await serveRepository(t)
  const user = await createCliUser(t, 'tuf')
  const tuf = (...args: string[]) => ask('dir/a file', ...args)
  const ask = (name: string, ...args: string[]) =>
    user.run(
      'tuf',
      '--metadata-dir',
      user.file('metadata'),
      '--metadata-url',
      `${repository.url}/metadata`,
      '--target-name',
      name,
      '--target-base-url',
      `${repository.url}/targets`,
      '--target-dir',
      user.file('targets'),
      ...args,
    )
  await writeFile(user.file('root.json'), repository.rootBytes)
  return { repository, user, tuf, ask }
}

test('init, refresh and download keep the exact bytes and make only the requests of the workflow', async (t) => {
  const { repository, user, tuf } = await makeClient(t)
  const dir = user.file('metadata')
  const digest = hash('sha256', repository.rootBytes, 'hex')
  const trusts = `${dir} trusts the root sha256:${digest}. Compare it with the digest that you were given.\n`
  const init = await tuf('init', user.file('root.json'))
  assert.deepEqual(init, { exitCode: 0, out: trusts, err: '' })
  const fresh = `The metadata in ${dir} is verified, and up to date.\n`
  assert.deepEqual(await tuf('refresh'), { exitCode: 0, out: fresh, err: '' })
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
  // A target that is there and right is not fetched again.
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
  const told = await tuf('download', '--json')
  assert.equal(told.exitCode, 1)
  const { message, ...facts } = JSON.parse(told.err) as Record<string, unknown>
  assert.deepEqual(
    [facts['command'], facts['exitCode'], facts['code']],
    ['tuf download', 1, 'wrong_hash'],
  )
  assert.equal(typeof message, 'string')
  const stranger = await generateSigner('ed25519')
  const { expiresAt, root } = repository
  const forged = await signMetadata(await changeRoot(root, { expiresAt }), [stranger])
  repository.files.set('/metadata/2.root.json', forged)
  const refused = await tuf('refresh')
  assert.equal(refused.exitCode, 1)
  assert.match(refused.err, /\(signature_threshold\)/)
})

test('T1 a target name is a path below the base: none asks another host, whatever it looks like', async (t) => {
  const { repository, user, ask } = await makeClient(t)
  const { content, sha256 } = repository
  const asked: string[] = []
  const stranger = createServer((request, response) => {
    asked.push(request.url!)
    response.end(content)
  })
  stranger.listen(0, '127.0.0.1')
  await once(stranger, 'listening')
  t.after(() => stranger.close())
  const host = `127.0.0.1:${(stranger.address() as AddressInfo).port}`
  const file = { length: content.length, hashes: { sha256 } }
  const places = new Map([
    [`//${host}/x`, `//${host}/${sha256}.x`],
    [`http://${host}/y`, `http://${host}/${sha256}.y`],
    ['app:1.0', `${sha256}.app:1.0`],
    ['/rooted', `/${sha256}.rooted`],
    ['a\\..\\b%2e', `${sha256}.a%5C..%5Cb%252e`],
  ])
  for (const place of places.values()) repository.files.set(`/targets/${place}`, content)
  const names = [...places.keys(), 'a/../../metadata/b']
  await repository.publish(2, Object.fromEntries(names.map((name) => [name, file])))
  await user.run('tuf', '--metadata-dir', user.file('metadata'), 'init', user.file('root.json'))
  for (const [name, place] of places) {
    const { exitCode, out, err } = await ask(name, 'download')
    assert.deepEqual([exitCode, err], [0, ''], name)
    assert.ok(out.startsWith(`${name}: ${user.file('targets')}/`), out)
    assert.equal(repository.requests.at(-1), `/targets/${place}`)
  }
  assert.equal((await readdir(user.file('targets'))).length, places.size)
  const escaping = await ask('a/../../metadata/b', 'download')
  assert.equal(escaping.exitCode, 1)
  assert.match(escaping.err, /\(target_path_unusable\)/)
  assert.deepEqual(asked, [])
})

test('T7 a target of any length goes to the disk piece by piece; what does not verify leaves nothing there', async (t) => {
  const { repository, user, ask } = await makeClient(t)
  const { content, sha256 } = repository
  const huge = { length: 2 ** 45, hashes: { sha256 } }
  // The target `long` has 48 MiB, of which the client keeps nothing in memory.
  const pieces = Array.from({ length: 48 }, (_, i) => Buffer.alloc(1024 * 1024, i))
  const long = createHash('sha256')
  for (const piece of pieces) long.update(piece)
  const longHash = long.digest('hex')
  await repository.publish(2, {
    huge,
    long: { length: 48 * 1024 * 1024, hashes: { sha256: longHash } },
  })
  await user.run('tuf', '--metadata-dir', user.file('metadata'), 'init', user.file('root.json'))
  repository.files.set(`/targets/${sha256}.huge`, content)
  const short = await ask('huge', 'download')
  assert.deepEqual([short.exitCode, short.out], [1, ''])
  assert.match(short.err, /\(wrong_length\)/)
  assert.deepEqual(await readdir(user.file('targets')), [])

  // Half of the target is on the disk before the other half is sent.
  const sendLong = async (response: ServerResponse) => {
    for (const piece of pieces.slice(0, 24)) response.write(piece)
    await waitUntil('half of it is on the disk', async () => {
      const [partial] = await readdir(user.file('targets'))
      if (partial === undefined) return false
      return (await stat(`${user.file('targets')}/${partial}`)).size >= 20 * 1024 * 1024
    })
    for (const piece of pieces.slice(24)) response.write(piece)
    response.end()
  }
  repository.answers.set(`/targets/${longHash}.long`, (_request, response) => {
    void sendLong(response)
  })
  assert.equal((await ask('long', 'download')).exitCode, 0)
  assert.deepEqual(await readdir(user.file('targets')), ['long'])
  const stored = createHash('sha256').update(await readFile(`${user.file('targets')}/long`))
  assert.equal(stored.digest('hex'), longHash)
})

test('T7 a target larger than the memory that the client takes is verified on its way to the disk', async (t) => {
  const { repository, user, ask } = await makeClient(t)
  const mebibyte = 1024 * 1024
  const piece = Buffer.alloc(mebibyte, 'seaworthy')
  const pieces = 320
  const sha256 = createHash('sha256')
  for (let sent = 0; sent < pieces; sent++) sha256.update(piece)
  const digest = sha256.digest('hex')
  await repository.publish(2, { big: { length: pieces * mebibyte, hashes: { sha256: digest } } })
  await user.run('tuf', '--metadata-dir', user.file('metadata'), 'init', user.file('root.json'))
  let most = 0
  const send = async (response: ServerResponse) => {
    for (let sent = 0; sent < pieces; sent++) {
      if (!response.write(piece)) await once(response, 'drain')
      most = Math.max(most, process.memoryUsage().arrayBuffers)
    }
    response.end()
  }
  repository.answers.set(`/targets/${digest}.big`, (_request, response) => void send(response))
  const before = process.memoryUsage().arrayBuffers
  assert.equal((await ask('big', 'download')).exitCode, 0)
  assert.equal((await stat(`${user.file('targets')}/big`)).size, pieces * mebibyte)
  // Client and server share this process. What is collected late counts too, so half is allowed.
  const held = (most - before) / mebibyte
  assert.ok(held < pieces / 2, `${Math.round(held)} MiB were held of ${pieces} MiB`)
})

test('A6 redirects are followed within the origin, a few times; a coded answer is refused by its name', async (t) => {
  const { repository, user, tuf } = await makeClient(t)
  const { answers, files, sha256, url, content } = repository
  const place = `/targets/dir/${sha256}.a%20file`
  const redirect =
    (to: string): RequestListener =>
    (_request, response) =>
      void response.writeHead(302, { location: to }).end()
  await tuf('init', user.file('root.json'))
  const refused = async (code: string) => {
    const { exitCode, err } = await tuf('download')
    assert.equal(exitCode, 1)
    assert.match(err, new RegExp(`\\(${code}\\)\n$`))
    return err
  }
  answers.set(place, redirect('/loop'))
  answers.set('/loop', redirect('/loop'))
  await refused('redirect_refused')
  const { host } = new URL(url)
  const before = repository.requests.length
  for (const to of [`http://localhost:${new URL(url).port}/elsewhere`, `https://${host}/`, '//[']) {
    answers.set(place, redirect(to))
    await refused('redirect_refused')
  }
  assert.ok(!repository.requests.slice(before).includes('/elsewhere'))
  answers.set(place, (_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(content)
  })
  assert.match(await refused('content_coded'), /\(gzip\)/)
  answers.set(place, redirect('/moved/file'))
  files.set('/moved/file', content)
  const metadata = files.get('/metadata/timestamp.json')!
  answers.set('/metadata/timestamp.json', redirect('../moved/timestamp.json'))
  files.set('/moved/timestamp.json', metadata)
  assert.match((await tuf('download')).out, /, verified\n$/)
})
