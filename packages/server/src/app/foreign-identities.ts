/**
 * Who holds a token of a foreign device or of a gateway, from memory. An answer is kept until a notification says that
 * something about it changed, and everything is forgotten when listening was interrupted. What these devices change in the
 * database is checked against their row once more, so that a missed notification changes nothing that is kept.
 */
import type { Db } from '../db/connection.ts'
import type { ForeignDeviceRow, ForeignProtocol } from '../db/foreign-devices.ts'
import { getDeviceBehind, getForeignDevice, getGatewayToken } from '../db/foreign-devices.ts'
import type { RemovedDevices } from './app.ts'
import { isSameSecret, parseCredential } from './credentials.ts'

export interface ForeignIdentity {
  readonly deviceId: string
  readonly protocol: ForeignProtocol
  /** `null` before its first use. */
  readonly externalId: string | null
  /** `null` for a device with a token of its own. */
  readonly gatewayId: string | null
  /** Of the token; `null` behind a gateway. */
  readonly secretSha256: Uint8Array | null
}

export interface GatewayIdentity {
  readonly id: string
  readonly fleet: string
}

export interface ForeignIdentities {
  /** The device whose own token this is; `undefined` for anything else, removed devices included. */
  identifyDevice(token: string): Promise<ForeignIdentity | undefined>
  identifyGateway(token: string): Promise<GatewayIdentity | undefined>
  /** Among the devices that this gateway registered. */
  findBehind(gatewayId: string, externalId: string): Promise<ForeignIdentity | undefined>
  /** Something about this device or gateway has changed. */
  forget(id: string): void
  forgetAll(): void
}

interface Known<T> {
  readonly identity: T
  /** Latin-1: a tenth of the memory of a byte array. */
  readonly secret: string
}

/** About 200 bytes each. Beyond it the oldest are looked up again, one read by key. */
const devicesMax = 1_000_000
const gatewaysMax = 10_000

export function createForeignIdentities(db: Db, removed: RemovedDevices): ForeignIdentities {
  const devices = createMemory<Known<ForeignIdentity>>(devicesMax)
  const gateways = createMemory<Known<GatewayIdentity>>(gatewaysMax)
  const behind = createMemory<ForeignIdentity>(devicesMax)
  return {
    async identifyDevice(token) {
      const credential = parseCredential(token)
      if (credential?.kind !== 'device' || removed.has(credential.id)) return undefined
      const known = await devices.get(credential.id, async () => {
        const row = await getForeignDevice(db.reader, credential.id)
        if (row === undefined || row.secretSha256 === null) return undefined
        return { identity: identityOf(row), secret: latin1(row.secretSha256) }
      })
      return isHeld(known, credential.secretSha256)
        ? { ...known.identity, secretSha256: credential.secretSha256 }
        : undefined
    },
    async identifyGateway(token) {
      const credential = parseCredential(token)
      if (credential?.kind !== 'gateway') return undefined
      const known = await gateways.get(credential.id, async () => {
        const row = await getGatewayToken(db.reader, credential.id)
        if (row === undefined || row.revokedAt !== null) return undefined
        return { identity: { id: row.id, fleet: row.fleet }, secret: latin1(row.secretSha256) }
      })
      return isHeld(known, credential.secretSha256) ? known.identity : undefined
    },
    async findBehind(gatewayId, externalId) {
      const found = await behind.get(`${gatewayId}/${externalId}`, async () => {
        const row = await getDeviceBehind(db.reader, gatewayId, externalId)
        return row && identityOf(row)
      })
      return found === undefined || removed.has(found.deviceId) ? undefined : found
    },
    forget(id) {
      devices.forget(id)
      gateways.forget(id)
    },
    forgetAll() {
      devices.clear()
      gateways.clear()
      behind.clear()
    },
  }
}

function identityOf(row: ForeignDeviceRow): ForeignIdentity {
  return {
    deviceId: row.device,
    protocol: row.protocol,
    externalId: row.externalId,
    gatewayId: row.gateway,
    secretSha256: null,
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

function isHeld<T>(known: Known<T> | undefined, secretSha256: Uint8Array): known is Known<T> {
  return known !== undefined && isSameSecret(Buffer.from(known.secret, 'latin1'), secretSha256)
}

interface Memory<T> {
  get(id: string, load: () => Promise<T | undefined>): Promise<T | undefined>
  forget(id: string): void
  clear(): void
}

/** Bounded; what was forgotten while it was being loaded is not kept. */
function createMemory<T>(max: number): Memory<T> {
  const entries = new Map<string, T>()
  let forgottenCount = 0
  return {
    async get(id, load) {
      const known = entries.get(id)
      if (known !== undefined) return known
      const before = forgottenCount
      const loaded = await load()
      if (loaded === undefined || before !== forgottenCount) return loaded
      if (entries.size >= max) entries.delete(entries.keys().next().value!)
      entries.set(id, loaded)
      return loaded
    },
    forget(id) {
      forgottenCount++
      entries.delete(id)
    },
    clear() {
      forgottenCount++
      entries.clear()
    },
  }
}
