/** The plain client against repositories that conform, but are not ours. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { dayMs, formatInstant } from '@seaworthy/std/time'
import { generateSigner } from '../keys/signer.ts'
import type { Signer } from '../keys/signer.ts'
import { canonicalJson } from './json.ts'
import type {
  AnySigned,
  DelegatedRole,
  Delegations,
  TargetFile,
  TargetsSigned,
} from './metadata.ts'
import { initPlainClient, refreshPlainClient } from './plain-client.ts'
import type { MetadataFolder } from './plain-client.ts'
import { placeTarget, verifyTarget } from './plain-target.ts'
import type { StreamingHash, StrongHash } from './plain-target.ts'
import { roleFileName } from './cycle.ts'
import { verifyThreshold } from './threshold.ts'

const now = new Date('2030-01-01T00:00:00Z')
const head = (type: string, version = 1) => ({
  _type: type,
  spec_version: '1.0.31',
  version,
  expires: formatInstant(new Date(now.getTime() + dayMs)),
})

/**
 * A loosely written repository: opaque key ids, white space, unknown members, no lengths or hashes.
 */
async function foreignRepository(consistent: boolean) {
  const signer = await generateSigner('p256')
  const files = new Map<string, Uint8Array>()
  const requests: string[] = []
  const keys = { kid: { ...signer.key, 'x-note': { a: 1 } } }
  const ring = { keyids: ['kid'], threshold: 1 }
  const put = async (
    name: string,
    signed: object,
    by: readonly Signer[] = [signer],
    ids = ['kid'],
  ) => {
    const signatures = await Promise.all(
      by.map(async (one, i) => ({ keyid: ids[i], sig: await one.sign(canonicalJson(signed)) })),
    )
    const bytes = utf8Encode(JSON.stringify({ signed, signatures, more: [null] }, undefined, 1))
    files.set(name, bytes)
    return bytes
  }
  const versioned = (role: string, version = 1) =>
    `${consistent ? `${version}.` : ''}${roleFileName(role)}`
  const root = (version = 1) => ({
    ...head('root', version),
    consistent_snapshot: consistent,
    keys,
    roles: { root: ring, targets: ring, snapshot: ring, timestamp: ring, mirrors: {} },
    custom: 'kept',
  })
  const roles = new Map<string, object>([['targets', { ...head('targets'), targets: {} }]])
  let version = 0
  const publish = async () => {
    version++
    const meta: Record<string, object> = {}
    for (const [role, signed] of roles) {
      const own = (signed as AnySigned).version
      await put(versioned(role, own), signed)
      meta[`${role}.json`] = { version: own }
    }
    await put(versioned('snapshot', version), { ...head('snapshot', version), meta })
    await put('timestamp.json', {
      ...head('timestamp', version),
      meta: { 'snapshot.json': { version } },
    })
  }
  await publish()
  const anchor = await put('1.root.json', root())
  const stored = new Map<string, Uint8Array>()
  const folder: MetadataFolder = {
    read: async (name) => stored.get(name),
    write: async (name, bytes) => void stored.set(name, bytes),
    remove: async (name) => void stored.delete(name),
  }
  const fetchMetadata = async (name: string) => {
    requests.push(name)
    return files.get(name)
  }
  const options = { profile: 'conforming', now } as const
  await initPlainClient(anchor, options, folder)
  const refresh = () => refreshPlainClient(options, { folder, fetchMetadata })
  return {
    signer,
    keys,
    ring,
    files,
    requests,
    stored,
    put,
    root,
    roles,
    publish,
    refresh,
    folder,
    options,
  }
}

const openHash = (name: StrongHash): StreamingHash => {
  const hash = createHash(name)
  return { update: (piece) => void hash.update(piece), digest: () => hash.digest('hex') }
}

/** The part of `text` that comes through, sent in pieces of two bytes. */
async function verified(text: string, file: TargetFile): Promise<string> {
  const pieces = async function* () {
    for (let i = 0; i < text.length; i += 2) yield utf8Encode(text.slice(i, i + 2))
  }
  let out = ''
  for await (const piece of verifyTarget(pieces(), file, openHash)) out += utf8Decode(piece)
  return out
}

