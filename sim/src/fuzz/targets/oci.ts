/**
 * Parsers of `oci`: names, digests, strict JSON, manifests, releases, file lists, tar, whole
 * bundles.
 */
import { zstdCompressSync } from 'node:zlib'
import { encodeFileList, parseFileList } from '@seaworthy/oci/bundle/file-list'
import type { FileEntry } from '@seaworthy/oci/bundle/file-list'
import { unpackBundle } from '@seaworthy/oci/bundle/unpack'
import { digestOf, isDigest, parseDigest } from '@seaworthy/oci/digests'
import { parseJson } from '@seaworthy/std/json'
import type { Descriptor } from '@seaworthy/oci/manifests'
import {
  emptyDescriptor,
  encodeManifest,
  mediaTypes,
  parseManifest,
} from '@seaworthy/oci/manifests'
import {
  isRepositoryName,
  isTag,
  parseManifestReference,
  parseRegistryReference,
} from '@seaworthy/oci/names'
import {
  bundleArtifactType,
  parseBundleManifest,
  parseRelease,
  releaseAnnotations,
  releaseArtifactType,
} from '@seaworthy/oci/release-index'
import type { TarSink } from '@seaworthy/oci/tar'
import { createTarReader } from '@seaworthy/oci/tar'
import { encodeEntry, endBytes, paddingAfter } from '@seaworthy/oci/tar-format'
import type { TarEntry } from '@seaworthy/oci/tar-format'
import { equalBytes, joinBytes, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { FuzzTarget } from '../target.ts'
import { holds } from '../target.ts'

const limits = {
  entriesMax: 64,
  fileBytesMax: 65_536,
  totalBytesMax: 131_072,
  namesBytesMax: 65_536,
}

export function createOciTargets(): FuzzTarget[] {
  return [...jsonTargets(), ...nameTargets(), ...tarTargets()]
}

function jsonTargets(): FuzzTarget[] {
  const layer: Descriptor = {
    mediaType: mediaTypes.layerTarZstd,
    digest: digestOf(utf8Encode('layer')),
    size: 5,
  }
  const image = encodeManifest({
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    artifactType: bundleArtifactType,
    config: { ...emptyDescriptor, data: 'e30=' },
    layers: [layer],
    subject: {
      mediaType: mediaTypes.manifest,
      digest: digestOf(utf8Encode('s'), 'sha512'),
      size: 1,
    },
    annotations: { [releaseAnnotations.platform]: 'linux/amd64' },
  })
  const index = encodeManifest({
    kind: 'index',
    mediaType: mediaTypes.index,
    artifactType: releaseArtifactType,
    manifests: [
      { ...image.descriptor, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } },
    ],
    annotations: {
      [releaseAnnotations.product]: 'acme',
      [releaseAnnotations.version]: '1.0.0',
    },
  })
  const entries: FileEntry[] = [
    { type: 'directory', path: 'bin', mode: '0755' },
    { type: 'file', path: 'bin/app', size: 12, mode: '0755', sha256: 'a'.repeat(64) },
    { type: 'symlink', path: 'bin/link', target: 'app' },
  ]
  return [
    {
      name: 'oci/json',
      form: 'json',
      seeds: [utf8Encode('{"a":[1,-2,{"b":"\\u00e9\\n"}],"c":null,"d":true,"e":1.0}')],
      weight: 5,
      refusals: [SyntaxError],
      run: (bytes) => {
        const value = parseJson(bytes)
        const known = JSON.parse(utf8Decode(bytes)) as unknown
        holds(JSON.stringify(known) === JSON.stringify(value), 'reads as JSON.parse does')
      },
    },
    {
      name: 'oci/manifest',
      form: 'json',
      seeds: [image.bytes, index.bytes],
      weight: 6,
      run: (bytes) => {
        const manifest = parseManifest(bytes)
        const again = encodeManifest(manifest)
        const twice = encodeManifest(parseManifest(again.bytes))
        holds(equalBytes(again.bytes, twice.bytes), 'what is written reads back')
      },
    },
    {
      name: 'oci/release',
      form: 'json',
      seeds: [index.bytes],
      weight: 3,
      run: (bytes) => parseRelease(bytes),
    },
    {
      name: 'oci/bundle-manifest',
      form: 'json',
      seeds: [image.bytes],
      weight: 3,
      run: (bytes) => parseBundleManifest(bytes),
    },
    {
      name: 'oci/file-list',
      form: 'json',
      seeds: [encodeFileList({ entries })],
      weight: 3,
      run: (bytes) => {
        const list = parseFileList(bytes)
        for (const { path } of list.entries) holds(isInside(path), 'no path leads out')
        holds(
          parseFileList(encodeFileList(list)).entries.length === list.entries.length,
          'reads back',
        )
      },
    },
  ]
}

const isInside = (path: string) =>
  !path.startsWith('/') && !path.split('/').some((name) => name === '..' || name === '')

