/**
 * Releases of one bundle that a device refuses for good, each with its one fault. Used in tests:
 * programs that admit, sign or check a release refuse each of them by the code that the device
 * would give.
 */
import { zstdCompressSync } from 'node:zlib'
import type { ContentTarget } from './content.ts'
import type { CraftedBundle, CraftedFile } from './crafted-release.ts'
import { craftLayer, craftRelease } from './crafted-release.ts'
import type { EncodedManifest, ImageIndex } from './manifests.ts'
import { mediaTypes } from './manifests.ts'
import { bundleArtifactType, releaseAnnotations } from './release-index.ts'
import { blockBytes, encodeEntry, endBytes, paddingAfter } from './tar/format.ts'
import type { TarEntry } from './tar/format.ts'

export interface UnusableRelease {
  name: string
  code: string
  put: (target: ContentTarget) => Promise<EncodedManifest>
}

export const unusablePlatform = 'linux/amd64'
const product = 'web'
const version = '1.0'

const program: CraftedFile = { path: 'bin/app', content: '#!/bin/sh\n', isExecutable: true }
const started: CraftedFile = { path: 'seaworthy.json', content: '{"start":["./bin/app"]}' }

interface Fault {
  files?: readonly CraftedFile[]
  /** Entries without content, in place of files. */
  entries?: readonly TarEntry[]
  /** Headers as a hostile packer writes them, in place of files. */
  headers?: readonly Uint8Array[]
  /** Bytes behind the entries. */
  tail?: Uint8Array
  bundle?: Partial<CraftedBundle>
  index?: (index: ImageIndex) => ImageIndex
}

function craft(target: ContentTarget, { files, entries, headers, tail, bundle, index }: Fault) {
  const honest = craftLayer(files ?? [program, started])
  const written = headers ?? entries?.map(encodeEntry)
  const layer =
    written === undefined && tail === undefined
      ? honest.layer
      : zstdCompressSync(Buffer.concat([...(written ?? []), tail ?? Buffer.alloc(endBytes)]))
  const one = { platform: unusablePlatform, layer, listed: honest.files, ...bundle }
  return craftRelease(target, {
    product,
    version,
    bundles: [one],
    ...(index === undefined ? {} : { alter: index }),
  })
}

