/**
 * A release as a folder that anybody can check with common tools, and serve to any TUF client or
 * registry client:
 *
 * - `oci/`: OCI image layout with the release under its version
 * - `tuf/`: the signed metadata and the target, laid out as a TUF repository serves them
 * - `signatures/`: per role, the bytes that are signed, and per signature, the raw signature and
 *   the PEM public key
 * - `files/`: per bundle the list of its files, as JSON and for `sha256sum -c`
 * - `SHA256SUMS`, `VERIFY.md`, `release.json`
 *
 * Nothing in it needs trust: it is as good as the root digest that whoever checks it got elsewhere.
 */
import { hash } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { base64Encode, concatBytes, hexDecode } from '@seaworthy/std/bytes'
import { requireSameFiles } from '@seaworthy/oci/bundle/contents'
import { encodeFileList, formatSha256Sums } from '@seaworthy/oci/bundle/file-list'
import type { ContentSource } from '@seaworthy/oci/content'
import { copyContent } from '@seaworthy/oci/content'
import { createDigester, digestHex } from '@seaworthy/oci/digests'
import { createLayout } from '@seaworthy/oci/layout'
import {
  computeBundleFiles,
  readReleaseOutline,
  requireFileLists,
} from '@seaworthy/oci/release-content'
import { parseAnyJsonText } from '@seaworthy/std/json'
import type { Random } from '@seaworthy/std/random'
import type { PublicKey } from '@seaworthy/trust/keys'
import type { AnySigned, Metadata, Release, RoleKeys, RootSigned } from '@seaworthy/trust/tuf'
import { canonicalJson, channelRole, roleFileName } from '@seaworthy/trust/tuf'
import { createReadStream } from 'node:fs'
import { makeFolders } from '@seaworthy/oci/folders'
import { fileBelow } from './state/file-below.ts'
import type { RepositoryView } from './trust/repository-view.ts'

export interface ExportInput {
  folder: string
  release: Release
  view: RepositoryView & { anchor: { digest: string; bytes: Uint8Array } }
  /** Every root from the first. */
  roots: readonly Metadata<RootSigned>[]
  source: ContentSource
  random: Random
  onProgress: (bytes: number) => void
}

/** What `release.json` of an exported release says it is. */
export const exportFormat = 'seaworthy-export-v1'

/** Writes the folder, which must be empty or new. */
export async function writeExport(input: ExportInput): Promise<void> {
  const { folder, release } = input
  makeFolders(folder)
  await writeLayout(input)
  await writeRepository(input)
  const roles = listRoles(input)
  for (const role of roles) await writeSignatures(join(folder, 'signatures'), role)
  const bundles = await writeFileLists(input)
  const { product, channel, version } = release
  await writeFile(
    join(folder, 'release.json'),
    `${JSON.stringify({ format: exportFormat, product, channel, version }, undefined, 2)}\n`,
  )
  await writeFile(join(folder, 'VERIFY.md'), formatInstructions(input, roles, bundles))
  await writeFile(join(folder, 'SHA256SUMS'), await sumFiles(folder))
}

async function writeLayout({ folder, release, source, random, onProgress }: ExportInput) {
  const layout = await createLayout(join(folder, 'oci'), random)
  await copyContent({
    source,
    target: layout,
    digest: `sha256:${release.sha256}`,
    tag: release.version,
    onProgress,
  })
}

/** `tuf/` and `tuf/targets/` as a repository with consistent snapshots serves them. */
async function writeRepository({ folder, release, view, roots, source }: ExportInput) {
  const tuf = join(folder, 'tuf')
  makeFolders(tuf)
  for (const root of roots) {
    await writeFile(fileBelow(tuf, `${root.signed.version}.root.json`), root.bytes)
  }
  const wanted = new Set([
    'targets',
    release.product,
    channelRole(release.product, release.channel),
  ])
  for (const { name, bytes } of view.files) {
    const role = /^(?:\d+\.)?(.+)\.json$/.exec(name)?.[1] ?? ''
    if (wanted.has(role) || role === 'timestamp' || role === 'snapshot') {
      await writeFile(fileBelow(tuf, name), bytes)
    }
  }
  const { bytes } = await source.readManifest(`sha256:${release.sha256}`)
  for (const digest of [release.sha256, release.sha512]) {
    const path = fileBelow(
      tuf,
      'targets',
      release.product,
      release.channel,
      `${digest}.${release.version}`,
    )
    makeFolders(dirname(path))
    await writeFile(path, bytes)
  }
}

interface SignedRole {
  name: string
  metadata: Metadata<AnySigned>
  /** The keys that the role above names. */
  keys: Readonly<Record<string, PublicKey>>
  role: RoleKeys
  /** The documents whose signed bytes name these keys, as text for people. */
  namedBy: string
  /** The document of these in which the commands look up a key. */
  namedIn: (keyid: string) => string
  /** The name of the file in `tuf/`. */
  file: string
}

