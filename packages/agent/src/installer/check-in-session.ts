/**
 * A check-in with its token: the fetcher keeps the token, the installer signs the assertion for it.
 */
import type { Random } from '@seaworthy/std/random'
import type { Signer } from '@seaworthy/trust/keys'
import type { FetcherReplies, FetcherRequestOf, Gateway } from '../handover/messages.ts'
import { FetchError } from '../refusals.ts'
import { signAssertion } from '../state/device-key.ts'
import type { ClockCheck } from './clock-check.ts'

export interface SessionPorts {
  gateway: Gateway
  signer: Signer
  random: Random
  /** Origin of the server. */
  server: string
  /** The device's own clock, right or wrong. */
  now: () => Date
  /** Learns what the server thinks of that clock. */
  clockCheck: ClockCheck
}

/**
 * Asks for a token as this device. Where the clock of the device or of the server is wrong, the
 * server refuses with a challenge, which is signed in place of a time. Throws `FetchError`.
 */
export async function askForToken(
  { gateway, signer, random, server, now, clockCheck }: SessionPorts,
  deviceId: string,
): Promise<void> {
  const ask = async (challenge?: string) => {
    const assertion = await signAssertion(signer, {
      deviceId,
      audience: server,
      now: now(),
      random,
      ...(challenge === undefined ? {} : { challenge }),
    })
    await gateway.ask({ kind: 'token', assertion })
  }
  try {
    await ask()
    clockCheck.confirm()
  } catch (error) {
    if (!(error instanceof FetchError) || error.challenge === undefined) throw error
    clockCheck.contradict()
    await ask(error.challenge)
  }
}

/**
 * Makes a check-in; asks once for a token where the fetcher has none or the server no longer
 * accepts it. A removed device may have come back with its old token: it then asks for a new one
 * too. Throws `FetchError`.
 */
export async function callCheckIn(
  session: SessionPorts,
  deviceId: string,
  body: FetcherRequestOf<'check-in'>['body'],
): Promise<FetcherReplies['check-in']> {
  try {
    return await session.gateway.ask({ kind: 'check-in', body })
  } catch (error) {
    if (!(error instanceof FetchError)) throw error
    if (error.code !== 'token_needed' && error.problem !== 'device_removed') throw error
  }
  await askForToken(session, deviceId)
  return session.gateway.ask({ kind: 'check-in', body })
}
