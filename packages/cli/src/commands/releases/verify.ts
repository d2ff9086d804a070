/**
 * `seaworthy release verify`: the chain from the root to every byte, online or of an exported
 * folder.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { hash } from 'node:crypto'
import { isTaken } from '@seaworthy/oci/folders'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { ContentSource, ContentTarget } from '@seaworthy/oci/content'
import { copyContent } from '@seaworthy/oci/content'
import type { ExpectedContent } from '@seaworthy/oci/digests'
import { verifyBytes } from '@seaworthy/oci/digests'
import { openLayout } from '@seaworthy/oci/layout'
import { readReleaseOutline, requireClaims } from '@seaworthy/oci/release-content'
import { parseAnyJsonText } from '@seaworthy/std/json'
import type {
  CurrentMetadata,
  Metadata,
  Release,
  RootSigned,
  TargetsSigned,
  VerifiedChain,
} from '@seaworthy/trust/tuf'
import { channelRole, defaultTufLimits, parseMetadata, trustError } from '@seaworthy/trust/tuf'
import type { Context } from '../../context.ts'
import { CliError } from '../../failure.ts'
import { formatBytes } from '../../output/format.ts'
import { productContent } from '../../registry.ts'
import type { HandedOver } from '../../handed-over-sboms.ts'
import { describeHandedOver } from '../../handed-over-sboms.ts'
import { exportFormat } from '../../release-export.ts'
import type { SbomCheck } from '../../release-sboms.ts'
import { describeSboms } from '../../release-sboms.ts'
import { createTreeReader } from '../../release-trees.ts'
import { withConnection } from '../../connection.ts'
import { readBounded } from '../../state/files.ts'
import { requireRoot } from '../../trust/anchor.ts'
import { verifyOffline } from '../../trust/offline.ts'
import { requireFresh, requireRepository } from '../../trust/repository-view.ts'
import { explainingAbsence, findSigned } from './export.ts'

export interface VerifyOptions {
  channel?: string
  root?: string
}

export async function verifyReleaseOnline(
  context: Context,
  product: string,
  version: string,
  options: VerifyOptions,
): Promise<void> {
  await withConnection(context, async (connection) => {
    await requireRoot(context, connection, options.root)
    const view = await requireRepository(context, connection, [product])
    const find = () => findSigned(view.current, product, version, options.channel)
    const release = await explainingAbsence(connection, { product, version }, find)
    requireFresh(context, view, [product, channelRole(product, release.channel)])
    const content = await verifyContent(context, productContent(connection, product), release)
    report(context, { release, ...content, rootDigest: view.anchor.digest, notes: [] })
  })
}

/** Verifies an exported folder, without network. */
export async function verifyExport(
  context: Context,
  folder: string,
  options: VerifyOptions,
): Promise<void> {
  const { product, channel, version } = await readSelection(folder)
  const { roots, roles } = await readMetadataFolder(join(folder, 'tuf'))
  const chain = {
    roots: roots.map(({ signed, signatures }) => ({ signed, signatures })),
    roles: Object.fromEntries(
      [...roles].map(([role, { signed, signatures }]) => [role, { signed, signatures }]),
    ),
  }
  const { anchor, current, notes } = await verifyOffline(context, chain, {
    what: 'folder',
    rootOption: options.root,
  })
  const role = channelRole(product, options.channel ?? channel)
  const release = requireStillSigned(current, role, () =>
    findSigned(current, product, version, options.channel ?? channel),
  )
  const layout = await openLayout(join(folder, 'oci'), context.ports.random)
  const content = await verifyContent(context, layout, release)
  report(context, {
    release,
    ...content,
    rootDigest: hash('sha256', anchor, 'hex'),
    notes: [...notes, ...listExpired(current, context.ports.clock.now())],
  })
}

/**
 * Finds the release that the folder lists. Throws `CliError`, which says that it was withdrawn,
 * where newer metadata that this machine has verified no longer lists it.
 */
function requireStillSigned(
  { newer, roles }: VerifiedChain,
  role: string,
  find: () => Release,
): Release {
  try {
    return find()
  } catch (cause) {
    if (!newer.includes(role)) throw cause
    const { version } = roles.get(role)!.signed
    throw new CliError(
      'refused',
      `${role} ${version}, which this machine has verified, does not list it any more`,
      { wayOut: 'It was withdrawn since the folder was made: export a newer release.', cause },
    )
  }
}

/** Reads what the folder says it holds, which chooses what is looked up and proves nothing. */
async function readSelection(
  folder: string,
): Promise<{ product: string; channel: string; version: string }> {
  try {
    const text = utf8Decode(await readBounded(join(folder, 'release.json'), 65_536))
    const { format, product, channel, version } = parseAnyJsonText(text) as Record<string, unknown>
    const isWhole =
      format === exportFormat &&
      [product, channel, version].every((value) => typeof value === 'string')
    if (isWhole)
      return { product, channel, version } as { product: string; channel: string; version: string }
  } catch (cause) {
    if (!(await isTaken(folder))) {
      throw new CliError('notFound', `${folder}: no such folder`, { wayOut: howToExport, cause })
    }
    throw new CliError('usage', `${folder} is not an exported release`, {
      wayOut: howToExport,
      cause,
    })
  }
  throw new CliError('usage', `${folder} is not an exported release`, { wayOut: howToExport })
}