/**
 * The chain from the first root to the channel. A later root needs the keys of the root before it
 * and its own.
 */
function listRoles({ release, view, roots }: ExportInput): SignedRole[] {
  const chain: SignedRole[] = roots.map((root, i) => {
    const before = roots[i - 1]
    return {
      name: `${root.signed.version}.root`,
      metadata: root,
      keys: { ...before?.signed.keys, ...root.signed.keys },
      role: root.signed.roles.root,
      namedIn: (keyid) =>
        `${before !== undefined && !Object.hasOwn(root.signed.keys, keyid) ? before.signed.version : root.signed.version}.root`,
      file: `${root.signed.version}.root.json`,
      namedBy:
        before === undefined
          ? 'itself'
          : `itself, and as many as ${before.signed.version}.root asks for of the keys it names`,
    }
  })
  const { root, roles } = view.current
  const rootSigned = root!.signed
  chain.push({
    name: 'targets',
    metadata: roles.get('targets')!,
    keys: rootSigned.keys,
    role: rootSigned.roles.targets,
    namedBy: `${rootSigned.version}.root`,
    namedIn: () => `${rootSigned.version}.root`,
    file: `${roles.get('targets')!.signed.version}.targets.json`,
  })
  const { product, channel } = release
  for (const [namedBy, name] of [
    ['targets', product],
    [product, channelRole(product, channel)],
  ] as const) {
    const delegations = roles.get(namedBy)!.signed.delegations!
    const role = delegations.roles!.find((delegated) => delegated.name === name)!
    const metadata = roles.get(name)!
    const file = `${metadata.signed.version}.${roleFileName(name)}`
    chain.push({
      name,
      metadata,
      keys: delegations.keys,
      role,
      namedBy,
      namedIn: () => namedBy,
      file,
    })
  }
  return chain
}

async function writeSignatures(folder: string, { name, metadata, keys }: SignedRole) {
  makeFolders(folder)
  await writeFile(fileBelow(folder, `${name}.signed.json`), canonicalJson(metadata.signed))
  for (const { keyid, sig } of metadata.signatures) {
    const key = Object.hasOwn(keys, keyid) ? keys[keyid] : undefined
    if (key === undefined) continue
    await writeFile(fileBelow(folder, `${name}.${keyid}.sig`), hexDecode(sig))
    await writeFile(fileBelow(folder, `${keyid}.pem`), formatPem(key))
  }
}

/** RFC 8410: what stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo. */
const ed25519Prefix = hexDecode('302a300506032b6570032100')

/** A public key as openssl reads it. */
function formatPem({ keytype, keyval }: PublicKey): string {
  if (keytype !== 'ed25519') return keyval.public
  const spki = concatBytes(ed25519Prefix, hexDecode(keyval.public))
  return `-----BEGIN PUBLIC KEY-----\n${base64Encode(spki)}\n-----END PUBLIC KEY-----\n`
}

interface ListedBundle {
  platform: string
  /** The name of its list in `files/`, without the ending. */
  name: string
  /** Hexadecimal, as its blob is called. */
  layer: string
}

/**
 * Writes file lists that are computed from the layers, not taken over from the maker of the
 * release.
 */
async function writeFileLists({ folder, release, source }: ExportInput): Promise<ListedBundle[]> {
  const listed: ListedBundle[] = []
  const outline = await readReleaseOutline(source, `sha256:${release.sha256}`)
  requireFileLists(outline)
  for (const bundle of outline.platforms) {
    if (bundle.kind !== 'bundle') continue
    const computed = await computeBundleFiles(source, bundle)
    requireSameFiles(bundle, computed)
    const name = bundle.platform.replaceAll('/', '-')
    makeFolders(join(folder, 'files'))
    await writeFile(fileBelow(folder, 'files', `${name}.json`), encodeFileList(computed.files))
    await writeFile(
      fileBelow(folder, 'files', `${name}.sha256sums`),
      formatSha256Sums(computed.files),
    )
    listed.push({ platform: bundle.platform, name, layer: digestHex(bundle.layer.digest) })
  }
  return listed
}

/** Sums every file in the folder, for `sha256sum -c SHA256SUMS`. */
async function sumFiles(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted()
  const lines: string[] = []
  for (const path of paths) {
    const digester = createDigester()
    for await (const piece of createReadStream(join(folder, path)))
      digester.update(piece as Uint8Array)
    lines.push(`${digester.finish().slice('sha256:'.length)}  ${path}\n`)
  }
  return lines.join('')
}

