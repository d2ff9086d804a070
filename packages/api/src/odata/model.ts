/**
 * What can be asked by OData: entity sets with their properties and links, as data. Names are those
 * of the views under `/v1`.
 */

export type ValueType = 'text' | 'whole' | 'instant' | 'truth'

export interface Property {
  readonly type: ValueType
  readonly isNullable: boolean
  /** Whether an index finds rows by it, and lists them in its order. */
  readonly isIndexed: boolean
}

export interface EntityLink {
  readonly to: string
  readonly isMany: boolean
  /** Whether an index finds the rows that lead to a row of the other set. */
  readonly isIndexed: boolean
  /** Whether it leads to so few rows that all of them may be read for each row of this set. */
  readonly isFew: boolean
}

export interface EntitySet {
  /** The name of the type of one entity. */
  readonly type: string
  /** Whether there may be so many that no question may read all of them. */
  readonly isLarge: boolean
  readonly key: readonly string[]
  /** What `$search` looks into; without it, the set cannot be searched. */
  readonly search: readonly string[]
  readonly properties: Readonly<Record<string, Property>>
  readonly links: Readonly<Record<string, EntityLink>>
}

const of = (type: ValueType, { isNullable = false, isIndexed = false } = {}): Property => ({
  type,
  isNullable,
  isIndexed,
})
const text = of('text')
const whole = of('whole')
const instant = of('instant')
const truth = of('truth')
const maybe = ({ type }: Property): Property => of(type, { isNullable: true })
const indexed = ({ type, isNullable }: Property): Property =>
  of(type, { isNullable, isIndexed: true })

const one = (to: string): EntityLink => ({ to, isMany: false, isIndexed: false, isFew: true })
const oneByIndex = (to: string): EntityLink => ({ ...one(to), isIndexed: true })
const few = (to: string): EntityLink => ({ to, isMany: true, isIndexed: true, isFew: true })
const many = (to: string): EntityLink => ({ ...few(to), isFew: false })

export const entitySets = {
  products: {
    type: 'Product',
    isLarge: false,
    key: ['name'],
    search: ['name'],
    properties: { name: text, version: whole, expiresAt: instant },
    links: {
      hasChannels: few('channels'),
      hasReleases: many('releases'),
      hasFleets: many('fleets'),
    },
  },
  channels: {
    type: 'Channel',
    isLarge: false,
    key: ['product', 'name'],
    search: ['product', 'name'],
    properties: {
      product: text,
      name: text,
      version: whole,
      expiresAt: instant,
      newestVersion: maybe(text),
      newestCounter: maybe(whole),
    },
    links: { ofProduct: one('products'), hasFleets: many('fleets') },
  },
  releases: {
    type: 'Release',
    isLarge: false,
    key: ['product', 'version'],
    search: ['product', 'version'],
    properties: {
      product: text,
      version: text,
      kind: text,
      digest: text,
      length: whole,
      totalBytes: whole,
      createdAt: instant,
      createdBy: text,
    },
    links: { ofProduct: one('products'), hasRollouts: many('rollouts') },
  },
  fleets: {
    type: 'Fleet',
    isLarge: false,
    key: ['name'],
    search: ['name', 'product'],
    properties: {
      name: text,
      product: text,
      channel: text,
      pollSeconds: whole,
      pinnedVersion: maybe(text),
      updatesEnabled: truth,
      follow: text,
      baselineVersion: maybe(text),
      sharedIdentity: text,
      createdAt: instant,
    },
    links: {
      ofProduct: one('products'),
      ofChannel: one('channels'),
      hasDevices: many('devices'),
      hasRollouts: many('rollouts'),
      hasVariables: few('fleetVariables'),
    },
  },
  devices: {
    type: 'Device',
    isLarge: true,
    key: ['id'],
    search: ['id', 'name'],
    properties: {
      id: indexed(text),
      fleet: indexed(text),
      name: indexed(maybe(text)),
      protocol: text,
      platform: indexed(text),
      hardware: maybe(text),
      agentVersion: text,
      registeredAt: indexed(instant),
      lastSeenAt: maybe(instant),
      runningVersion: maybe(text),
      runningSha256: maybe(text),
      unsignedVersion: maybe(text),
      updateState: maybe(text),
      clockOffsetSeconds: maybe(whole),
      identitySharedSince: maybe(instant),
    },
    links: {
      inFleet: oneByIndex('fleets'),
      hasTags: few('deviceTags'),
      hasUpdates: few('updates'),
      hasVariables: few('deviceVariables'),
    },
  },
  deviceTags: {
    type: 'DeviceTag',
    isLarge: true,
    key: ['device', 'name'],
    search: [],
    properties: { device: indexed(text), name: text, value: text },
    links: { ofDevice: oneByIndex('devices') },
  },
  rollouts: {
    type: 'Rollout',
    isLarge: false,
    key: ['id'],
    search: ['id', 'fleet', 'version'],
    properties: {
      id: text,
      fleet: text,
      product: text,
      channel: text,
      version: text,
      sha256: text,
      counter: whole,
      state: text,
      stopCode: maybe(text),
      stopReason: maybe(text),
      wayBackOf: maybe(text),
      createdAt: instant,
      createdBy: text,
      startAt: instant,
      endedAt: maybe(instant),
    },
    links: {
      inFleet: one('fleets'),
      ofRelease: one('releases'),
      isWayBackOf: one('rollouts'),
      hasUpdates: many('updates'),
    },
  },
  updates: {
    type: 'Update',
    isLarge: true,
    key: ['rollout', 'device'],
    search: [],
    properties: {
      rollout: indexed(text),
      device: indexed(text),
      wave: whole,
      attempt: whole,
      state: text,
      code: maybe(text),
      offeredAt: instant,
      changedAt: instant,
      deadlineAt: instant,
      endedAt: maybe(instant),
    },
    links: { ofRollout: oneByIndex('rollouts'), ofDevice: oneByIndex('devices') },
  },
  fleetVariables: {
    type: 'FleetVariable',
    isLarge: false,
    key: ['fleet', 'name'],
    search: ['fleet', 'name'],
    properties: {
      fleet: text,
      name: text,
      value: text,
      version: whole,
      setAt: instant,
      setBy: text,
    },
    links: { inFleet: one('fleets') },
  },
  deviceVariables: {
    type: 'DeviceVariable',
    isLarge: true,
    key: ['device', 'name'],
    search: [],
    properties: {
      device: indexed(text),
      name: text,
      value: text,
      version: whole,
      setAt: instant,
      setBy: text,
    },
    links: { ofDevice: oneByIndex('devices') },
  },
} as const satisfies Readonly<Record<string, EntitySet>>

export type SetName = keyof typeof entitySets

/** Every set by its name, for looking up a name that a caller has sent. */
export const setsByName: ReadonlyMap<string, EntitySet> = new Map(Object.entries(entitySets))
