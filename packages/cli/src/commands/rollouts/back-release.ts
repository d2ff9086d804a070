/**
 * The release of a signed rollback: which version it was, what it is called when it comes again,
 * and how it gets into the channel.
 */
import { ProblemError } from '@seaworthy/api/problems'
import type { FleetView } from '@seaworthy/api/fleets'
import { listProposals } from '@seaworthy/api/proposals'
import { createRelease, showRelease } from '@seaworthy/api/releases'
import type { RolloutView } from '@seaworthy/api/rollouts'
import { isNewer, newestFirst } from '@seaworthy/fleet/releases'
import { reachesAll } from '@seaworthy/fleet/rollouts'
import type { ContentSource, ContentTarget } from '@seaworthy/oci/content'
import type { Digest } from '@seaworthy/oci/digests'
import { parseDigest, verifyBytes } from '@seaworthy/oci/digests'
import { encodeManifest, parseManifest } from '@seaworthy/oci/manifests'
import { releaseAnnotations } from '@seaworthy/oci/release-index'
import type { CurrentMetadata, PublishedContent, Release } from '@seaworthy/trust/tuf'
import { channelRole, listReleases } from '@seaworthy/trust/tuf'
import type { Context } from '../../context.ts'
import { CliError, doNotTrust } from '../../failure.ts'
import type { NamedKey } from '../../keys/key-files.ts'
import { createPassphraseSource } from '../../keys/key-files.ts'
import { productContent } from '../../registry.ts'
import type { Connection } from '../../connection.ts'
import { collectPages } from '../../connection.ts'
import type { ContentOptions, ProposalOptions } from '../../trust/proposing.ts'
import { onlineSigning, fetchProposal, propose, submitSignatures } from '../../trust/proposing.ts'
import { describeMissing, showProposalText, signWithKeys } from '../../trust/signing.ts'
import { describeContentChange } from '../../trust/proposed-content.ts'
import { describeContent } from '../releases/publish.ts'

export interface WayBack {
  /** The version whose content comes again. */
  before: string
  /** The version under which it comes again. */
  version: string
  /**
   * The release as the channel's keys signed it; `undefined` when the channel no longer lists it.
   */
  signed: Release | undefined
  /**
   * Whether the channel lists it already, above the bad release's counter: nothing is left to sign.
   */
  isPublished: boolean
  /** Versions that the channel lists between it and the bad release, newest first. */
  skipped: readonly string[]
}

interface Facts {
  rollout: RolloutView
  fleet: FleetView
  /** The fleet's rollouts, newest first. */
  rollouts: readonly RolloutView[]
  current: CurrentMetadata
}

/**
 * The version that the fleet ran before the rollout, and how that is known. Throws where nothing
 * says so.
 */
export function findVersionBefore(
  { rollout, fleet, rollouts, current }: Facts,
  wanted: string | undefined,
): { version: string; why: string } {
  if (wanted !== undefined) return { version: wanted, why: 'as you said' }
  // The highest counter decides, as for the fleet's baseline: an older rollout may have ended last.
  const [earlier] = rollouts
    .filter(
      (one) =>
        one.state === 'finished' &&
        isNewer(rollout, one) &&
        one.version !== rollout.version &&
        reachesAll(one.policy),
    )
    .toSorted(newestFirst)
  if (earlier !== undefined) {
    return { version: earlier.version, why: `which the rollout ${earlier.id} brought before` }
  }
  const { baselineVersion } = fleet
  if (baselineVersion !== null && baselineVersion !== rollout.version) {
    return { version: baselineVersion, why: 'the baseline of the fleet' }
  }
  const listed = signedReleases(current, rollout).find((one) => isNewer(rollout, one))
  if (listed !== undefined) {
    return {
      version: listed.version,
      why: `the release before it in the channel (counter ${listed.counter})`,
    }
  }
  throw new CliError('notFound', `nothing says what ${fleet.name} ran before ${rollout.version}`, {
    wayOut: 'Name the version: --to VERSION.',
  })
}

function signedReleases(
  current: CurrentMetadata,
  { product, channel }: { product: string; channel: string },
): readonly Release[] {
  const metadata = current.roles.get(channelRole(product, channel))
  return metadata === undefined ? [] : listReleases(metadata.signed).releases
}