function formatInstructions(
  { release, view, roots }: ExportInput,
  roles: readonly SignedRole[],
  bundles: readonly ListedBundle[],
): string {
  const first = roots[0]!
  const lines = [
    `# Checking ${release.product} ${release.version} (channel ${release.channel}) without Seaworthy`,
    '',
    'Needed: `sha256sum`, `openssl` 3, and the SHA-256 of `tuf/1.root.json`, which you got from the people who hold the',
    'root keys, not from whoever gave you this folder.',
    '',
    '## 1. The anchor',
    '',
    '```sh',
    `sha256sum tuf/${first.signed.version}.root.json    # must be the digest you were given`,
    '```',
    '',
    `When this folder was made it was \`${hash('sha256', first.bytes, 'hex')}\`.`,
    '',
    '## 2. The signatures, from the root down',
    '',
    'A role counts when at least its threshold of **different** keys have signed it that the role above names. So there are',
    'three checks for each: the bytes in `signatures/` are the member `signed` of the metadata in `tuf/`; each key is in the',
    'role above (the command prints how often: not 0); each signature is by that key.',
    '',
  ]
  for (const { name, file, metadata, keys, role, namedBy, namedIn } of roles) {
    const checks = metadata.signatures.flatMap(({ keyid }) =>
      Object.hasOwn(keys, keyid)
        ? opensslCommands({ name, namedIn: namedIn(keyid) }, keyid, keys[keyid]!)
        : [],
    )
    lines.push(
      `### ${name}: ${role.threshold} of ${role.keyids.length}, named by ${namedBy}`,
      '',
      '```sh',
      `printf '%b' "$(sed -e 's/^.*,"signed"://' -e 's/}$//' tuf/${file})" | cmp - signatures/${name}.signed.json`,
    )
    for (const line of [...checks, '```', '']) lines.push(line)
  }
  const role = channelRole(release.product, release.channel)
  lines.push(
    '## 3. The release',
    '',
    `\`signatures/${role}.signed.json\` lists \`${release.path}\` with the length and SHA-256 of the release's OCI image`,
    'index; every platform, layer and file list hangs below that index by SHA-256.',
    '',
    '```sh',
    `grep -o '"${release.path}":{[^}]*}[^}]*}[^}]*}' signatures/${role}.signed.json   # counter, floor, hashes`,
    `sha256sum oci/blobs/sha256/${release.sha256}   # must be its own name, and the sha256 above`,
    `(cd oci/blobs/sha256 && for f in *; do echo "$f  $f"; done | sha256sum -c --quiet)   # every blob is its name`,
    '```',
    '',
  )
  for (const line of describeFiles(bundles)) lines.push(line)
  lines.push(
    '## With other tools',
    '',
    'Any TUF client can use `tuf/` behind a static web server (targets under `tuf/targets/`) until the timestamp expires',
    `(${timestampExpiry(view)}); any OCI client can read \`oci/\`. With Seaworthy: \`seaworthy release verify . --root sha256:…\`.`,
    '',
    '`SHA256SUMS` covers all files here, for copying; it proves nothing by itself.',
    '',
  )
  return lines.join('\n')
}

function describeFiles(bundles: readonly ListedBundle[]): string[] {
  if (bundles.length === 0) return []
  return [
    '## 4. The files of a bundle',
    '',
    'Each list in `files/` was computed from the layer, and is what the file list below the index says. Unpack the layer of a platform and check:',
    '',
    ...bundles.flatMap(({ platform, name, layer }) => [
      `For ${platform}:`,
      '',
      '```sh',
      `mkdir unpacked-${name} && zstd -d < oci/blobs/sha256/${layer} | tar -x -C unpacked-${name}`,
      `(cd unpacked-${name} && sha256sum -c --quiet ../files/${name}.sha256sums)`,
      '```',
      '',
    ]),
  ]
}

function opensslCommands(
  { name, namedIn }: { name: string; namedIn: string },
  keyid: string,
  key: PublicKey,
): string[] {
  const pem = `signatures/${keyid}.pem`
  const signed = `signatures/${name}.signed.json`
  const sig = `signatures/${name}.${keyid}.sig`
  const above = `signatures/${namedIn}.signed.json`
  return key.keytype === 'ed25519'
    ? [
        `grep -c "$(openssl pkey -pubin -in ${pem} -outform DER | tail -c 32 | od -An -vtx1 | tr -d ' \\n')" ${above}`,
        `openssl pkeyutl -verify -pubin -inkey ${pem} -rawin -in ${signed} -sigfile ${sig}`,
      ]
    : [
        `grep -cF "$(sed -n 2p ${pem})" ${above}`,
        `openssl dgst -sha256 -verify ${pem} -signature ${sig} ${signed}`,
      ]
}

function timestampExpiry({ files }: RepositoryView): string {
  const timestamp = files.find(({ name }) => name === 'timestamp.json')
  if (timestamp === undefined) return 'at once'
  const { signed } = parseAnyJsonText(new TextDecoder().decode(timestamp.bytes)) as {
    signed: { expires: string }
  }
  return signed.expires
}
