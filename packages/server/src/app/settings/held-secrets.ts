/**
 * Secrets that the server holds for those who want that: whoever has the server and its master key
 * can read them. They are sealed under that key together with what they are, so that no row can
 * stand for another. A device gets one as it gets any secret, sealed to its own key; the server
 * seals when the device asks, and only if holders have enrolled it by the key that was named with
 * the provisioning key with which it registered: an enrolment key ends with its provisioning key.
 */
import { base64Decode, joinBytes, utf8Encode } from '@seaworthy/std/bytes'
import { TrustError } from '@seaworthy/std/refusal'
import { verifyEnrolment } from '@seaworthy/trust/enrolment'
import { createSecretEnvelope } from '@seaworthy/trust/secrets'
import { canonicalJson } from '@seaworthy/trust/tuf'
import type { MasterKey } from '../../config/master-key.ts'
import { SealError } from '../../config/master-key.ts'
import type { DeviceRow } from '../../db/devices.ts'
import { findEnrolment } from '../../db/devices.ts'
import * as db from '../../db/settings.ts'
import type { HeldSetting, SettingScope } from '../../db/settings.ts'
import type { App } from '../app.ts'
import { findNamedEnrolmentKey } from '../../db/provisioning-keys.ts'
import { policyOf } from '../fleets/index.ts'
import { findHolders } from '../trust/index.ts'

type Deps = Pick<App, 'callerLog' | 'db' | 'fleets' | 'masterKey' | 'trust'>

/** A fleet with the product that it runs, whose holders say which devices are enrolled. */
export interface HeldScope {
  readonly fleet: string
  readonly product: string
}

/** What a value is bound to: its product, scope, name and version. */
type Bound = SettingScope & HeldScope & { readonly name: string; readonly version: number }

/** The version of this form of binding, as the seal names it. */
const sealVersion = 2

function bindingOf({ product, fleet, device, name, version }: Bound): Uint8Array<ArrayBuffer> {
  const scope = device === null ? { fleet } : { device }
  return joinBytes([canonicalJson({ product, ...scope, name, version }), utf8Encode('\n')])
}

/** `value` is Base64. */
export function sealHeld(masterKey: MasterKey, bound: Bound, value: string): Uint8Array {
  const plain = joinBytes([bindingOf(bound), base64Decode(value)])
  const sealed = masterKey.seal('held-secret', sealVersion, plain)
  plain.fill(0)
  return sealed
}

/**
 * Throws `SealError` for a row that was exchanged for another one, changed, put back after a later
 * version had been sealed to some device, or whose fleet runs another product now.
 */
export function openHeld(
  masterKey: MasterKey,
  { fleet, product }: HeldScope,
  { name, device, version, serverCopy, isPutBack }: HeldSetting,
): Uint8Array<ArrayBuffer> {
  if (isPutBack) throw new SealError('an earlier version of the secret was put back')
  const sealed = serverCopy ?? new Uint8Array()
  const plain = new Uint8Array(masterKey.open('held-secret', sealVersion, sealed))
  const binding = bindingOf({ product, fleet, device, name, version })
  if (!binding.every((byte, i) => plain[i] === byte)) {
    throw new SealError('the secret is stored in the place of another one')
  }
  return plain.slice(binding.length)
}

/**
 * Seals to the device what the server holds for it and has not sealed yet. What does not open is
 * logged, and the device waits for it.
 */
export async function sealHeldSecrets(app: Deps, device: DeviceRow): Promise<void> {
  const rows = await db.listUnsealedHeld(app.db.reader, { fleet: device.fleet, device: device.id })
  if (rows.length === 0) return
  // One reading of the product decides whose holders are asked and what opens.
  const { product } = await policyOf(app, device.fleet)
  const at = { fleet: device.fleet, product }
  const receivingKey = await findReceivingKey(app, device, product)
  if (receivingKey === undefined || device.keyId === null) return
  const envelope = await createSecretEnvelope()
  const seals: Parameters<typeof db.putServerSeals>[2][number][] = []
  for (const row of rows) {
    const value = openRow(app, device.id, { at, row })
    if (value === undefined) continue
    const { id, name, version } = row
    const scope = row.device === null ? { fleet: device.fleet } : ('device' as const)
    const binding = { scope, name, version, deviceKeyId: device.keyId }
    seals.push({ id, version, sealed: await envelope.seal(receivingKey, binding, value) })
    value.fill(0)
  }
  if (seals.length > 0) await app.db.write((tx) => db.putServerSeals(tx, device.id, seals))
}

function openRow(
  app: Deps,
  id: string,
  { at, row }: { readonly at: HeldScope; readonly row: HeldSetting },
) {
  try {
    return openHeld(app.masterKey, at, row)
  } catch (error) {
    if (!(error instanceof SealError)) throw error
    app.callerLog.error(id, 'secret.not-opened', { device: id, ...at, name: row.name, error })
    return undefined
  }
}

/**
 * The key of a device that holders have enrolled in its fleet, by the key that was named with its
 * provisioning key; `undefined` for any other.
 */
async function findReceivingKey(app: Deps, { id, fleet, publicKey }: DeviceRow, product: string) {
  const holders = findHolders(app.trust.state(), product)
  const enrolment = await findEnrolment(app.db.reader, id)
  if (holders === undefined || enrolment === null || publicKey === null) return undefined
  try {
    const verified = await verifyEnrolment(enrolment, { holders, product, fleet, publicKey })
    const named = await findNamedEnrolmentKey(app.db.reader, id)
    if (named === verified.provisioningKeyId) return verified.receivingKey
    const enrolmentKeyId = verified.provisioningKeyId
    app.callerLog.warn(id, 'secret.enrolment-key-not-named', { device: id, fleet, enrolmentKeyId })
    return undefined
  } catch (error) {
    if (error instanceof TrustError) return undefined
    throw error
  }
}