const namesMax = 1000

/**
 * Plans the signed rollback and finds its name: `1.0-again`, `1.0-again.2`, … A name that was used
 * for an earlier one is passed over.
 */
export function planWayBack(
  { rollout, current, before }: { rollout: RolloutView; current: CurrentMetadata; before: string },
  { releaseVersion }: { releaseVersion?: string },
): WayBack {
  if (before === rollout.version) {
    throw new CliError('usage', `${before} is the release to go back from`)
  }
  const releases = signedReleases(current, rollout)
  const listed = new Map(releases.map((one) => [one.version, one]))
  requireGenuine(rollout, listed.get(rollout.version))
  const isUsed = (name: string) => {
    const used = listed.get(name)
    return used !== undefined && isNewer(rollout, used)
  }
  const plain = before.replace(/-again(\.\d+)?$/, '')
  const names =
    releaseVersion === undefined
      ? Array.from({ length: namesMax }, (_, i) => `${plain}-again${i === 0 ? '' : `.${i + 1}`}`)
      : [releaseVersion]
  const version = names.find((name) => name !== rollout.version && !isUsed(name))
  if (version === undefined) {
    throw new CliError('refused', `${names[0]} is older than ${rollout.version}`, {
      wayOut: 'Give the release of the way back another name: --release-version VERSION.',
    })
  }
  const signed = listed.get(before)
  const from = { counter: signed?.counter ?? 0 }
  const between = releases.filter((one) => isNewer(one, from) && isNewer(rollout, one))
  return {
    before,
    version,
    signed,
    isPublished: listed.has(version),
    skipped: between.map((one) => one.version),
  }
}

/**
 * What the server says about the bad release decides what is signed next, so it must be what the
 * channel's keys have signed.
 */
function requireGenuine({ version, sha256, counter }: RolloutView, signed: Release | undefined) {
  if (signed === undefined) return
  if (signed.sha256 === sha256 && signed.counter === counter) return
  throw new CliError(
    'refused',
    `the server describes ${version} otherwise than its channel signed it`,
    { wayOut: doNotTrust },
  )
}

interface PublishInput {
  way: WayBack
  rollout: RolloutView
  current: CurrentMetadata
  options: ProposalOptions & ContentOptions & { security?: boolean }
  signers: readonly NamedKey[]
}

/**
 * Publishes the release again as far as the keys at hand allow, and continues what an earlier run
 * has begun. Returns whether the channel lists it.
 */
export async function publishAgain(
  context: Context,
  connection: Connection,
  input: PublishInput,
): Promise<boolean> {
  const { way, rollout } = input
  if (way.isPublished) {
    context.say(`${way.version} is published already.`)
    return true
  }
  const source = productContent(connection, rollout.product)
  const content = await ensureRelease(context, connection, source, input)
  if (!signedReleases(input.current, rollout).some(({ sha256 }) => sha256 === rollout.sha256)) {
    context.warn(
      context.paint.yellow(
        `WARNING: ${rollout.channel} does not list ${rollout.version} any more: that the fleet runs it, and so what it is compared with, is the server's word`,
      ),
    )
  }
  const shown = await describeContentChange(
    context,
    source,
    { claims: content, sha256: content.sha256, before: rollout.sha256 },
    { all: input.options.all, mayMiss: false },
  )
  // The only JSON document is printed at the very end.
  const quiet: Context = { ...context, show: () => {} }
  const open = await findOpenProposal(connection, rollout, content)
  if (open === undefined) {
    const view = await propose(quiet, connection, {
      intent: { kind: 'publish', content },
      current: input.current,
      keys: input.signers,
      isStrict: true,
      passphraseFiles: input.options.passphraseFile,
      evidence: { wayBackOf: rollout.id, contentOf: way.before },
      content: shown,
      acceptUnchecked: input.options.unchecked,
      leaveOpen: !input.options.apply,
    })
    return view.state === 'applied'
  }
  const judged = { proposal: open.proposal, current: input.current }
  await showProposalText(context, judged, shown)
  if (input.signers.length === 0 && !open.view.complete) {
    for (const line of await describeMissing(judged)) context.say(line)
    return false
  }
  const passphrases = createPassphraseSource(context.ports, input.options.passphraseFile)
  const signed = await signWithKeys(context, judged, input.signers, {
    passphrases,
    isStrict: true,
    content: shown,
    acceptUnchecked: input.options.unchecked,
    ...onlineSigning(connection),
  })
  const { state } = await submitSignatures(quiet, connection, signed, {
    view: open.view,
    leaveOpen: !input.options.apply,
  })
  return state === 'applied'
}

