/**
 * Which devices of a fleet holders have enrolled, as this machine verified it: a server can invent
 * devices and exchange keys, but none of them is enrolled.
 */
import type { EnrolmentView } from '@seaworthy/api/devices'
import { listEnrolments } from '@seaworthy/api/devices'
import { showFleet } from '@seaworthy/api/fleets'
import { TrustError } from '@seaworthy/std/refusal'
import type { VerifiedEnrolment } from '@seaworthy/trust/enrolment'
import { verifyEnrolment } from '@seaworthy/trust/enrolment'
import { keyId } from '@seaworthy/trust/keys'
import type { CurrentMetadata, RoleAuthority } from '@seaworthy/trust/tuf'
import { currentAuthority } from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import type { Connection } from '../connection.ts'
import { collectPages } from '../connection.ts'
import { requireFresh, requireRepository } from './repository-view.ts'

/** Why a device has no enrolment, of which nothing could be verified. */
export const withoutEnrolment = 'it registered with a provisioning key that no holder has signed'

/** The way out for devices that are not enrolled. */
export function howToEnrol(fleet: string, device = 'DEVICE'): string {
  return `To enrol a device: \`seaworthy device remove ${device}\`, then give it the agent.json of a signed key: \`seaworthy provisioning-key create --fleet ${fleet} --agent-config FILE --sign-with KEY-FILE\`, with as many keys of the product as must sign.`
}

export interface Holders extends RoleAuthority {
  readonly keyIds: readonly string[]
}

/** Who may enrol devices of a product: the keys that speak for the product itself. */
export async function requireHolders(product: string, current: CurrentMetadata): Promise<Holders> {
  const authority = currentAuthority(product, current)
  if (authority !== undefined) {
    return { ...authority, keyIds: await Promise.all(authority.keys.map((key) => keyId(key))) }
  }
  throw new CliError('refused', `the signed metadata has no product ${product}`, {
    wayOut: 'See `seaworthy product list` for the products there are.',
  })
}

export interface CheckedDevice {
  readonly deviceId: string
  readonly name: string | null
  /** The id of its signing key, which its enrolment names and no server chooses. */
  readonly keyId: string
  /** What its enrolment proves; `undefined` for a device that is not enrolled. */
  readonly enrolled: VerifiedEnrolment | undefined
  /** Why it is not enrolled, by code and in words. */
  readonly refusal: { readonly code: string; readonly why: string } | undefined
  /** What the server says is sealed to it. */
  readonly seals: EnrolmentView['seals']
}

export interface CheckedFleet {
  readonly fleet: string
  /** The server says so; `judgeReaders` compares it with what is remembered. */
  readonly product: string
  readonly devices: readonly CheckedDevice[]
}

/** Verifies the enrolment of each device of the fleet. */
export async function checkFleet(
  context: Context,
  connection: Connection,
  fleet: string,
): Promise<CheckedFleet> {
  const expected = await findHolders(context, connection, fleet)
  const shown = await collectPages((query) =>
    connection.client.call(listEnrolments, { params: { fleet }, query }),
  )
  const devices: CheckedDevice[] = []
  for (const one of shown) devices.push(await checkDevice(one, expected))
  return { fleet, product: expected.product, devices }
}

/** Verifies the enrolment of one device that has a key, as `checkFleet` does for all of a fleet. */
export async function checkOneDevice(
  context: Context,
  connection: Connection,
  fleet: string,
  shown: EnrolmentView,
): Promise<CheckedFleet> {
  const expected = await findHolders(context, connection, fleet)
  return { fleet, product: expected.product, devices: [await checkDevice(shown, expected)] }
}

async function findHolders(context: Context, connection: Connection, fleet: string) {
  const { product } = await connection.client.call(showFleet, { params: { fleet } })
  const view = await requireRepository(context, connection, [product])
  requireFresh(context, view, [product])
  return { fleet, product, holders: await requireHolders(product, view.current) }
}

async function checkDevice(
  { deviceId, name, publicKey, enrolment, seals }: EnrolmentView,
  expected: { holders: RoleAuthority; product: string; fleet: string },
): Promise<CheckedDevice> {
  const device = { deviceId, name, keyId: await keyId(publicKey), seals }
  const without = (code: string, why: string) => ({
    ...device,
    enrolled: undefined,
    refusal: { code, why },
  })
  if (enrolment === null) {
    return without('enrolment_missing', withoutEnrolment)
  }
  try {
    const enrolled = await verifyEnrolment(enrolment, { ...expected, publicKey })
    return { ...device, enrolled, refusal: undefined }
  } catch (error) {
    if (!(error instanceof TrustError)) throw error
    return without(error.code, error.message)
  }
}
