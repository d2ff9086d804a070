/** Setting, removing and reading variables and secrets. */
import type { readOwnSettings } from '@seaworthy/api/device-self'
import type { ReplyOf } from '@seaworthy/api/route'
import type { SecretView } from '@seaworthy/api/secrets'
import type { VariableView } from '@seaworthy/api/variables'
import { base64Decode, base64Encode, utf8Encode } from '@seaworthy/std/bytes'
import { invariant, Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import { SealError } from '../../config/master-key.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { getDevice } from '../../db/devices.ts'
import { notifyFleets } from '../../db/fleets.ts'
import * as db from '../../db/settings.ts'
import type { SettingRow, SettingScope } from '../../db/settings.ts'
import type { Actor } from '../access/index.ts'
import type { App } from '../app.ts'
import { findDevice } from '../devices/index.ts'
import { findFleet, nextConfigVersion, policyOf } from '../fleets/index.ts'
import type { SettingRefusal } from '../refusals.ts'
import type { HeldScope } from './held-secrets.ts'
import { openHeld, sealHeld, sealHeldSecrets } from './held-secrets.ts'
import { instantOrNull } from '../views.ts'

/** What opens the values that the server holds. */
type Keeper = Pick<App, 'masterKey'>

interface Asked {
  readonly fleet: string
  readonly deviceId?: string | undefined
}

/**
 * What a device may be sent of one scope, the seals that it may still have included. With this
 * limit, those of a fleet and of a device together fit into one message between an agent's
 * processes, Base64 and names included.
 */
const scopeBytesMax = 65_536
const scopeCountMax = 50

/** Throws `fleet_not_found`, `device_not_found`, `out_of_scope`. */
async function scopeOf(tx: ReadTx, actor: Actor, asked: Asked): Promise<SettingScope & HeldScope> {
  const fleet = await findFleet(tx, actor, asked.fleet)
  const at = { fleet: fleet.name, product: fleet.product }
  if (asked.deviceId === undefined) return { ...at, device: null }
  const device = await findDevice(tx, actor, asked.deviceId)
  if (device.fleet !== fleet.name) {
    throw new Refusal<SettingRefusal>(
      'device_elsewhere',
      `the device is in the fleet ${device.fleet}`,
    )
  }
  return { ...at, device: device.id }
}

/** Takes the next version, so that devices fetch what has changed. The fleet stays locked. */
async function raiseVersion(tx: WriteTx, fleet: string, wanted?: number): Promise<number> {
  const before = await db.lockConfigVersion(tx, fleet)
  invariant(before !== undefined, 'the fleet was found')
  const newest = nextConfigVersion(before, await tx.now())
  const version = wanted ?? newest
  // It must be the version that was next when it was asked for, and nothing may have been set
  // since.
  if (version <= before || version > newest) {
    throw new Refusal<SettingRefusal>(
      'configuration_changed',
      'something else of this fleet was set at the same time',
    )
  }
  await db.setConfigVersion(tx, fleet, version)
  await notifyFleets(tx)
  return version
}

async function requireRoom(tx: ReadTx, scope: SettingScope): Promise<void> {
  const { bytes, count } = await db.measureSettings(tx, scope)
  if (bytes <= scopeBytesMax && count <= scopeCountMax) return
  throw new Refusal<SettingRefusal>(
    'configuration_too_large',
    `variables and secrets of one fleet or device have at most ${scopeBytesMax} bytes together, and are at most ${scopeCountMax}; a longer secret from before counts until the new one is sealed to all that have it`,
  )
}

function isOf(row: SettingRow, { device }: SettingScope, name: string): boolean {
  return row.name === name && row.device === device
}

async function findSetting(
  tx: ReadTx,
  scope: SettingScope,
  name: string,
  kind: 'variable' | 'secret',
): Promise<SettingRow | undefined> {
  const row = (await db.listSettings(tx, scope)).find((one) => isOf(one, scope, name))
  if (row === undefined || (row.value === null) === (kind === 'secret')) return row
  throw new Refusal<SettingRefusal>(
    'setting_of_other_kind',
    `${name} is a ${kind === 'secret' ? 'variable' : 'secret'} there`,
  )
}

type Kept = Pick<SettingRow, 'holderKey' | 'holderCopy' | 'serverCopy'>
const keptByNobody: Kept = { holderKey: null, holderCopy: null, serverCopy: null }

/** Throws `configuration_too_large`. */
async function putSetting(
  tx: WriteTx,
  actor: Actor,
  scope: SettingScope,
  setting: Pick<SettingRow, 'name' | 'version' | 'value'> & Kept,
): Promise<SettingRow> {
  const set = { setAt: await tx.now(), setBy: actor.id, sealedAt: null, sealedBy: null }
  const row = { ...setting, ...set }
  const id = await db.putSetting(tx, scope, row)
  await requireRoom(tx, scope)
  return { ...row, id, device: scope.device, isPutBack: false }
}

/**
 * Sets the variable, unless it has that value already and nobody wants it tried again. Throws also
 * `setting_of_other_kind`, `configuration_too_large`.
 */
export async function setVariable(
  tx: WriteTx,
  actor: Actor,
  asked: Asked & {
    readonly name: string
    readonly value: string
    readonly isAgain?: boolean | undefined
  },
): Promise<{ view: VariableView; isUnchanged: boolean }> {
  const scope = await scopeOf(tx, actor, asked)
  await db.lockConfigVersion(tx, scope.fleet)
  const known = await findSetting(tx, scope, asked.name, 'variable')
  if (known?.value === asked.value && asked.isAgain !== true)
    return { view: viewVariable(known), isUnchanged: true }
  const version = await raiseVersion(tx, scope.fleet)
  const content = { ...keptByNobody, value: asked.value }
  const row = await putSetting(tx, actor, scope, { name: asked.name, version, ...content })
  return { view: viewVariable(row), isUnchanged: false }
}

/**
 * The copy that the server holds of an earlier version, if any, is destroyed. Throws also
 * `configuration_changed`, `setting_of_other_kind`, `configuration_too_large`.
 */
export async function setSecret(
  tx: WriteTx,
  keeper: Keeper,
  actor: Actor,
  asked: Asked & {
    readonly name: string
    readonly version: number
    readonly holderKey: string
    readonly holderCopy: string
  },
): Promise<SecretView> {
  const scope = await scopeOf(tx, actor, asked)
  const version = await raiseVersion(tx, scope.fleet, asked.version)
  await findSetting(tx, scope, asked.name, 'secret')
  const [holderKey, holderCopy] = [base64Decode(asked.holderKey), base64Decode(asked.holderCopy)]
  const content = { ...keptByNobody, value: null, holderKey, holderCopy }
  const row = await putSetting(tx, actor, scope, { name: asked.name, version, ...content })
  return viewSecret(keeper, scope, row)
}

/**
 * Sets a secret that the server holds, and can read. Throws also `configuration_changed`,
 * `setting_of_other_kind`, `configuration_too_large`.
 */
export async function setHeldSecret(
  tx: WriteTx,
  keeper: Keeper,
  actor: Actor,
  asked: Asked & { readonly name: string; readonly value: string; readonly product: string },
): Promise<SecretView> {
  const scope = await scopeOf(tx, actor, asked)
  // Whoever gives the value has said whose holders enrol those that get it.
  if (scope.product !== asked.product) {
    throw new Refusal<SettingRefusal>(
      'configuration_changed',
      'the fleet runs another product than the one that was named',
    )
  }
  const version = await raiseVersion(tx, scope.fleet)
  await findSetting(tx, scope, asked.name, 'secret')
  const { name } = asked
  const serverCopy = sealHeld(keeper.masterKey, { ...scope, name, version }, asked.value)
  const content = { ...keptByNobody, value: null, serverCopy }
  const row = await putSetting(tx, actor, scope, { name, version, ...content })
  return viewSecret(keeper, scope, row)
}

/** Throws also `secret_not_found`, `configuration_changed`, `seal_unusable`. */
export async function sealSecret(
  tx: WriteTx,
  actor: Actor,
  asked: Asked & {
    readonly name: string
    readonly version: number
    readonly seals: readonly { readonly deviceId: string; readonly sealed: string }[]
  },
): Promise<number> {
  const scope = await scopeOf(tx, actor, asked)
  await raiseVersion(tx, scope.fleet)
  const row = await findSetting(tx, scope, asked.name, 'secret')
  if (row === undefined) throw notFound('secret', asked.name)
  if (row.version !== asked.version) {
    throw new Refusal<SettingRefusal>('configuration_changed', 'the secret was set anew')
  }
  if (row.serverCopy !== null) {
    throw new Refusal<SettingRefusal>(
      'seal_unusable',
      'the server holds the secret, and seals it itself',
    )
  }
  const seals = asked.seals.map((one) => ({ ...one, sealed: base64Decode(one.sealed) }))
  const ids = seals.map(({ deviceId }) => deviceId)
  const known = await db.findFleetDevices(tx, scope.fleet, ids)
  const isSound =
    new Set(ids).size === ids.length &&
    ids.every((id) => known.includes(id) && (scope.device === null || id === scope.device)) &&
    seals.every(({ sealed }) => sealed.length === row.holderCopy?.length)
  if (!isSound) {
    throw new Refusal<SettingRefusal>(
      'seal_unusable',
      'a seal is for a device that is not there, or of another length',
    )
  }
  await db.putSeals(tx, row, seals, { at: await tx.now(), by: actor.id })
  return seals.length
}

function notFound(kind: 'variable' | 'secret', name: string): Refusal<SettingRefusal> {
  return new Refusal<SettingRefusal>(`${kind}_not_found`, `there is no ${kind} ${name}`)
}

/** Throws also `variable_not_found`, `secret_not_found`. */
export async function removeSetting(
  tx: WriteTx,
  actor: Actor,
  kind: 'variable' | 'secret',
  asked: Asked & { readonly name: string },
): Promise<void> {
  const scope = await scopeOf(tx, actor, asked)
  await raiseVersion(tx, scope.fleet)
  const row = await findSetting(tx, scope, asked.name, kind)
  if (row === undefined) throw notFound(kind, asked.name)
  await db.deleteSetting(tx, row.id)
}

export async function listVariables(
  tx: ReadTx,
  actor: Actor,
  asked: Asked,
): Promise<{ version: number; items: VariableView[] }> {
  const scope = await scopeOf(tx, actor, asked)
  // The version is read before the settings: a device that has it has at least what is listed.
  const { configVersion: version } = await findFleet(tx, actor, scope.fleet)
  const rows = await db.listSettings(tx, scope)
  return { version, items: rows.flatMap((row) => (row.value === null ? [] : [viewVariable(row)])) }
}

export async function listSecrets(
  tx: ReadTx,
  keeper: Keeper,
  actor: Actor,
  asked: Asked,
  now: Date,
): Promise<{ version: number; nextVersion: number; items: SecretView[] }> {
  const scope = await scopeOf(tx, actor, asked)
  const fleet = await findFleet(tx, actor, scope.fleet)
  const rows = await db.listSettings(tx, scope)
  return {
    version: fleet.configVersion,
    nextVersion: nextConfigVersion(fleet.configVersion, now),
    items: rows.flatMap((row) =>
      row.value === null
        ? [viewSecret(keeper, { fleet: fleet.name, product: fleet.product }, row)]
        : [],
    ),
  }
}

function viewOf(row: SettingRow) {
  return {
    name: row.name,
    deviceId: row.device,
    version: row.version,
    setAt: formatInstant(row.setAt),
    setBy: row.setBy,
  }
}

function viewVariable(row: SettingRow): VariableView {
  return { ...viewOf(row), value: row.value ?? '' }
}

function viewSecret(keeper: Keeper, at: HeldScope, row: SettingRow): SecretView {
  const { holderKey, holderCopy, serverCopy } = row
  const isHeld = serverCopy !== null
  return {
    ...viewOf(row),
    keeper: isHeld ? 'server' : 'people',
    isDamaged: isHeld && isDamaged(keeper, at, row),
    sealedAt: instantOrNull(row.sealedAt),
    sealedBy: row.sealedBy,
    holderKey: holderKey && base64Encode(holderKey),
    holderCopy: holderCopy && base64Encode(holderCopy),
  }
}

/** Whether what the server holds cannot be opened as the setting that it is stored as. */
function isDamaged({ masterKey }: Keeper, at: HeldScope, row: SettingRow): boolean {
  try {
    openHeld(masterKey, at, row).fill(0)
    return false
  } catch (error) {
    if (error instanceof SealError) return true
    throw error
  }
}

/** What the device's application gets. Throws `device_removed`. */
export async function readDeviceSettings(
  app: Pick<App, 'callerLog' | 'db' | 'fleets' | 'masterKey' | 'trust'>,
  deviceId: string,
): Promise<ReplyOf<typeof readOwnSettings>> {
  const device = await getDevice(app.db.reader, deviceId)
  if (device === undefined)
    throw new Refusal<'device_removed'>('device_removed', 'the device was removed')
  // The version is read before the settings: any change in between raises it again.
  const { configVersion } = await policyOf(app, device.fleet)
  await sealHeldSecrets(app, device)
  const rows = await db.listDeviceSettings(app.db.reader, { fleet: device.fleet, device: deviceId })
  const names = new Set<string>()
  const entries = rows.flatMap((row) => {
    if (names.has(row.name)) return []
    names.add(row.name)
    const { name, isOfFleet, version, value, sealed } = row
    const kind = value === null ? ('secret' as const) : ('variable' as const)
    const content = base64Encode(
      sealed !== null && value === null ? sealed : utf8Encode(value ?? ''),
    )
    return [{ name, kind, isOfFleet, version, content }]
  })
  return { version: configVersion, fleet: device.fleet, entries }
}