const target = async (text: string) => ({
  length: text.length,
  hashes: {
    md5: 'ignored',
    sha512: new Uint8Array(await crypto.subtle.digest('SHA-512', utf8Encode(text))).toHex(),
  },
})

for (const consistent of [true, false]) {
  test(`T1 a loosely written repository, consistent_snapshot ${consistent}: exact requests, exact bytes`, async () => {
    const repository = await foreignRepository(consistent)
    const { requests, stored, files, roles } = repository
    const v = (n: number) => (consistent ? `${n}.` : '')
    await repository.refresh()
    assert.deepEqual(requests, [
      '2.root.json',
      'timestamp.json',
      `${v(1)}snapshot.json`,
      `${v(1)}targets.json`,
    ])
    assert.deepEqual([...stored.keys()].toSorted(), [
      'root.json',
      'snapshot.json',
      'targets.json',
      'timestamp.json',
    ])
    assert.deepEqual(stored.get('targets.json'), files.get(`${v(1)}targets.json`))
    requests.length = 0
    await repository.refresh()
    assert.deepEqual(requests, ['2.root.json', 'timestamp.json'])

    roles.set('targets', {
      ...head('targets', 2),
      targets: { 'dir/a b.txt': await target('hello') },
    })
    await repository.publish()
    const found = await (await repository.refresh()).findTarget('dir/a b.txt')
    const hash = consistent ? `${found.target.hashes['sha512']}.` : ''
    assert.equal(found.urlPath, `dir/${hash}a%20b.txt`)
    assert.equal(found.fileName, 'dir%2Fa%20b.txt')
    assert.equal(await verified('hello', found.target), 'hello')
    for (const [text, code] of [
      ['hellO', 'wrong_hash'],
      ['hell', 'wrong_length'],
      ['hello!', 'endless_data'],
    ] as const) {
      await assert.rejects(verified(text, found.target), { code })
    }
  })
}

/** Paths of pieces that mean something to a parser of URLs, and of anything else. */
const awkwardPath = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...[
          '/',
          '//',
          '.',
          '..',
          '../',
          '%2e%2e',
          '%2f',
          '%',
          '\\',
          '\0',
          '\n',
          '\t',
          '?',
          '#',
          '@',
          ':',
        ],
        ...[
          'http:',
          'https://',
          'file:',
          'host',
          'a b',
          'app:1.0',
          '[::1]',
          'ä',
          '𝒳',
          '\u202e',
          ' ',
        ],
      ),
      fc.string({ unit: anyCodePoint, maxLength: 4 }),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts) => parts.join(''))

test('T1 a target is asked for below the base address and nowhere else, whatever its name contains (property)', () => {
  const file = { length: 1, hashes: { sha256: 'ab'.repeat(32) } }
  const isDots = (segment: string) => segment === '.' || segment === '..'
  const check = (path: string, isHashed: boolean) => {
    const base = 'https://repository.example:8443/some/place/'
    const segments = path.split('/')
    let place: { urlPath: string; fileName: string }
    try {
      place = placeTarget(path, file, isHashed)
    } catch (error) {
      assert.equal((error as { code?: unknown }).code, 'target_path_unusable')
      const asked = isHashed ? segments.slice(0, -1) : segments
      assert.ok(/^\.{0,2}$/.test(path) || asked.some(isDots) || !path.isWellFormed(), path)
      return
    }
    const url = new URL(`${base}${place.urlPath}`)
    assert.equal(url.origin, 'https://repository.example:8443')
    // The parser has resolved nothing and dropped nothing: each segment says what the name says.
    assert.equal(url.href, `${base}${place.urlPath}`)
    const last = `${isHashed ? `${file.hashes.sha256}.` : ''}${segments.pop()}`
    const asked = url.pathname.slice('/some/place/'.length).split('/')
    assert.deepEqual(asked.map(decodeURIComponent), [...segments, last])
    assert.ok(!/[/\\\0]/.test(place.fileName) && !/^\.{0,2}$/.test(place.fileName))
  }
  fc.assert(fc.property(awkwardPath, fc.boolean(), check), { numRuns: 2000 })
  for (const path of [
    '//host/x',
    'http://host/y',
    'app:1.0',
    '/x',
    'a//b',
    'a\\..\\b',
    '\0',
    '%2e%2e/x',
  ]) {
    for (const isHashed of [true, false]) {
      check(path, isHashed)
      assert.ok(placeTarget(path, file, isHashed).urlPath.length > 0)
    }
  }
  for (const path of ['../x', 'a/../../x', './x', 'a/..', '..', '.', '']) {
    assert.throws(() => placeTarget(path, file, false), { code: 'target_path_unusable' })
  }
})

