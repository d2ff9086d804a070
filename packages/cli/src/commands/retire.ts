/** `seaworthy product retire` and `channel retire`: the signed end of what is shipped. */
import type { ReplyOf } from '@seaworthy/api/route'
import { showProductDependents } from '@seaworthy/api/products'
import { channelRole } from '@seaworthy/trust/tuf'
import { withConnection } from '../connection.ts'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import { readNamedKeys } from '../keys/key-files.ts'
import { requireName } from '../names.ts'
import { requireRole } from '../trust/open-proposals.ts'
import type { ProposalOptions } from '../trust/proposing.ts'
import { propose } from '../trust/proposing.ts'
import { requireRepository } from '../trust/repository-view.ts'
import { requireSigning } from '../trust/signing.ts'

interface RetireOptions extends ProposalOptions {
  dryRun?: boolean
}

export function retireProduct(
  context: Context,
  product: string,
  options: RetireOptions,
): Promise<void> {
  return retire(context, { product }, options)
}

export function retireChannel(
  context: Context,
  product: string,
  channel: string,
  options: RetireOptions,
): Promise<void> {
  return retire(context, { product, channel }, options)
}

/** Ends the channel, or the whole product where there is none, once its holders have signed. */
async function retire(
  context: Context,
  { product, channel }: { readonly product: string; readonly channel?: string },
  options: RetireOptions,
): Promise<void> {
  requireName('product', product)
  if (channel !== undefined) requireName('channel', channel)
  const keys = await readNamedKeys(options.signWith ?? [])
  requireSigning(keys)
  await withConnection(context, async (connection) => {
    const { current } = await requireRepository(context, connection, [product])
    const role = channel === undefined ? product : channelRole(product, channel)
    await requireRole(connection, current, role)
    const dependents = await connection.client.call(showProductDependents, {
      params: { product },
      query: channel === undefined ? {} : { channel },
    })
    const lines = describeDependents(context, dependents)
    if (options.dryRun === true) {
      return context.show(dependents, () => [
        ...lines,
        dependents.fleetsCount === 0
          ? `Nothing prevents it. The name ${role} would never be used again. Nothing was changed.`
          : 'It cannot be retired while fleets follow it. Nothing was changed.',
      ])
    }
    for (const line of lines) context.say(line)
    // The server refuses it too, but only after somebody has signed.
    if (dependents.fleetsCount > 0) {
      throw new CliError('refused', `${role} cannot be retired while fleets follow it`, {
        wayOut: `Move their devices (\`seaworthy device move --fleet NAME --to OTHER\`), then \`seaworthy fleet remove NAME\`.`,
      })
    }
    await propose(context, connection, {
      intent:
        channel === undefined
          ? { kind: 'product-retire', product }
          : { kind: 'channel-retire', product, channel },
      current,
      keys,
      isStrict: true,
      passphraseFiles: options.passphraseFile,
      leaveOpen: !options.apply,
    })
  })
}

function describeDependents(
  context: Context,
  dependents: ReplyOf<typeof showProductDependents>,
): string[] {
  const { fleetsCount, fleets, channels, releasesCount } = dependents
  const more = fleetsCount > fleets.length ? ', …' : ''
  return context.fields([
    ['fleets', fleetsCount === 0 ? 'none' : `${fleetsCount}: ${fleets.join(', ')}${more}`],
    ['devices', String(dependents.devicesCount)],
    ['rollouts under way', String(dependents.rolloutsCount)],
    ['channels', channels.length === 0 ? 'none' : `${channels.join(', ')}, ended with it`],
    ['signed releases', `${releasesCount}, which no device may take from then on`],
  ])
}
