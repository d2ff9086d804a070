/** Which release the signed metadata lets this device run next, whatever the server says. */
import type { DeviceFacts, Release } from '@seaworthy/trust/tuf'
import { chooseRelease, findRelease, listReleases, trustError } from '@seaworthy/trust/tuf'
import type { Assignment } from '../handover/messages.ts'
import type { InstallerContext } from './context.ts'

export interface UpdateChoice {
  /**
   * Refreshes the metadata first. `null`: nothing is assigned; `by-itself`: there is no server to
   * ask. Throws `TrustError`, `FetchError`.
   */
  decide(assignment: Assignment | null | 'by-itself'): Promise<Release | undefined>
}

export function createChoice(context: InstallerContext): UpdateChoice {
  const { ports, settings, store, trust } = context
  const { config } = settings

  /** The trust state has taken them over, with the keys that may have signed them. */
  const dropEarlierFloors = async () => {
    await store.change((state) =>
      Object.keys(state.channelFloors).length === 0 ? state : { ...state, channelFloors: {} },
    )
  }

  const deviceFacts = (channelFloor: number): DeviceFacts => ({
    product: config.product,
    channel: config.channel,
    platform: config.platform,
    committedCounter: store.state.committedCounter,
    floor: Math.max(store.state.floor, channelFloor),
    ...(config.hardware === undefined ? {} : { hardware: config.hardware }),
  })

  const decide = async (
    assignment: Assignment | null | 'by-itself',
  ): Promise<Release | undefined> => {
    await trust.refresh().then((notices) => {
      for (const notice of notices) ports.log.warn('trust-notice', { ...notice })
    })
    const channel = await trust.withSources(() =>
      trust.client.loadChannel(config.product, config.channel),
    )
    const listing = listReleases(channel.signed)
    await dropEarlierFloors()
    if (assignment === null) return undefined
    const facts = deviceFacts(await trust.client.channelFloor(config.product, config.channel))
    if (assignment === 'by-itself') return chooseRelease(listing, facts)
    checkAssignedChannel(assignment.targetPath)
    const release = findRelease(listing, assignment.targetPath, facts)
    if (release.sha256 !== assignment.sha256) {
      throw trustError('wrong_hash', 'the assignment names other content than the signed target')
    }
    return release
  }

  /**
   * The path itself names its channel, which gives a clearer refusal than "not listed by our
   * channel".
   */
  const checkAssignedChannel = (targetPath: string) => {
    const [product, channel] = targetPath.split('/')
    if (product !== config.product) throw trustError('wrong_product', 'assigned to another product')
    if (channel !== config.channel) throw trustError('wrong_channel', 'assigned to another channel')
  }

  return { decide }
}