test('T1 equal timestamp versions keep the stored bytes', async () => {
  const repository = await foreignRepository(true)
  await repository.refresh()
  const before = repository.stored.get('timestamp.json')
  await repository.put('timestamp.json', {
    ...head('timestamp'),
    meta: { 'snapshot.json': { version: 100 } },
  })
  await repository.refresh()
  assert.equal(repository.stored.get('timestamp.json'), before)
})

test('T1 metadata longer than our own limits is taken where its length is signed', async () => {
  const repository = await foreignRepository(true)
  const signed = { ...head('targets', 2), targets: {}, 'x-padding': 'x'.repeat(9_000_000) }
  repository.roles.set('targets', signed)
  await repository.publish()
  await assert.rejects(repository.refresh(), { code: 'endless_data' })
  const { length } = repository.files.get('2.targets.json')!
  const meta = { 'targets.json': { version: 2, length } }
  await repository.put('3.snapshot.json', { ...head('snapshot', 3), meta })
  const timestamp = { ...head('timestamp', 3), meta: { 'snapshot.json': { version: 3 } } }
  await repository.put('timestamp.json', timestamp)
  await repository.refresh()
})

test('T7 weak hashes prove nothing, and a target without hashes is no metadata', async () => {
  const repository = await foreignRepository(true)
  await assert.rejects(
    verified('x', {
      length: 1,
      hashes: { md5: '9dd4e461268c8034f5c8564e155c67a6' },
    }),
    { code: 'wrong_hash' },
  )
  const targets = { x: { length: 1, hashes: {} } }
  repository.roles.set('targets', { ...head('targets', 2), targets })
  await repository.publish()
  await assert.rejects(repository.refresh(), { code: 'metadata_malformed' })
})

const edge = (name: string, more: Partial<DelegatedRole> = {}): DelegatedRole => ({
  name,
  keyids: ['kid'],
  threshold: 1,
  terminating: false,
  paths: ['*'],
  ...more,
})

test('T1 delegations are searched depth first, in order, each role once, terminating ones end it', async () => {
  for (const [graph, expected] of [
    [{ targets: [edge('A'), edge('B')], A: [edge('C'), edge('D')] }, ['A', 'C', 'D', 'B']],
    [
      { targets: [edge('A'), edge('B')], A: [edge('C', { terminating: true }), edge('D')] },
      ['A', 'C'],
    ],
    [
      { targets: [edge('A'), edge('B')], B: [edge('C')], C: [edge('D')], D: [edge('B')] },
      ['A', 'B', 'C', 'D'],
    ],
    [{ targets: [edge('A', { paths: ['*.py'] }), edge('B')], A: [edge('C')] }, ['B']],
    [
      {
        targets: [
          edge('?'),
          edge('#'),
          edge('/x'),
          edge('../x'),
          edge('2'),
          edge('1'),
          edge('__proto__'),
        ],
      },
      ['%3F', '%23', '%2Fx', '..%2Fx', '2', '1', '__proto__'],
    ],
  ] as const) {
    const repository = await foreignRepository(true)
    const children = graph as Readonly<Record<string, readonly DelegatedRole[]>>
    const names = [
      'targets',
      ...Object.values(children).flatMap((roles) => roles.map(({ name }) => name)),
    ]
    for (const name of names) {
      const roles = Object.hasOwn(children, name) ? children[name] : undefined
      const delegations: Delegations | undefined = roles && { keys: repository.keys, roles }
      repository.roles.set(name, {
        ...head('targets', 2),
        targets: {},
        ...(delegations && { delegations }),
      })
    }
    await repository.publish()
    const client = await repository.refresh()
    repository.requests.length = 0
    await assert.rejects(client.findTarget('missing'), { code: 'target_unknown' })
    assert.deepEqual(
      repository.requests,
      expected.map((name) => `2.${name}.json`),
    )
    assert.ok(expected.every((name) => repository.stored.has(`${name}.json`)))
  }
})

