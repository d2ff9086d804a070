import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { generateSigner } from '../keys/signer.ts'
import { isTrustError } from './codes.ts'
import { keysPerRoleMax, lintSigned } from './lint.ts'
import type { FindingName } from './lint.ts'
import type { RoleType, RootSigned, TargetsSigned } from './metadata.ts'
import { parseMetadata } from './parse-metadata.ts'
import { createRepositorySimulator } from '../testing/repository-simulator.ts'

const now = new Date('2030-01-01T00:00:00Z')

async function published() {
  const repository = await createRepositorySimulator(now)
  await repository.addProduct('acme')
  await repository.addChannel('acme', 'stable')
  await repository.addRelease('acme', 'stable', '1.0.0')
  const file = (name: string) => repository.files.get(name)!
  const files: readonly (readonly [RoleType, Uint8Array])[] = [
    ['root', repository.anchor],
    ['timestamp', file('timestamp.json')],
    ['snapshot', file('4.snapshot.json')],
    ['targets', file('2.targets.json')],
    ['targets', file('2.acme.stable.json')],
  ]
  return { repository, files }
}

test('what we publish is within the strict profile', async () => {
  for (const [type, bytes] of (await published()).files) {
    const metadata = await parseMetadata(type, bytes, 'strict')
    assert.deepEqual(metadata.bytes, bytes)
    assert.equal(metadata.signed._type, type)
  }
})

test('later changes to the bytes handed over do not reach what was parsed', async () => {
  const [[type, bytes]] = (await published()).files as [[RoleType, Uint8Array]]
  const handed = new Uint8Array(bytes)
  const metadata = await parseMetadata(type, handed, 'strict')
  handed.fill(0)
  assert.deepEqual(metadata.bytes, bytes)
})

test('T7 metadata with anything replaced, removed or cut only ever gives coded refusals', async () => {
  const { files } = await published()
  const junk = fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    2 ** 40,
    '',
    '../x',
    '\u0000',
    [],
    {},
    [[]],
    { a: {} },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...files),
      fc.nat(),
      junk,
      fc.constantFrom('replace', 'remove', 'byte', 'cut'),
      fc.constantFrom('strict', 'conforming'),
      async ([type, bytes], at, value, way, profile) => {
        let broken: Uint8Array
        if (way === 'byte') broken = bytes.with(at % bytes.length, at & 0xff)
        else if (way === 'cut') broken = bytes.slice(0, at % bytes.length)
        else {
          const json: unknown = JSON.parse(utf8Decode(bytes))
          const places: [Record<string, unknown>, string][] = []
          const walk = (node: unknown) => {
            if (typeof node !== 'object' || node === null) return
            for (const name of Object.keys(node)) {
              places.push([node as Record<string, unknown>, name])
              walk((node as Record<string, unknown>)[name])
            }
          }
          walk(json)
          const [node, name] = places[at % places.length]!
          if (way === 'remove') delete node[name]
          else node[name] = value
          broken = utf8Encode(JSON.stringify(json))
        }
        await parseMetadata(type, broken, profile).catch((error: unknown) => {
          assert.ok(isTrustError(error), String(error))
        })
      },
    ),
    { numRuns: 4000 },
  )
})

test('the linter names each deviation from the strict profile', async () => {
  const { repository } = await published()
  const { root } = repository
  const targets = repository.targets.get('targets')!
  const stable = repository.targets.get('acme.stable')!
  const [role] = targets.delegations!.roles!
  const [keyid] = role!.keyids
  const key = targets.delegations!.keys[keyid!]!
  const target = stable.targets['acme/stable/1.0.0']!
  const rsa = { keytype: 'rsa', scheme: 'rsassa-pss-sha256', keyval: { public: 'x' } }
  const delegating = (change: object, keys: object = {}): TargetsSigned => ({
    ...targets,
    delegations: {
      keys: { ...targets.delegations!.keys, ...keys },
      roles: [{ ...role!, ...change }],
    },
  })
  const listing = (path: string, change: object = {}): TargetsSigned => ({
    ...stable,
    targets: { [path]: { ...target, ...change } },
  })
  const stranger = await generateSigner('ed25519')
  const manyIds = (count: number) =>
    Array.from({ length: count }, (_, index) => index.toString(16).padStart(64, '0'))
  for (const [name, signed] of [
    ['specification_version', { ...root, spec_version: '1.1.0' }],
    ['integer_range', { ...root, version: 2 ** 31 }],
    ['instant_form', { ...root, expires: '2030-01-01T00:00:00.000Z' }],
    ['no_consistent_snapshot', { ...root, consistent_snapshot: false }],
    ['key_unsupported', delegating({ keyids: [...role!.keyids, 'r'] }, { r: rsa })],
    ['keyid_not_hash', delegating({ keyids: [...role!.keyids, 'x'] }, { x: stranger.key })],
    ['keyid_unknown', delegating({ keyids: [...role!.keyids, stranger.keyId] })],
    ['key_listed_twice', delegating({ keyids: [...role!.keyids, 'x'] }, { x: key })],
    ['key_unused', delegating({}, { [stranger.keyId]: stranger.key })],
    ['threshold_range', delegating({ threshold: 9 })],
    ['keys_too_many', delegating({ keyids: manyIds(keysPerRoleMax + 1) })],
    ['keys_too_many', delegating({}, Object.fromEntries(manyIds(1024).map((id) => [id, key])))],
    ['threshold_range', delegating({ threshold: 0 })],
    ['role_name', { ...root, roles: { ...root.roles, mirrors: null } as never }],
    ['role_name', delegating({ name: '1' })],
    ['role_name', delegating({ name: '../x' })],
    ['path_pattern', delegating({ paths: ['acme/[a-z]'] })],
    ['path_pattern', delegating({ paths: ['acme/?'] })],
    ['path_pattern', delegating({ paths: ['../*'] })],
    ['delegation_form', delegating({ paths: [] })],
    [
      'delegation_form',
      {
        ...targets,
        delegations: {
          keys: {},
          succinct_roles: { keyids: [], threshold: 1, bit_length: 1, name_prefix: 'b' },
        },
      },
    ],
    ['target_path', listing('acme//x')],
    ['target_path', listing('acme/../x')],
    ['target_path', listing('acme/\u{1F600}')],
    ['hash_missing', listing('a', { hashes: { sha256: 'a'.repeat(64) } })],
    ['hash_missing', listing('a', { hashes: { ...target.hashes, sha256: 'A'.repeat(64) } })],
    ['hash_missing', listing('a', { hashes: { ...target.hashes, md5: 'a' } })],
    ['integer_range', listing('a', { length: 0 })],
    [
      'length_missing',
      {
        ...repository.snapshot,
        meta: { 'targets.json': { version: 1, hashes: { sha256: 'a'.repeat(64) } } },
      },
    ],
    [
      'hash_missing',
      { ...repository.snapshot, meta: { 'targets.json': { version: 1, length: 1 } } },
    ],
    [
      'role_name',
      {
        ...repository.snapshot,
        meta: { ...repository.snapshot.meta, 'A.json': repository.snapshot.meta['targets.json']! },
      },
    ],
  ] satisfies readonly (readonly [
    FindingName,
    RootSigned | TargetsSigned | typeof repository.snapshot,
  ])[]) {
    const findings = await lintSigned(signed)
    assert.deepEqual(
      [...new Set(findings.map((finding) => finding.name))].includes(name),
      true,
      `${name}: ${JSON.stringify(findings)}`,
    )
  }
  for (const signed of [root, targets, stable, repository.snapshot, repository.timestamp]) {
    assert.deepEqual(await lintSigned(signed), [])
  }
})
