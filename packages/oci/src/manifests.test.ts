import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { utf8Encode } from '@seaworthy/std/bytes'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { digestOf, isDigest, parseDigest, verifyBytes, verifyStream } from './digests.ts'
import { parseJson } from '@seaworthy/std/json'
import type { Descriptor, Manifest } from './manifests.ts'
import {
  emptyDescriptor,
  encodeManifest,
  formatPlatform,
  manifestArtifactType,
  manifestChildren,
  mediaTypes,
  namedContent,
  parseManifest,
  parsePlatformName,
} from './manifests.ts'
import {
  isRepositoryName,
  isTag,
  parseManifestReference,
  parseRegistryReference,
  referrersTag,
} from './names.ts'

const refused = (code: string) => (error: unknown) =>
  error instanceof Refusal && error.code === code

const text = fc.string({ maxLength: 12 })
const descriptor: fc.Arbitrary<Descriptor> = fc
  .record({
    size: fc.integer({ min: 0, max: 2 ** 40 }),
    content: fc.string(),
    annotations: fc.option(fc.dictionary(text, text, { maxKeys: 3 }), { nil: undefined }),
    artifactType: fc.option(fc.constant('application/x-a'), { nil: undefined }),
  })
  .map(({ size, content, annotations, artifactType }) => ({
    mediaType: 'application/octet-stream',
    digest: digestOf(utf8Encode(content.toWellFormed())),
    size,
    ...(annotations ? { annotations } : {}),
    ...(artifactType ? { artifactType } : {}),
  }))

const manifest: fc.Arbitrary<Manifest> = fc.oneof(
  fc.record({
    kind: fc.constant('manifest' as const),
    mediaType: fc.constant(mediaTypes.manifest),
    artifactType: fc.constant('application/x-test'),
    config: fc.constant(emptyDescriptor),
    layers: fc.array(descriptor, { maxLength: 4 }),
    subject: descriptor,
  }),
  fc.record({
    kind: fc.constant('index' as const),
    mediaType: fc.constant(mediaTypes.index),
    manifests: fc.array(descriptor, { maxLength: 4 }),
  }),
)

const good = encodeManifest({
  kind: 'manifest',
  mediaType: mediaTypes.manifest,
  artifactType: 'application/x-test',
  config: emptyDescriptor,
  layers: [{ mediaType: 'a/b', digest: digestOf(utf8Encode('x')), size: 1 }],
  annotations: { b: '2', a: '1' },
})

