/**
 * Finds the holder of a token of a foreign device or of a gateway, from memory. An answer is kept
 * until a notification says that something about it changed, and all answers are forgotten when
 * listening was interrupted. What these devices change in the database is checked against their row
 * once more, so a missed notification cannot affect what is stored.
 */
import type { Db } from '../../db/connection.ts'
import type { ForeignDeviceRow } from '../../db/foreign-devices.ts'
import { getGatewayToken, listDevicesBehind, listForeignDevices } from '../../db/foreign-devices.ts'
import type {
  Ports,
  RemovedDevices,
  ForeignIdentity,
  GatewayIdentity,
  ForeignIdentities,
} from '../app.ts'
import { createBatches, refuseOverload } from '../worker/index.ts'
import { isSameSecret, parseCredential } from '../access/index.ts'

interface Known<T> {
  readonly identity: T
  /** The secret as Latin-1 text, which takes a tenth of the memory of a byte array. */
  readonly secret: string
}

/**
 * Each device takes about 200 bytes. Beyond this many, the oldest are forgotten and looked up
 * again, at one read by key.
 */
const devicesMax = 1_000_000
const gatewaysMax = 10_000

export function createForeignIdentities(
  db: Db,
  removed: RemovedDevices,
  ports: Pick<Ports, 'clock' | 'sleep' | 'random'>,
): ForeignIdentities {
  const devices = createMemory<Known<ForeignIdentity>>(devicesMax, ports, async (ids) => {
    const rows = await listForeignDevices(db.reader, ids)
    return new Map(
      rows.flatMap((row) =>
        row.secretSha256 === null
          ? []
          : [[row.device, { identity: identityOf(row), secret: latin1(row.secretSha256) }]],
      ),
    )
  })
  const gateways = createMemory<Known<GatewayIdentity>>(gatewaysMax, ports, async (ids) => {
    const rows = await Promise.all(ids.map((id) => getGatewayToken(db.reader, id)))
    return new Map(
      rows.flatMap((row) =>
        row === undefined || row.revokedAt !== null
          ? []
          : [
              [
                row.id,
                { identity: { id: row.id, fleet: row.fleet }, secret: latin1(row.secretSha256) },
              ],
            ],
      ),
    )
  })
  const behind = createMemory<ForeignIdentity>(devicesMax, ports, async (names) => {
    const rows = await listDevicesBehind(db.reader, names.map(parseName))
    return new Map(
      rows.map((row) => [formatName(row.gateway!, row.externalId!), identityOf(row)] as const),
    )
  })
  return {
    async identifyDevice(token) {
      const credential = parseCredential(token)
      if (credential?.kind !== 'device' || removed.has(credential.id)) return undefined
      const known = await devices.get(credential.id)
      return isHeld(known, credential.secretSha256)
        ? { ...known.identity, secretSha256: credential.secretSha256 }
        : undefined
    },
    async identifyGateway(token) {
      const credential = parseCredential(token)
      if (credential?.kind !== 'gateway') return undefined
      const known = await gateways.get(credential.id)
      return isHeld(known, credential.secretSha256) ? known.identity : undefined
    },
    async findBehind(gatewayId, externalId) {
      const found = await behind.get(formatName(gatewayId, externalId))
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

/** The name can be parsed again because a gateway's id has no slash. */
function formatName(gateway: string, externalId: string): string {
  return `${gateway}/${externalId}`
}

function parseName(name: string): { gateway: string; externalId: string } {
  const slash = name.indexOf('/')
  return { gateway: name.slice(0, slash), externalId: name.slice(slash + 1) }
}

interface Memory<T> {
  get(id: string): Promise<T | undefined>
  forget(id: string): void
  clear(): void
}

interface LookUp<T> {
  readonly id: string
  readonly resolve: (found: T | undefined) => void
  readonly reject: (error: unknown) => void
}

/**
 * A bounded cache; an entry that was forgotten while it was being loaded is not kept. Unknown
 * devices are looked up together: after a start of the server each device of a large fleet is
 * looked up once, and none of them costs a query of its own.
 */
function createMemory<T>(
  max: number,
  ports: Pick<Ports, 'clock' | 'sleep' | 'random'>,
  load: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>,
): Memory<T> {
  const entries = new Map<string, T>()
  /** Look-ups that are under way: a caller that asks for the same waits for the same answer. */
  const asked = new Map<string, Promise<T | undefined>>()
  let forgottenCount = 0
  const lookUps = createBatches<LookUp<T>>(ports, {
    keyOf: ({ id }) => id,
    times: { usualMs: 0, fewMs: 0 },
    async write(batch) {
      const before = forgottenCount
      try {
        const loaded = await load(batch.map(({ id }) => id))
        for (const { id, resolve } of batch) {
          const found = loaded.get(id)
          if (found !== undefined && before === forgottenCount) keep(id, found)
          resolve(found)
        }
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    },
  })
  const keep = (id: string, found: T) => {
    if (entries.size >= max) entries.delete(entries.keys().next().value!)
    entries.set(id, found)
  }
  return {
    async get(id) {
      const known = entries.get(id)
      if (known !== undefined) return known
      const underWay = asked.get(id)
      if (underWay !== undefined) return await underWay
      refuseOverload(lookUps.backlog(), ports.random)
      const lookUp = new Promise<T | undefined>((resolve, reject) =>
        lookUps.add({ id, resolve, reject }),
      )
      asked.set(id, lookUp)
      try {
        return await lookUp
      } finally {
        if (asked.get(id) === lookUp) asked.delete(id)
      }
    },
    forget(id) {
      forgottenCount++
      entries.delete(id)
      asked.delete(id)
    },
    clear() {
      forgottenCount++
      entries.clear()
      asked.clear()
    },
  }
}
