import assert from 'node:assert/strict'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { httpsTransport } from '@seaworthy/oci/transport'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { HttpRequest, Transport } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'
import { ManualClock } from '@seaworthy/std/time'
import type { CliPorts } from './ports.ts'
import { createCliUser } from './testing/cli-user.ts'
import { startServer } from './testing/server.ts'

/** Changes the text of a reply: `undefined` leaves it as it is. */
type Lie = (request: HttpRequest, text: string) => string | undefined

/** Answers by itself, without asking the real server. */
type Fake = (request: HttpRequest) => string | undefined

async function* bodyOf(content: string | Uint8Array) {
  yield typeof content === 'string' ? utf8Encode(content) : content
}

/** A server that was taken over, as the command line sees it: it holds the real one's key and says what it wants. */
function lyingTransport(
  lie: () => Lie | undefined,
  fake: () => Fake | undefined,
): CliPorts['createTransport'] {
  return (options) => {
    const { transport, close } = httpsTransport({ ...options, idleTimeoutMs: 20_000 })
    const lying: Transport = async (request) => {
      const invented = fake()?.(request)
      if (invented !== undefined) return { status: 200, headers: {}, body: bodyOf(invented) }
      const response = await transport(request)
      const current = lie()
      if (current === undefined || response.status >= 300) return response
      const body = new Uint8Array(await readBody(response, 64 * 1024 * 1024))
      const isText = !request.url.includes('/blobs/') && !request.url.includes('/tile/')
      const changed = isText ? current(request, utf8Decode(body)) : undefined
      return { ...response, body: bodyOf(changed ?? body) }
    }
    return { transport: lying, close }
  }
}

test('T10 a server that was taken over gets no signature for what it swapped, and no belief in what it did not publish', async (t) => {
  const server = await startServer(t)
  let lie: Lie | undefined
  let fake: Fake | undefined
  const clock = new ManualClock(new Date())
  const user = await createCliUser(t, 'user', {
    createTransport: lyingTransport(
      () => lie,
      () => fake,
    ),
    // Waiting is not waited for: the server will not change its mind.
    sleep: async (ms) => clock.advance(ms),
    clock,
  })
  await user.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  for (const name of ['a', 'b']) await user.ok('key', 'create', user.file(name))
  const both = ['--sign-with', user.file('a'), '--sign-with', user.file('b')]
  await user.ok(
    'trust',
    'init',
    '--root-key',
    user.file('a'),
    '--root-key',
    user.file('b'),
    '--threshold',
    '2',
  )
  await user.ok('product', 'create', 'web', '--kind', 'bundle', ...both)
  const channelKeys = ['--key', user.file('a.pub'), '--key', user.file('b.pub'), '--threshold', '2']
  await user.ok('channel', 'create', 'web', 'stable', ...channelKeys, ...both)
  for (const version of ['1', '2']) {
    await mkdir(user.file(`app-${version}/bin`), { recursive: true })
    await writeFile(user.file(`app-${version}/bin/app`), `#!/bin/sh\n# ${version}\n`)
    await chmod(user.file(`app-${version}/bin/app`), 0o755)
    await user.ok(
      'release',
      'create',
      'web',
      version,
      '--platform',
      'linux/amd64',
      '--from',
      user.file(`app-${version}`),
    )
  }
  const digests = Object.fromEntries(
    (await user.json<{ version: string; digest: string }[]>('release', 'list', 'web')).map((r) => [
      r.version,
      r.digest,
    ]),
  )
  const open = await user.json<{ id: string }>(
    'publish',
    'web',
    '1',
    '--channel',
    'stable',
    '--sign-with',
    user.file('a'),
  )
  const sign = ['proposal', 'sign', open.id, '--key', user.file('b'), '--no-apply'] as const

  // Another release under the name of the one that is being published.
  lie = (request, text) =>
    request.url.endsWith('/products/web/releases/2')
      ? text.replaceAll(digests['2']!, digests['1']!)
      : undefined
  assert.match(
    await user.fails(3, 'publish', 'web', '2', '--channel', 'stable', ...both),
    /the server offers web 1 as web 2/,
  )

  // Content that was never looked at, in a proposal that somebody else signed already.
  const swapped = 'f'.repeat(64)
  const shownAt = `/v1/proposals/${open.id}`
  lie = (request, text) =>
    request.url.endsWith(shownAt)
      ? text.replaceAll(digests['1']!.slice('sha256:'.length), swapped)
      : undefined
  assert.match(await user.fails(5, ...sign), /\(content_missing\)/)
  lie = (request, text) =>
    request.url.endsWith(shownAt) ? text.replaceAll('"counter":1', '"counter":0') : undefined
  assert.match(await user.fails(3, ...sign), /\(proposal_(?:refused|malformed)\)/)
  lie = (request, text) =>
    request.url.endsWith(shownAt) ? text.replaceAll('"version":2', '"version":9') : undefined
  assert.match(await user.fails(3, ...sign), /version 9 where 2 must follow/)
  // A proposal of another kind under the same id.
  lie = (request, text) =>
    request.url.endsWith(shownAt) ? text.replaceAll('"web.stable"', '"web"') : undefined
  assert.match(await user.fails(3, ...sign), /\(proposal_(?:refused|outdated|malformed)\)/)

  // "It is published" is believed only when the signed metadata is there.
  lie = undefined
  await user.ok(...sign)
  const [view] = await user.json<{ id: string; state: string }[]>(
    'proposal',
    'list',
    '--state',
    'open',
  )
  assert.equal(view?.id, open.id)
  fake = (request) =>
    request.url.endsWith('/apply') ? JSON.stringify({ ...view, state: 'applied' }) : undefined
  assert.match(
    await user.fails(3, 'proposal', 'apply', open.id),
    /the server says it published web\.stable, but does not serve it/,
  )
  fake = undefined
  assert.match(await user.ok('proposal', 'apply', open.id), /Published: Publish web 1 on stable/)
})