/**
 * Ensures a release with the same platforms and layers under an index that names the new version:
 * what runs is unchanged to the byte.
 */
async function ensureRelease(
  context: Context,
  connection: Connection,
  content: ContentSource & ContentTarget,
  { way, rollout, options }: PublishInput,
): Promise<PublishedContent> {
  const { product, channel } = rollout
  const registered = await connection.client.call(showRelease, {
    params: { product, version: way.before },
  })
  if (way.signed === undefined) {
    context.warn(
      context.paint.yellow(
        `WARNING: ${channel} does not list ${way.before} any more; find out why it was withdrawn before you sign it again`,
      ),
    )
  }
  const signedDigest = way.signed === undefined ? registered.digest : `sha256:${way.signed.sha256}`
  const index = await renameIndex(content, parseDigest(signedDigest), product, way)
  const { digest } = index.descriptor
  const existing = await findRelease(connection, product, way.version)
  if (existing !== undefined && existing !== digest) {
    throw new CliError('refused', `${product} has another release ${way.version} already`, {
      wayOut: 'Give the release of the way back another name: --release-version VERSION.',
    })
  }
  if (existing === undefined) {
    const { bytes, descriptor } = index
    await content.putManifest({ bytes, mediaType: descriptor.mediaType, digest })
    await connection.client.call(createRelease, {
      params: { product },
      body: { version: way.version, digest },
    })
  }
  return {
    ...(await describeContent(content, { product, version: way.version, digest, channel })),
    hardware: way.signed?.hardware ?? [],
    security: options.security ?? false,
  }
}

async function renameIndex(
  source: ContentSource,
  digest: Digest,
  product: string,
  { before, version }: WayBack,
) {
  const { bytes, mediaType } = await source.readManifest(digest)
  verifyBytes(bytes, { digest, size: bytes.length })
  const index = parseManifest(bytes, mediaType)
  const { annotations } = index
  const isIt =
    index.kind === 'index' &&
    annotations?.[releaseAnnotations.product] === product &&
    annotations[releaseAnnotations.version] === before
  if (!isIt) {
    throw new CliError('refused', `the server offers something else as ${product} ${before}`, {
      wayOut: doNotTrust,
    })
  }
  return encodeManifest({
    ...index,
    annotations: { ...annotations, [releaseAnnotations.version]: version },
  })
}

async function findRelease(
  connection: Connection,
  product: string,
  version: string,
): Promise<string | undefined> {
  try {
    return (await connection.client.call(showRelease, { params: { product, version } })).digest
  } catch (error) {
    if (error instanceof ProblemError && error.status === 404) return undefined
    throw error
  }
}

/** Finds a proposal of the same content that an earlier run left waiting for signatures. */
async function findOpenProposal(
  connection: Connection,
  { product, channel }: RolloutView,
  wanted: PublishedContent,
) {
  const open = await collectPages((query) =>
    connection.client.call(listProposals, { query: { ...query, state: 'open' } }),
  )
  for (const { id, kind } of open) {
    if (kind !== 'publish') continue
    const found = await fetchProposal(connection, id)
    const { intent } = found.proposal
    if (intent.kind !== 'publish') continue
    const { content } = intent
    const isSame =
      content.product === product &&
      content.channel === channel &&
      content.version === wanted.version &&
      content.sha256 === wanted.sha256 &&
      content.sha512 === wanted.sha512 &&
      content.length === wanted.length &&
      content.kind === wanted.kind &&
      content.platforms.toSorted().join(' ') === wanted.platforms.join(' ')
    if (isSame) return found
  }
  return undefined
}
