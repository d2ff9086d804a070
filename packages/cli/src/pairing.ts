/**
 * Pairing by a person in a browser (RFC 8628): a short code is shown, the person decides on the
 * server's page, and the token comes to this process and no other.
 */
import type { ApiClient } from '@seaworthy/api/client'
import { beginPairing, fetchPairing } from '@seaworthy/api/pairings'
import type { TokenView } from '@seaworthy/api/tokens'
import { TransportError } from '@seaworthy/std/http'
import { minuteMs, secondMs } from '@seaworthy/std/time'
import type { Context } from './context.ts'
import { CliError } from './failure.ts'
import { nameMachine } from './machine-names.ts'
import { harmless } from './output/format.ts'

export interface WantedToken {
  readonly role?: TokenView['role']
  readonly product?: readonly string[]
  readonly fleet?: readonly string[]
  /** Milliseconds. */
  readonly expires: number
}

/** How long a person is waited for; the server ends the pairing earlier. */
const patienceMs = 11 * minuteMs

/** Asks for a token and waits until a person has decided; answers the token. */
export async function pair(
  context: Context,
  client: ApiClient,
  wanted: WantedToken,
): Promise<string> {
  const { clock, machine, signal, sleep } = context.ports
  const { role, product, fleet, expires } = wanted
  const begun = await client.call(beginPairing, {
    body: {
      machine: nameMachine(machine),
      lifetimeSeconds: Math.round(expires / secondMs),
      ...(role === undefined ? {} : { role }),
      ...(product === undefined ? {} : { products: [...product] }),
      ...(fleet === undefined ? {} : { fleets: [...fleet] }),
    },
    signal,
  })
  // It goes to the error stream: with `--json` the output is for the result alone.
  context.warn(`Open ${harmless(begun.page)} in a browser, sign in, and type this code there:`)
  context.warn('')
  context.warn(`    ${begun.userCode}`)
  context.warn('')
  context.warn('It is good for ten minutes, on the page of your own server only. Waiting …')
  const lastMs = clock.monotonicMs() + patienceMs
  let waitMs = begun.intervalSeconds * secondMs
  while (clock.monotonicMs() < lastMs) {
    await sleep(waitMs, signal)
    const body = { deviceCode: begun.deviceCode }
    const answer = await client.call(fetchPairing, { body, signal }).catch(passUnreachable)
    if (answer?.state === 'paired') return answer.token
    if (answer !== undefined) waitMs = answer.intervalSeconds * secondMs
  }
  throw new CliError('failed', 'nobody has decided', {
    wayOut: 'Run `seaworthy login` again, and type the new code within ten minutes.',
  })
}

/** A server that restarts meanwhile still knows the pairing afterwards. */
function passUnreachable(error: unknown): undefined {
  const passes =
    error instanceof TransportError && ['unreachable', 'timed_out'].includes(error.code)
  if (!passes) throw error
}
