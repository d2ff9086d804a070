/**
 * A release as a folder that anybody can check with common tools, and serve to any TUF client or
 * registry client:
 *
 * - `oci/`: OCI image layout with the release under its version
 * - `tuf/`: the signed metadata and the target, laid out as a TUF repository serves them
 * - `signatures/`: per role, the bytes that are signed, and every raw signature that counts. The
 *   public keys are not beside them: a folder must not say who its signers are
 * - `files/`: per bundle the list of its files, as JSON and for `sha256sum -c`
 * - `sbom/`: per bundle its bills of materials, which are its builder's words
 * - `SHA256SUMS`, `VERIFY.md`, `release.json`
 *
 * Nothing in it needs trust: it is as good as the root digest that whoever checks it got elsewhere.
 */
import { readdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { hexDecode } from '@seaworthy/std/bytes'
import { requireSameFiles } from '@seaworthy/oci/bundle/contents'
import { encodeFileList, formatSha256Sums } from '@seaworthy/oci/bundle/file-list'
import type { ContentSource } from '@seaworthy/oci/content'
import { copyContent } from '@seaworthy/oci/content'
import { createDigester } from '@seaworthy/oci/digests'
import { createLayout } from '@seaworthy/oci/layout'
import { findDocuments, readDocument } from '@seaworthy/oci/release-documents'
import {
  computeBundleFiles,
  readReleaseIndex,
  readReleaseOutline,
  requireFileLists,
} from '@seaworthy/oci/release-content'
import type { DocumentKind } from '@seaworthy/sbom/documents'
import { documentKinds, mediaTypeOf } from '@seaworthy/sbom/documents'
import { parseAnyJsonText } from '@seaworthy/std/json'
import type { Random } from '@seaworthy/std/random'
import type { AnySigned, KeyRing, Metadata, Release, RootSigned } from '@seaworthy/trust/tuf'
import { channelRole, findKeyRing, findSigners } from '@seaworthy/trust/tuf'
import { createReadStream } from 'node:fs'
import { makeFolders } from '@seaworthy/oci/folders'
import { fileBelow } from './state/file-below.ts'
import type { RepositoryView } from './trust/repository-view.ts'
import { readVerifyExport } from './verify-export.ts'

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
  for (const role of listRoles(input)) await writeSignatures(join(folder, 'signatures'), role)
  await writeFileLists(input)
  await writeSboms(input)
  const { product, channel, version } = release
  await writeFile(
    join(folder, 'release.json'),
    `${JSON.stringify({ format: exportFormat, product, channel, version }, undefined, 2)}\n`,
  )
  await writeFile(join(folder, 'VERIFY.md'), await formatInstructions(input))
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
  /** The keys of which a threshold must have signed, for each of the documents that name them. */
  rings: readonly KeyRing[]
}

/**
 * The chain from the first root to the channel. A later root needs the keys of the root before it
 * and its own.
 */
function listRoles({ release, view, roots }: ExportInput): SignedRole[] {
  const ringOf = ({ signed }: Metadata<RootSigned>, role: 'root' | 'targets') => ({
    keys: signed.keys,
    role: signed.roles[role],
  })
  const chain: SignedRole[] = roots.map((root, i) => ({
    name: `${root.signed.version}.root`,
    metadata: root,
    rings: [...roots.slice(Math.max(0, i - 1), i), root].map((one) => ringOf(one, 'root')),
  }))
  const { root, roles } = view.current
  const { product, channel } = release
  const role = (name: string, ring: KeyRing) => ({
    name,
    metadata: roles.get(name)!,
    rings: [ring],
  })
  const delegated = (name: string, above: string) =>
    role(name, findKeyRing(roles.get(above)!.signed.delegations, name)!)
  return [
    ...chain,
    role('targets', ringOf(root!, 'targets')),
    delegated(product, 'targets'),
    delegated(channelRole(product, channel), product),
  ]
}

/** Writes only signatures that count, so that any other one in the folder must be a forgery. */
async function writeSignatures(folder: string, { name, metadata, rings }: SignedRole) {
  makeFolders(folder)
  await writeFile(fileBelow(folder, `${name}.signed.json`), metadata.signedBytes)
  const signers = new Set<string>()
  for (const ring of rings) {
    const { signedBytes, signatures } = metadata
    for (const keyid of await findSigners(ring, signedBytes, signatures)) signers.add(keyid)
  }
  for (const { keyid, sig } of metadata.signatures) {
    if (!signers.has(keyid)) continue
    await writeFile(fileBelow(folder, `${name}.${keyid}.sig`), hexDecode(sig))
  }
}

/**
 * Writes file lists that are computed from the layers, not taken over from the maker of the
 * release.
 */
async function writeFileLists({ folder, release, source }: ExportInput): Promise<void> {
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
  }
}

const sbomSuffix: Readonly<Record<DocumentKind, string>> = {
  cyclonedx: 'cdx.json',
  spdx: 'spdx.json',
  packages: 'packages.tsv',
}

/** Writes the documents that the release's digest covers, byte for byte. */
async function writeSboms({ folder, release, source }: ExportInput): Promise<void> {
  const { release: index } = await readReleaseIndex(source, `sha256:${release.sha256}`)
  for (const kind of documentKinds) {
    for (const [platform, artifact] of findDocuments(index, mediaTypeOf[kind])) {
      makeFolders(join(folder, 'sbom'))
      await writeFile(
        fileBelow(folder, 'sbom', `${platform.replaceAll('/', '-')}.${sbomSuffix[kind]}`),
        await readDocument(source, artifact, mediaTypeOf[kind]),
      )
    }
  }
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

async function formatInstructions({ release, view }: ExportInput): Promise<string> {
  const { product, channel, version } = release
  const commands = await readVerifyExport()
  return [
    `# Checking ${product} ${version} (channel ${channel}) without Seaworthy`,
    '',
    'Needed: `bash`, `jq`, `openssl` 3, `sha256sum`, `tar`, `zstd`, and two things that must **not** come from whoever gave you this folder:',
    '',
    '- the SHA-256 of the first root, from the people who hold the root keys;',
    '- the commands: take `verify-export.sh` from Seaworthy (`packages/cli/src/verify-export.sh`), or read every line of those below.',
    '  They are the same for every release. Whoever forges a folder can forge this file too.',
    '',
    '```sh',
    `bash ../verify-export.sh "$ROOT" ${product} ${channel} ${version}    # ROOT is the digest that you were given`,
    '```',
    '',
    'A role counts when at least its threshold of **different** keys have signed it that the role above names **for it**.',
    'The commands take keys and thresholds from the signed bytes of the role above alone, and print for each role its version and expiry.',
    'They cannot tell whether root, targets, product and channel in this folder are the newest there are: ask their holders for the numbers.',
    '',
    '```bash',
    commands.trimEnd(),
    '```',
    '',
    '## With other tools',
    '',
    'Any TUF client can use `tuf/` behind a static web server (targets under `tuf/targets/`) until the timestamp expires',
    `(${timestampExpiry(view)}); any OCI client can read \`oci/\`. With Seaworthy: \`seaworthy release verify . --root sha256:…\`.`,
    '',
    '`SHA256SUMS` covers all files here, for copying; it proves nothing by itself.',
    '',
  ].join('\n')
}

function timestampExpiry({ files }: RepositoryView): string {
  const timestamp = files.find(({ name }) => name === 'timestamp.json')
  if (timestamp === undefined) return 'at once'
  const { signed } = parseAnyJsonText(new TextDecoder().decode(timestamp.bytes)) as {
    signed: { expires: string }
  }
  return signed.expires
}