test('T7 endless delegations: at most 32 are followed', async () => {
  const repository = await foreignRepository(true)
  for (let i = 0; i < 40; i++) {
    const delegations = { keys: repository.keys, roles: [edge(`r${i + 1}`)] }
    repository.roles.set(i === 0 ? 'targets' : `r${i}`, {
      ...head('targets', 2),
      targets: {},
      delegations,
    })
  }
  await repository.publish()
  const client = await repository.refresh()
  repository.requests.length = 0
  await assert.rejects(client.findTarget('missing'), { code: 'target_unknown' })
  assert.equal(repository.requests.length, 32)
})

test('T1 TAP 15 bins are found', async () => {
  const repository = await foreignRepository(true)
  const succinct = { ...repository.ring, bit_length: 2, name_prefix: 'bin' }
  const listed: TargetsSigned['targets'] = { 'a.txt': await target('hi') }
  repository.roles.set('targets', {
    ...head('targets', 2),
    targets: {},
    delegations: { keys: repository.keys, succinct_roles: succinct },
  })
  for (const bin of ['bin-0', 'bin-1', 'bin-2', 'bin-3']) {
    repository.roles.set(bin, { ...head('targets', 1), targets: listed })
  }
  await repository.publish()
  const client = await repository.refresh()
  repository.requests.length = 0
  await client.findTarget('a.txt')
  assert.equal(repository.requests.length, 1)
  assert.match(repository.requests[0]!, /^1\.bin-[0-3]\.json$/)
})

test('T7 one public key under two key ids never meets a threshold of two', async () => {
  const signer = await generateSigner('ed25519')
  const other = await generateSigner('p256')
  const signedBytes = utf8Encode('signed')
  const by = async (one: Signer, keyid: string) => ({ keyid, sig: await one.sign(signedBytes) })
  const spelled = {
    ...other.key,
    keytype: 'ecdsa-sha2-nistp256',
    keyval: { public: other.key.keyval.public.trim() },
  }
  const keys = { a: signer.key, b: { ...signer.key, 'x-other': 1 }, c: other.key, d: spelled }
  const meets = (
    keyids: string[],
    threshold: number,
    signatures: { keyid: string; sig: string }[],
  ) => verifyThreshold({ keys, role: { keyids, threshold } }, { signedBytes, signatures }, 'role')
  const refused = { code: 'signature_threshold' }
  const [a, b, c, d] = [
    await by(signer, 'a'),
    await by(signer, 'b'),
    await by(other, 'c'),
    await by(other, 'd'),
  ]
  await assert.rejects(meets(['a', 'b'], 2, [a, b]), refused)
  await assert.rejects(meets(['c', 'd'], 2, [c, d]), refused)
  await assert.rejects(meets(['a', 'c'], 2, [a, a]), refused)
  await assert.rejects(meets(['a'], 2, [a, c]), refused)
  await assert.rejects(meets(['a', 'c'], 0, []), refused)
  await assert.rejects(meets(['a', 'c'], 2, [a, { ...c, sig: a.sig }]), refused)
  await meets(['a', 'b', 'c', 'd'], 2, [a, b, c, d])
})

test('T7 a threshold above the number of keys, or keys that are not there, is never met but no other fault', async () => {
  const repository = await foreignRepository(true)
  const root = repository.root(2)
  const snapshot = { keyids: ['kid', 'unknown'], threshold: 2 }
  await repository.put('2.root.json', { ...root, roles: { ...root.roles, snapshot } })
  await assert.rejects(repository.refresh(), { code: 'signature_threshold' })
  assert.equal(
    JSON.parse(new TextDecoder().decode(repository.stored.get('root.json'))).signed.version,
    2,
  )
})

test('a metadata folder without a root, or with a broken file, is refused', async () => {
  const repository = await foreignRepository(true)
  await repository.refresh()
  await repository.folder.write('timestamp.json', utf8Encode('{'))
  await assert.rejects(repository.refresh(), { code: 'state_unreadable' })
  await repository.folder.remove('root.json')
  await assert.rejects(repository.refresh(), { code: 'state_unreadable' })
  await assert.rejects(initPlainClient(utf8Encode('{}'), repository.options, repository.folder), {
    code: 'metadata_malformed',
  })
})
