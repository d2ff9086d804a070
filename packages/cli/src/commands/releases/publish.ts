/** `seaworthy publish` and `seaworthy withdraw`: what a channel lists, as a proposal. */
import type { Command } from 'commander'
import { showRelease } from '@seaworthy/api/releases'
import type { ContentSource } from '@seaworthy/oci/content'
import { digestHex, parseDigest } from '@seaworthy/oci/digests'
import { readReleaseOutline } from '@seaworthy/oci/release-content'
import type { CurrentMetadata, PublishedContent, Release } from '@seaworthy/trust/tuf'
import { channelRole, listReleases } from '@seaworthy/trust/tuf'
import type { Context } from '../../context.ts'
import { withContext } from '../../context.ts'
import { CliError, doNotTrust } from '../../failure.ts'
import type { NamedKey } from '../../keys/key-files.ts'
import { readNamedKeys } from '../../keys/key-files.ts'
import { requireName, requireVersionOf } from '../../names.ts'
import { collect, wholeNumber } from '../../options.ts'
import type { CliPorts } from '../../ports.ts'
import { productContent } from '../../registry.ts'
import type { Connection } from '../../connection.ts'
import { withConnection } from '../../connection.ts'
import { describeContentChange } from '../../trust/proposed-content.ts'
import type { ContentOptions, ProposalOptions } from '../../trust/proposing.ts'
import { propose } from '../../trust/proposing.ts'
import { requireRepository } from '../../trust/repository-view.ts'
import { requireSigning } from '../../trust/signing.ts'
import { requireRole } from '../../trust/open-proposals.ts'
import { addContentOptions, addSigningOptions } from '../proposal-options.ts'

export function addPublishCommands(program: Command, ports: CliPorts): void {
  addContentOptions(
    addSigningOptions(
      program
        .command('publish <product> <version>')
        .description('propose a release for a channel; its keys decide')
        .requiredOption('--channel <name>', 'the channel that will list it')
        .option(
          '--floor <counter>',
          'once it is committed, nothing with a lower counter may run again (default: as before)',
          wholeNumber(1, 2 ** 31 - 1),
        )
        .option('--security', 'it fixes a vulnerability')
        .option('--hardware <name>', 'only for this hardware, repeatable', collect),
    ),
  ).action(withContext(ports, publish))
  addSigningOptions(
    program
      .command('withdraw <product> <version>')
      .description('propose to take a release off a channel; devices that run it keep it')
      .requiredOption('--channel <name>', 'the channel that lists it'),
  ).action(withContext(ports, withdraw))
}

interface WithdrawOptions extends ProposalOptions {
  channel: string
}

interface PublishOptions extends WithdrawOptions, ContentOptions {
  floor?: number
  security?: boolean
  hardware?: string[]
}

interface SignedChannel {
  readonly connection: Connection
  readonly current: CurrentMetadata
  readonly signers: readonly NamedKey[]
}

async function publish(
  context: Context,
  product: string,
  version: string,
  options: PublishOptions,
): Promise<void> {
  await withChannel(
    context,
    { product, version, ...options },
    async ({ connection, current, signers }) => {
      const view = await connection.client.call(showRelease, { params: { product, version } })
      const source = productContent(connection, product)
      const content = await describeContent(source, { ...view, channel: options.channel })
      const before = newestOf(current, product, options.channel)
      await propose(context, connection, {
        intent: {
          kind: 'publish',
          content: {
            ...content,
            security: options.security ?? false,
            hardware: options.hardware ?? [],
            floor: options.floor ?? 0,
          },
        },
        current,
        keys: signers,
        isStrict: true,
        passphraseFiles: options.passphraseFile,
        content: await describeContentChange(
          context,
          source,
          { claims: content, sha256: content.sha256, before: before?.sha256 },
          { all: options.all, mayMiss: false },
        ),
        acceptUnchecked: options.unchecked,
        leaveOpen: !options.apply,
      })
    },
  )
}

/**
 * What gets signed about the content is computed here from its bytes; the server's view only says
 * where to look.
 */
export async function describeContent(
  source: ContentSource,
  view: { product: string; version: string; digest: string; channel: string },
): Promise<PublishedContent> {
  const digest = parseDigest(view.digest)
  const { release, kind, length, sha512 } = await readReleaseOutline(source, digest)
  if (release.product !== view.product || release.version !== view.version) {
    throw new CliError(
      'refused',
      `the server offers ${release.product} ${release.version} as ${view.product} ${view.version}`,
      { wayOut: doNotTrust },
    )
  }
  return {
    product: view.product,
    channel: view.channel,
    version: view.version,
    kind,
    platforms: [...release.platforms.keys()].toSorted(),
    hardware: [],
    security: false,
    floor: 0,
    length,
    sha256: digestHex(digest),
    sha512,
  }
}

/** The channel as it is signed, and the keys with which somebody here will sign a change to it. */
async function withChannel(
  context: Context,
  {
    product,
    version,
    channel,
    signWith = [],
  }: WithdrawOptions & {
    readonly product: string
    readonly version: string
  },
  act: (signed: SignedChannel) => Promise<void>,
): Promise<void> {
  requireVersionOf(product, version)
  requireName('channel', channel)
  const signers = await readNamedKeys(signWith)
  requireSigning(signers)
  await withConnection(context, async (connection) => {
    const { current } = await requireRepository(context, connection, [product])
    await requireRole(connection, current, channelRole(product, channel))
    await act({ connection, current, signers })
  })
}

/** The release of a channel with the highest counter, as signed. */
function newestOf(current: CurrentMetadata, product: string, channel: string): Release | undefined {
  const metadata = current.roles.get(channelRole(product, channel))
  return metadata && listReleases(metadata.signed).releases[0]
}

async function withdraw(
  context: Context,
  product: string,
  version: string,
  options: WithdrawOptions,
): Promise<void> {
  await withChannel(
    context,
    { product, version, ...options },
    async ({ connection, current, signers }) => {
      await propose(context, connection, {
        intent: { kind: 'withdraw', product, channel: options.channel, version },
        current,
        keys: signers,
        isStrict: true,
        passphraseFiles: options.passphraseFile,
        leaveOpen: !options.apply,
      })
    },
  )
}