function nameTargets(): FuzzTarget[] {
  const sha256 = digestOf(utf8Encode('a'))
  return [
    {
      name: 'oci/names',
      form: 'bytes',
      seeds: ['acme/app-1_2.3/x', 'v1.0.0', sha256, digestOf(utf8Encode('a'), 'sha512')].map(
        utf8Encode,
      ),
      weight: 4,
      refusals: [SyntaxError],
      run: (bytes) => {
        const text = Buffer.from(bytes).toString('latin1')
        if (isRepositoryName(text)) holds(isInside(text), 'a name is a path inside')
        if (isTag(text)) holds(!text.includes('/') && text !== '..', 'a tag is one name')
        parseManifestReference(text)
        holds(isDigest(parseDigest(text)), 'parsed and checked are the same')
      },
    },
    {
      name: 'oci/registry-reference',
      form: 'bytes',
      seeds: [`ship.example:8443/acme:1.0.0@${sha256}`, '[::1]:5000/a/b'].map(utf8Encode),
      weight: 3,
      refusals: [SyntaxError],
      run: (bytes) => {
        const { repository } = parseRegistryReference(Buffer.from(bytes).toString('latin1'))
        holds(isRepositoryName(repository), 'only names come out')
      },
    },
  ]
}

const tree: (TarEntry & { content?: string })[] = [
  { kind: 'directory', path: 'bin' },
  { kind: 'file', path: 'bin/app', size: 700, isExecutable: true, content: 'x'.repeat(700) },
  { kind: 'symlink', path: 'bin/link', target: 'app' },
  { kind: 'directory', path: 'd\u00e9p' },
  {
    kind: 'file',
    path: `d\u00e9p/${'n'.repeat(120)}`,
    size: 3,
    isExecutable: false,
    content: 'abc',
  },
  { kind: 'file', path: 'seaworthy.json', size: 2, isExecutable: false, content: '{}' },
]

function tarOf(entries: typeof tree): Uint8Array<ArrayBuffer> {
  const parts = entries.flatMap((entry) => [
    encodeEntry(entry),
    utf8Encode(entry.content ?? ''),
    new Uint8Array(entry.kind === 'file' ? paddingAfter(entry.size) : 0),
  ])
  return joinBytes([...parts, new Uint8Array(endBytes)])
}

/** Refuses, as a fault, whatever a hostile archive must never bring about. */
function strictSink(): TarSink {
  const seen = new Set<string>()
  let open: { left: number } | undefined
  const take = (path: string) => {
    holds(isInside(path) && !seen.has(path), 'each path once, and inside')
    seen.add(path)
  }
  return {
    makeDirectory: take,
    makeSymlink: take,
    beginFile(path, size) {
      take(path)
      open = { left: size }
    },
    writeFile(piece) {
      holds(open !== undefined, 'content belongs to a file')
      open.left -= piece.length
      holds(open.left >= 0, 'no more than announced')
    },
    endFile() {
      holds(open?.left === 0, 'all that was announced')
      open = undefined
    },
  }
}

function tarTargets(): FuzzTarget[] {
  const tar = tarOf(tree)
  const small = tarOf(tree.slice(0, 3))
  const readTar = async (bytes: Uint8Array, pieceBytes: number) => {
    const reader = createTarReader(strictSink(), limits)
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      await reader.push(bytes.subarray(at, at + pieceBytes))
    }
    reader.finish()
  }
  const unpack = (bytes: Uint8Array, expected: Uint8Array) =>
    unpackBundle({
      source: (async function* () {
        for (let at = 0; at < bytes.length; at += 200) yield bytes.subarray(at, at + 200)
      })(),
      expected: { digest: digestOf(expected), size: expected.length },
      sink: strictSink(),
      limits,
    })
  const bundle = zstdCompressSync(tar)
  return [
    {
      name: 'oci/tar',
      form: 'bytes',
      seeds: [tar, small],
      weight: 6,
      run: (bytes) => readTar(bytes, 1 + (bytes.length % 700)),
    },
    {
      name: 'oci/tar-headers',
      form: 'bytes',
      // Checksums put right, so that a faulty header is read to its end.
      seeds: [tar, small],
      weight: 4,
      wrap: async (bytes) => {
        const fixed = new Uint8Array(bytes)
        for (let at = 0; at + 512 <= fixed.length; at += 512)
          fixChecksum(fixed.subarray(at, at + 512))
        return fixed
      },
      run: (bytes) => readTar(bytes, 512),
    },
    {
      name: 'oci/bundle',
      form: 'bytes',
      seeds: [bundle],
      weight: 1,
      // The digest is that of the faulty bytes: whoever signed them can hand anything to the
      // decoder.
      run: (bytes) => unpack(bytes, bytes),
    },
    {
      name: 'oci/bundle-compressed',
      form: 'bytes',
      seeds: [tar, small],
      weight: 0.5,
      wrap: async (bytes) => new Uint8Array(zstdCompressSync(bytes)),
      run: (bytes) => unpack(bytes, bytes),
    },
    {
      name: 'oci/bundle-swapped',
      form: 'bytes',
      seeds: [bundle],
      weight: 0.5,
      isAlwaysRefused: true,
      run: async (bytes) => {
        if (equalBytes(bytes, bundle)) throw new SyntaxError('no fault was put in')
        await unpack(bytes, bundle)
      },
      refusals: [SyntaxError],
    },
  ]
}

function fixChecksum(block: Uint8Array): void {
  const isHeader = Buffer.from(block.subarray(257, 262)).toString('latin1') === 'ustar'
  if (!isHeader) return
  block.fill(0x20, 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.set(utf8Encode(`${sum.toString(8).padStart(6, '0')}\0 `), 148)
}
