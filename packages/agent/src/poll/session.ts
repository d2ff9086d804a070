/** A check-in with its token: the fetcher keeps the token, the installer signs what it is given for. */
import type { Random } from '@seaworthy/std/random'
import type { Signer } from '@seaworthy/trust/keys'
import type { FetcherReplies, Gateway } from '../handover/messages.ts'
import { FetchError } from '../refusals.ts'
import { signAssertion } from '../state/device-key.ts'

export interface SessionPorts {
  gateway: Gateway
  signer: Signer
  random: Random
  /** Origin of the server. */
  server: string
  now: () => Date
}

/**
 * Asks for a token where the fetcher has none or the server takes it no longer, once. A removed device may
 * have come back, and its token be the old one: it asks for a new one then too. Throws `FetchError`.
 */
export async function callCheckIn(
  { gateway, signer, random, server, now }: SessionPorts,
  deviceId: string,
  body: Readonly<Record<string, unknown>>,
): Promise<FetcherReplies['check-in']> {
  try {
    return await gateway.ask({ kind: 'check-in', body })
  } catch (error) {
    if (!(error instanceof FetchError)) throw error
    if (error.code !== 'token_needed' && error.problem !== 'device_removed') throw error
  }
  const assertion = await signAssertion(signer, { deviceId, audience: server, now: now(), random })
  await gateway.ask({ kind: 'token', assertion })
  return gateway.ask({ kind: 'check-in', body })
}