describe('manifests', () => {
  it('reads back what it builds, byte for byte the same again', () => {
    fc.assert(
      fc.property(manifest, (value) => {
        const { bytes, descriptor: made } = encodeManifest(value)
        const parsed = parseManifest(bytes, value.mediaType)
        assert.deepEqual(encodeManifest(parsed).bytes, bytes)
        assert.equal(made.digest, digestOf(bytes))
      }),
    )
  })

  it('sorts annotations and says what it is', () => {
    const parsed = parseManifest(good.bytes)
    assert.match(Buffer.from(good.bytes).toString(), /"annotations":\{"a":"1","b":"2"\}/)
    assert.equal(manifestArtifactType(parsed), 'application/x-test')
    assert.equal(manifestChildren(parsed).length, 2)
  })

  const json = (value: unknown) => utf8Encode(JSON.stringify(value))
  const base = JSON.parse(Buffer.from(good.bytes).toString()) as Record<string, unknown>
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] }
  const cases: [string, Uint8Array, string][] = [
    ['no JSON', utf8Encode('{'), 'manifest_not_json'],
    ['not UTF-8', Uint8Array.of(0xff), 'manifest_not_json'],
    ['a list', json([]), 'manifest_malformed'],
    ['duplicate members', utf8Encode('{"schemaVersion":2,"schemaVersion":2}'), 'manifest_not_json'],
    ['schema 1', json({ ...base, schemaVersion: 1 }), 'manifest_malformed'],
    ['too large', new Uint8Array(4 * 1024 * 1024 + 1), 'manifest_too_large'],
    ['another media type', json({ ...base, mediaType: 'text/plain' }), 'manifest_media_type'],
    ['manifest as index', json({ ...base, mediaType: mediaTypes.index }), 'manifest_malformed'],
    ['index with layers', json({ ...index, layers: [] }), 'manifest_malformed'],
    ['index with config', json({ ...index, config: {} }), 'manifest_malformed'],
    ['manifest with manifests', json({ ...base, manifests: [] }), 'manifest_malformed'],
    [
      'no artifact type beside an empty config',
      json({ ...base, artifactType: undefined }),
      'manifest_malformed',
    ],
    [
      'negative size',
      json({ ...base, config: { ...emptyDescriptor, size: -1 } }),
      'manifest_malformed',
    ],
    [
      'fraction',
      json({ ...base, config: { ...emptyDescriptor, size: 1.5 } }),
      'manifest_malformed',
    ],
    [
      'MD5',
      json({ ...base, config: { ...emptyDescriptor, digest: 'md5:00' } }),
      'manifest_malformed',
    ],
    [
      'upper case',
      json({ ...base, config: { ...emptyDescriptor, digest: `sha256:${'A'.repeat(64)}` } }),
      'manifest_malformed',
    ],
    [
      'embedded data that lies',
      json({ ...base, config: { ...emptyDescriptor, data: 'e30K' } }),
      'manifest_malformed',
    ],
    ['layers that are none', json({ ...base, layers: {} }), 'manifest_malformed'],
    ['annotation that is no text', json({ ...base, annotations: { a: 1 } }), 'manifest_malformed'],
    ['deep nesting', utf8Encode('['.repeat(1_000_000)), 'manifest_not_json'],
  ]
  for (const [name, bytes, code] of cases) {
    it(`T7 ${name}: ${code}`, () => assert.throws(() => parseManifest(bytes), refused(code)))
  }

  it('T7 what is wrong with a manifest is said by its right name', () => {
    const many = Array.from({ length: 5000 }, () => emptyDescriptor)
    for (const [bytes, why] of [
      [json({ ...base, config: { ...emptyDescriptor, size: 1.5 } }), /config\.size is not a whole/],
      [utf8Encode(`{"x":${'['.repeat(70)}`), /nested too deeply/],
      [utf8Encode('{"a":1,"a":2}'), /a member name occurs twice/],
      [json({ ...base, layers: many }), /layers has 5000 entries/],
    ] as const) {
      assert.throws(() => parseManifest(bytes), { message: why })
    }
  })

  it('T7 members of others are passed over, whatever they hold; null is nothing; annotations have any length', () => {
    const foreign =
      '"x":[1.5,-1e400,123456789012345678901234567890,{"urls":null}],"y":{"size":"no"}'
    const insert = (text: string) =>
      text.replace(/\{"(?=schemaVersion|mediaType)/g, `{${foreign},"`)
    const text = insert(Buffer.from(good.bytes).toString())
    assert.deepEqual(parseManifest(utf8Encode(text)), parseManifest(good.bytes))
    const nulls = { urls: null, data: null, platform: null, annotations: null, artifactType: null }
    const layer = { mediaType: 'a/b', digest: digestOf(utf8Encode('x')), size: 1, ...nulls }
    const withNulls = parseManifest(
      json({ ...base, layers: [layer], manifests: null, subject: null, mediaType: null }),
      mediaTypes.manifest,
    )
    assert.deepEqual(withNulls, parseManifest(good.bytes))
    const bare = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: null, layers: null }
    const empty = parseManifest(json({ ...bare, config: null, annotations: { a: null, b: 'c' } }))
    assert.ok(empty.kind === 'index')
    assert.deepEqual(empty.manifests, [])
    assert.deepEqual({ ...empty.annotations }, { b: 'c' })
    const long = { a: 'x'.repeat(1_000_000) }
    assert.deepEqual({ ...parseManifest(json({ ...base, annotations: long })).annotations }, long)
  })

  it('layers that may live elsewhere are named, and need not be stored; without an address they do', () => {
    const layerOf = (urls?: string[]) => ({
      mediaType: 'a/b',
      digest: emptyDescriptor.digest,
      size: 2,
      urls,
    })
    const layers = [layerOf(), layerOf([]), layerOf(['https://elsewhere.example/'])]
    const config = { ...emptyDescriptor, urls: ['https://elsewhere.example/'] }
    const parsed = parseManifest(json({ ...base, config, layers }))
    assert.equal(namedContent(parsed).length, 4)
    assert.equal(manifestChildren(parsed).length, 3)
  })

  it('refuses a media type other than the one announced', () => {
    assert.throws(() => parseManifest(good.bytes, mediaTypes.index), refused('manifest_media_type'))
  })

  it('answers garbage with codes alone', () => {
    const damaged = fc
      .array(fc.tuple(fc.nat(good.bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const copy = Uint8Array.from(good.bytes)
        for (const [at, value] of changes) copy[at] = value
        return copy
      })
    const values = fc.jsonValue({ maxDepth: 4 }).map(json)
    const shaped = fc
      .record(
        {
          schemaVersion: fc.constant(2),
          mediaType: fc.constantFrom(...Object.values(mediaTypes)),
          config: fc.oneof(fc.constant(emptyDescriptor), fc.jsonValue()),
          layers: fc.oneof(fc.array(fc.jsonValue()), fc.jsonValue()),
          manifests: fc.array(fc.jsonValue()),
          subject: fc.jsonValue(),
          annotations: fc.jsonValue(),
        },
        { requiredKeys: ['schemaVersion', 'mediaType'] },
      )
      .map(json)
    const anything = fc.oneof(fc.uint8Array({ maxLength: 300 }), damaged, values, shaped)
    fc.assert(
      fc.property(anything, (bytes) => {
        try {
          parseManifest(bytes)
        } catch (error) {
          assert.ok(error instanceof Refusal, String(error))
        }
      }),
      { numRuns: 5000 },
    )
  })
})

describe('json', () => {
  it('reads what JSON.parse reads, as far as numbers are exact integers', () => {
    const value = fc.jsonValue().filter((v) => !/[0-9](\.|e)[0-9+-]/i.test(JSON.stringify(v)))
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 2), (v, indent) => {
        const written = JSON.stringify(v, undefined, indent)
        if (written.isWellFormed() && !/"__proto__"/.test(written)) {
          let parsed: unknown
          try {
            parsed = parseJson(utf8Encode(written))
          } catch (error) {
            // Lone surrogates are written as escapes, and integers may be too large.
            assert.ok(error instanceof SyntaxError)
            return
          }
          assert.equal(JSON.stringify(parsed), JSON.stringify(JSON.parse(written)))
        }
      }),
    )
  })
  it('never accepts what JSON.parse refuses', () => {
    const noise = fc.string({
      unit: fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        '"',
        ',',
        ':',
        '1',
        '0',
        '-',
        '\\',
        'a',
        ' ',
        'true',
        'null',
        '\n',
      ),
      maxLength: 12,
    })
    fc.assert(
      fc.property(noise, (written) => {
        try {
          parseJson(utf8Encode(written))
        } catch (error) {
          assert.ok(error instanceof SyntaxError)
          return
        }
        JSON.parse(written)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('names and digests', () => {
  it('knows names, tags and references', () => {
    for (const name of ['a', 'a/b', 'a-b/c_d/e__f/g.h', 'a--b', '0'])
      assert.ok(isRepositoryName(name), name)
    const bad = [
      '',
      '/',
      'a/',
      '/a',
      'A',
      'a//b',
      '..',
      'a/../b',
      'a_',
      '-a',
      'a___b',
      'a..b',
      'a\n',
    ]
    for (const name of [...bad, 'a'.repeat(256)]) assert.ok(!isRepositoryName(name), name)
    for (const tag of ['a', '_a', 'V1.0-x', 'a'.repeat(128)]) assert.ok(isTag(tag), tag)
    for (const tag of ['', '.a', '-a', 'a/b', 'a b', 'a\n', 'a'.repeat(129)])
      assert.ok(!isTag(tag), tag)
    const digest = digestOf(utf8Encode('x'))
    assert.deepEqual(parseManifestReference(digest), { kind: 'digest', digest })
    assert.deepEqual(parseManifestReference('v1'), { kind: 'tag', tag: 'v1' })
    assert.equal(parseManifestReference('sha256:x'), undefined)
    assert.ok(isTag(referrersTag(digest)))
    assert.ok(isTag(referrersTag(digestOf(utf8Encode('x'), 'sha512'))))
    assert.deepEqual(parseRegistryReference(`host:5000/a/b:v1@${digest}`), {
      host: 'host:5000',
      repository: 'a/b',
      reference: digest,
    })
    assert.equal(parseRegistryReference('host/a').reference, 'latest')
    for (const reference of ['a', 'host/A', 'host/a:', 'host/a@x', '', 'host/a:b:c']) {
      assert.throws(() => parseRegistryReference(reference), SyntaxError)
    }
  })

  it('names cannot leave a folder', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), (name) => {
        if (!isRepositoryName(name)) return
        assert.ok(
          !name
            .split('/')
            .some((part) => part === '' || part.startsWith('.') || part.startsWith('_')),
        )
      }),
    )
  })

  it('parses platforms', () => {
    for (const name of ['linux/amd64', 'linux/arm/v7']) {
      assert.equal(formatPlatform(parsePlatformName(name)), name)
    }
    for (const name of ['linux', 'linux/', '/amd64', 'linux/a/b/c', 'Linux/amd64']) {
      assert.throws(() => parsePlatformName(name), SyntaxError)
    }
  })

  it('T7 content of another length or digest is refused, endless data early', async () => {
    const bytes = utf8Encode('content')
    const digest = parseDigest(digestOf(bytes))
    assert.ok(isDigest(digest) && !isDigest(digest.toUpperCase()) && !isDigest(`${digest}0`))
    const hasCode = (code: string) => (error: unknown) =>
      error instanceof TrustError && error.code === code
    assert.throws(() => verifyBytes(bytes, { digest, size: 8 }), hasCode('wrong_length'))
    const other = digestOf(utf8Encode('konzept'))
    assert.throws(() => verifyBytes(bytes, { digest: other, size: 7 }), hasCode('wrong_hash'))
    let pulled = 0
    const endless = async function* () {
      for (;;) {
        pulled++
        yield bytes
      }
    }
    const read = async (size: number) => {
      for await (const _ of verifyStream(endless(), { digest, size })) continue
    }
    await assert.rejects(read(20), hasCode('endless_data'))
    assert.equal(pulled, 3)
  })
})

it('T9 attack: a manifest of more values than anybody writes is refused, and one of thousands of layers is not', () => {
  const base = JSON.parse(new TextDecoder().decode(good.bytes)) as object
  const withMember = (x: unknown) => utf8Encode(JSON.stringify({ ...base, x }))
  assert.throws(
    () => parseManifest(withMember(Array.from({ length: 2_000_000 }, () => 1))),
    refused('manifest_too_large'),
  )
  const members = Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [i, 0]))
  assert.throws(() => parseManifest(withMember(members)), refused('manifest_too_large'))
  const layer = {
    mediaType: mediaTypes.layerTarZstd,
    digest: digestOf(utf8Encode('x')),
    size: 1,
    annotations: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`org.example.${i}`, ''])),
  }
  const layers = Array.from({ length: 4096 }, () => layer)
  const large = utf8Encode(JSON.stringify({ ...base, layers }))
  assert.ok(large.length < 4 * 1024 * 1024)
  assert.equal(parseManifest(large).kind, 'manifest')
})
