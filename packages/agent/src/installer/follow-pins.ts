/**
 * The device goes with its server from one key to the next: it keeps the pin that the server
 * announces, then tells the fetcher, which tells the server. A pin is never confirmed before it is
 * kept.
 */
import type { HeardPins } from '@seaworthy/std/pins'
import type { Log } from '@seaworthy/std/log'
import type { FetcherReplies, FetcherRequest, Gateway } from '../handover/messages.ts'
import type { ServerPins } from '../state/server-pins.ts'

/** The same gateway; the pins of each check-in's answer are kept before it is handed on. */
export function followPins<G extends Gateway>(gateway: G, pins: ServerPins, log: Log): G {
  let told: string | null = null
  const follow = async (heard: HeardPins): Promise<void> => {
    const isNews = await pins.hear(heard)
    const { kept } = pins
    if (kept === undefined) return
    const next = heard.next !== null && kept.includes(heard.next) ? heard.next : null
    if (isNews) log.info('server-pins', { kept })
    if (!isNews && (next === null || next === told)) return
    await gateway.ask({ kind: 'pins', pins: kept })
    told = next
  }
  return {
    ...gateway,
    async ask<R extends FetcherRequest>(request: R, signal?: AbortSignal) {
      const reply = await gateway.ask(request, signal)
      if (request.kind !== 'check-in') return reply
      const { heardPins } = reply as FetcherReplies['check-in']
      if (heardPins !== undefined) {
        // The check-in itself went well; the next one is another chance.
        await follow(heardPins).catch((error: unknown) =>
          log.warn('server-pins-not-kept', { error }),
        )
      }
      return reply
    },
  }
}