/** An entry whose header says something else at an offset, under a checksum that is right. */
function alter(entry: TarEntry, ...changes: readonly [offset: number, text: string][]): Buffer {
  const header = encodeEntry(entry)
  for (const [offset, text] of changes) header.write(text, offset, 'latin1')
  header.write('        ', 148, 'latin1')
  let sum = 0
  for (const byte of header.subarray(0, blockBytes)) sum += byte
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

/** The records of a pax header, which are said of the entry behind it. */
function describe(records: string, type: 'x' | 'g' = 'x'): Buffer {
  const size = Buffer.byteLength(records)
  const head = alter({ ...empty, path: '@pax', size }, [156, type])
  return Buffer.concat([head, Buffer.from(records), Buffer.alloc(paddingAfter(size))])
}

const empty = { kind: 'file', size: 0, isExecutable: false } as const
const plain: TarEntry = { ...empty, path: 'a-file' }
const long: TarEntry = { ...empty, path: 'n'.repeat(256) }
const namesOf = (...paths: string[]) => paths.map((path) => encodeEntry({ ...empty, path }))
const link = (path: string, target: string): TarEntry => ({ kind: 'symlink', path, target })
const listedLink = (target: string) => ({
  entries: [{ type: 'symlink' as const, path: 'seaworthy.json', target }],
})

const faults: readonly [name: string, code: string, fault: Fault][] = [
  ['its layer is named by a SHA-512 digest', 'release_malformed', { bundle: { sha512: 'layer' } }],
  [
    'its manifest is named by a SHA-512 digest',
    'release_malformed',
    { bundle: { sha512: 'manifest' } },
  ],
  [
    'its file list is named by a SHA-512 digest',
    'release_malformed',
    { bundle: { sha512: 'list' } },
  ],
  [
    'it has two layers',
    'release_malformed',
    { bundle: { alter: (m) => ({ ...m, layers: [...m.layers, ...m.layers] }) } },
  ],
  ['it has no layer', 'release_malformed', { bundle: { alter: (m) => ({ ...m, layers: [] }) } }],
  [
    'its layer is of another kind',
    'release_malformed',
    {
      bundle: {
        alter: (m) => ({
          ...m,
          layers: m.layers.map((layer) => ({ ...layer, mediaType: 'application/gzip' })),
        }),
      },
    },
  ],
  [
    'its layer lies elsewhere',
    'release_malformed',
    {
      bundle: {
        alter: (m) => ({
          ...m,
          layers: m.layers.map((layer) => ({ ...layer, urls: ['https://example.org/'] })),
        }),
      },
    },
  ],
  [
    'its index is none of a release',
    'release_malformed',
    { index: (index) => ({ ...index, artifactType: 'application/x' }) },
  ],
  [
    'its index names another product',
    'release_mismatch',
    {
      index: (index) => ({
        ...index,
        annotations: { ...index.annotations, [releaseAnnotations.product]: 'kiosk' },
      }),
    },
  ],
  [
    'its index names another version',
    'release_mismatch',
    {
      index: (index) => ({
        ...index,
        annotations: { ...index.annotations, [releaseAnnotations.version]: '1.1' },
      }),
    },
  ],
  [
    'its index has two manifests for the platform',
    'release_malformed',
    { index: (index) => ({ ...index, manifests: [...index.manifests, index.manifests[0]!] }) },
  ],
  [
    'its index names a platform that is none',
    'release_malformed',
    {
      index: (index) => ({
        ...index,
        manifests: [
          ...index.manifests,
          { ...index.manifests[0]!, platform: { os: '..', architecture: 'x' } },
        ],
      }),
    },
  ],
  [
    'its index does not say that it is a bundle',
    'release_mismatch',
    {
      index: (index) => ({
        ...index,
        manifests: index.manifests.map(({ artifactType, ...rest }) =>
          rest.platform === undefined ? { ...rest, artifactType: artifactType! } : rest,
        ),
      }),
    },
  ],
  [
    'its index calls a bundle what is none',
    'release_mismatch',
    {
      bundle: { alter: (m) => ({ ...m, artifactType: 'application/x' }) },
      index: (index) => ({
        ...index,
        manifests: index.manifests.map((one) =>
          one.platform === undefined ? one : { ...one, artifactType: bundleArtifactType },
        ),
      }),
    },
  ],
  [
    'its index calls the media type of a manifest another',
    'manifest_media_type',
    {
      index: (index) => ({
        ...index,
        manifests: index.manifests.map((one) =>
          one.platform === undefined ? one : { ...one, mediaType: mediaTypes.dockerManifest },
        ),
      }),
    },
  ],
  ['it has no file list', 'file_list_mismatch', { bundle: { listed: undefined } }],
  ['its file list is filed elsewhere', 'file_list_mismatch', { bundle: { filedUnder: '..' } }],
  ['its file list is none', 'file_list_mismatch', { bundle: { listed: Buffer.from('none') } }],
  ['its file list is another', 'file_list_mismatch', { bundle: { listed: { entries: [] } } }],
  ['its layer is not compressed', 'zstd_damaged', { bundle: { layer: Buffer.from('no bundle') } }],
  ['its archive is cut off', 'tar_truncated', { entries: [link('a', 'b')], tail: Buffer.alloc(0) }],
  [
    'its archive goes on behind the end',
    'tar_trailing_bytes',
    { tail: Buffer.alloc(endBytes + 512) },
  ],
  ['its archive is none', 'tar_header', { tail: Buffer.alloc(512, 'x') }],
  [
    'its archive has an entry twice',
    'entry_duplicate',
    { entries: [link('a', 'b'), link('a', 'b')] },
  ],
  ['its archive is out of order', 'entry_order', { entries: [link('b', 'a'), link('a', 'b')] }],
  [
    'its archive has an entry without a folder',
    'entry_parent',
    { entries: [{ ...empty, path: 'x/y' }] },
  ],
  ['its archive has a link that leads out', 'symlink_escapes', { entries: [link('a', '../../x')] }],
  [
    'its archive has links that lead through too many folders',
    'links_too_long',
    { entries: Array.from({ length: 99 }, (_, i) => link(`a${100 + i}`, 'x/../'.repeat(400))) },
  ],
  ...(
    [
      [
        'a hard link out of the tree',
        'entry_kind',
        [alter(plain, [156, '1'], [157, '/etc/shadow'])],
      ],
      [
        'a hard link to a file of its own',
        'entry_kind',
        [alter(plain, [156, '1'], [157, 'bin/app'])],
      ],
      ['a character device', 'entry_kind', [alter(plain, [156, '3'])]],
      ['a block device', 'entry_kind', [alter(plain, [156, '4'])]],
      ['a named pipe', 'entry_kind', [alter(plain, [156, '6'])]],
      ['a set-uid program', 'tar_not_canonical', [alter(plain, [100, '0004755'])]],
      ['a set-gid program', 'tar_not_canonical', [alter(plain, [100, '0002755'])]],
      ['a file of another owner', 'tar_not_canonical', [alter(plain, [108, '0001750'])]],
      ['a path that leads out', 'path_unsafe', [alter(plain, [0, '../app'])]],
      ['an absolute path', 'path_unsafe', [alter(plain, [0, '/etc/app'])]],
      ['a name longer than a file system takes', 'path_too_long', [encodeEntry(long)]],
      [
        'a file that a pax header renames',
        'tar_not_canonical',
        [describe('14 path=other\n'), encodeEntry(plain)],
      ],
      [
        'a file that a pax header moves out of the tree',
        'path_unsafe',
        [describe('18 path=../../app\n'), encodeEntry(plain)],
      ],
      [
        'files that a global pax header renames',
        'entry_kind',
        [describe('14 path=other\n', 'g'), encodeEntry(plain)],
      ],
      ['a file twice', 'entry_duplicate', [encodeEntry(plain), encodeEntry(plain)]],
      [
        'a file in the place of a link',
        'entry_duplicate',
        [encodeEntry(link('a-file', 'b')), encodeEntry(plain)],
      ],
      ['two files that differ by case alone', 'entry_twin', namesOf('App.js', 'app.js')],
      ['a name composed and decomposed', 'entry_twin', namesOf('caf\u0065\u0301', 'caf\u00e9')],
      ['a name twice, once with what nobody sees', 'entry_twin', namesOf('app', 'app\u200b')],
      [
        'a link that leads out where case does not count',
        'symlink_escapes',
        [
          encodeEntry({ kind: 'directory', path: 'b' }),
          encodeEntry(link('b/c', '..')),
          encodeEntry(link('out', 'B/C/../x')),
        ],
      ],
    ] as const
  ).map(([what, code, headers]): (typeof faults)[number] => [
    `its archive has ${what}`,
    code,
    { headers },
  ]),
  [
    'its seaworthy.json is a link',
    'bundle_manifest_malformed',
    {
      entries: [link('seaworthy.json', 'x')],
      bundle: { listed: listedLink('x') },
    },
  ],
  [
    'its seaworthy.json is a folder',
    'bundle_manifest_malformed',
    { files: [program, { path: 'seaworthy.json/x', content: '' }] },
  ],
  [
    'its seaworthy.json is too long',
    'bundle_manifest_malformed',
    { files: [program, { ...started, content: `${started.content}${' '.repeat(70_000)}` }] },
  ],
  [
    'its seaworthy.json is not JSON',
    'bundle_manifest_malformed',
    { files: [program, { ...started, content: 'start' }] },
  ],
  [
    'its seaworthy.json has a member that nobody knows',
    'bundle_manifest_malformed',
    { files: [program, { ...started, content: '{"start":["./bin/app"],"root":true}' }] },
  ],
  [
    'its seaworthy.json starts nothing',
    'bundle_manifest_malformed',
    { files: [program, { ...started, content: '{}' }] },
  ],
]

export const unusableReleases: readonly UnusableRelease[] = faults.map(([name, code, fault]) => ({
  name,
  code,
  put: (target) => craft(target, fault),
}))