const howToExport =
  'Name the folder that `seaworthy release export PRODUCT VERSION -o DIR` has written.'

const filesMax = 2000

async function readMetadataFolder(folder: string) {
  const roots: Metadata<RootSigned>[] = []
  const roles = new Map<string, Metadata<TargetsSigned>>()
  const names = await readdir(folder)
  if (names.length > filesMax)
    throw new CliError('refused', `${folder} holds too many files`, {
      wayOut:
        'It is no export of `seaworthy release export`, or somebody added to it: export it again.',
    })
  for (const name of names) {
    const role = /^\d{1,10}\.([a-z][a-z0-9.-]{0,126})\.json$/.exec(name)?.[1]
    if (role === undefined || role === 'snapshot') continue
    const bytes = await readBounded(join(folder, name), defaultTufLimits.targetsBytesMax)
    if (role === 'root') roots.push(await parseMetadata('root', bytes, 'strict'))
    else if (roles.has(role))
      throw new CliError('refused', `${folder} holds ${role} twice`, {
        wayOut: 'Somebody added to the export: export it again.',
      })
    else roles.set(role, await parseMetadata('targets', bytes, 'strict'))
  }
  roots.sort((a, b) => a.signed.version - b.signed.version)
  return { roots, roles }
}

interface VerifiedContent {
  bytes: number
  /** Bundles whose file list is exactly what their layer holds. */
  bundles: readonly string[]
  sboms: readonly SbomCheck[]
  handedOver: readonly HandedOver[]
}

/**
 * Reads every byte of the release and checks it against what was signed, and what is said of the
 * bytes against the bytes.
 */
async function verifyContent(
  context: Context,
  source: ContentSource,
  release: Release,
): Promise<VerifiedContent> {
  const digest = `sha256:${release.sha256}` as const
  const index = await source.readManifest(digest)
  verifyBytes(index.bytes, { digest, size: release.length })
  if (hash('sha512', index.bytes, 'hex') !== release.sha512)
    throw trustError('wrong_hash', 'the index has another SHA-512 than signed')
  const outline = await readReleaseOutline(source, digest)
  requireClaims(outline, release)
  let bytes = index.bytes.length
  const reader = createTreeReader(context, source)
  const { platforms, sboms, handedOver } = await reader.tree(outline, 'proposed', false)
  reader.finish()
  const keyOf = (expected: ExpectedContent) => `${expected.digest} ${expected.size}`
  const read = new Set(
    outline.platforms.flatMap((platform) =>
      platform.kind === 'bundle'
        ? [keyOf(platform.layer)]
        : platform.parts.map(({ descriptor }) => keyOf(descriptor)),
    ),
  )
  const progress = context.progress('verify')
  const nowhere: ContentTarget = {
    hasBlob: async (expected) => read.has(keyOf(expected)),
    async putBlob(_expected, open) {
      for await (const _ of open()) continue
    },
    async putManifest() {},
  }
  await copyContent({
    source,
    target: nowhere,
    digest,
    onProgress: (more) => progress.update((bytes += more)),
  })
  progress.finish()
  const bundles = [...platforms].filter(([, tree]) => tree.kind === 'files').map(([name]) => name)
  return { bytes, bundles, sboms, handedOver }
}

function listExpired({ root, roles }: CurrentMetadata, now: Date): string[] {
  const all = [['root', root] as const, ...roles]
  return all.flatMap(([role, metadata]) =>
    metadata !== undefined && Date.parse(metadata.signed.expires) <= now.getTime()
      ? [
          `Note: ${role} has expired at ${metadata.signed.expires}: genuine, but perhaps not the newest.`,
        ]
      : [],
  )
}

function report(
  context: Context,
  result: VerifiedContent & { release: Release; rootDigest: string; notes: readonly string[] },
): void {
  const { release, bytes, bundles, sboms, handedOver, rootDigest, notes } = result
  const { product, channel, version, counter, floor, sha256, platforms } = release
  context.show(
    {
      ...{ product, channel, version, counter, floor, sha256, bytes, bundles, rootDigest, notes },
      sboms: sboms.map(({ platform, components, differing }) => ({
        platform,
        components,
        differing,
      })),
    },
    () => [
      ...context.fields([
        ['release', release.path],
        ['counter', `${counter}, floor ${floor}`],
        ['platforms', platforms.join(' ')],
        ['digest', `sha256:${sha256}`],
        ['root', `sha256:${rootDigest}`],
        ['checked', `${formatBytes(bytes)}, every byte`],
        ...(bundles.length === 0
          ? []
          : [['file lists', `exactly what the layers hold: ${bundles.join(' ')}`] as const]),
      ]),
      ...describeSboms(sboms),
      ...describeHandedOver(handedOver),
      ...notes,
      context.paint.green('Genuine: signed for this channel by a chain of keys from the root.'),
    ],
  )
}
