/**
 * Where each entity set of OData is found in the database, and which of its rows somebody may see.
 */
import type { SetName, entitySets } from '@seaworthy/api/odata'
import type { Scope } from '@seaworthy/fleet/access'
import type { Part } from './parts.ts'
import { part } from './parts.ts'

/** Products and channels are in no table: the signed metadata has them. */
export interface Published {
  readonly products: readonly {
    readonly name: string
    readonly version: number
    readonly expiresAt: string
  }[]
  readonly channels: readonly {
    readonly product: string
    readonly name: string
    readonly version: number
    readonly expiresAt: string
    readonly newestVersion: string | null
    readonly newestCounter: number | null
  }[]
}

export interface Reach {
  readonly scope: Scope
  readonly published: Published
}

export interface Table {
  /** What rows are read from; the name of a row is `e`. */
  readonly from: (e: Part, reach: Reach) => Part
  /** Whether somebody reaches the row; `null` where everybody who may read the set does. */
  readonly reached: (e: Part, reach: Reach) => Part | null
  readonly columns: Readonly<Record<string, (e: Part) => Part>>
  /** Whether a link leads from `e` to `to`. */
  readonly links: Readonly<Record<string, (e: Part, to: Part) => Part>>
}

type Sets = typeof entitySets
type TableOf<S extends SetName> = Table & {
  readonly columns: Readonly<Record<keyof Sets[S]['properties'], (e: Part) => Part>>
  readonly links: Readonly<Record<keyof Sets[S]['links'], (e: Part, to: Part) => Part>>
}

const textList = (names: readonly string[]) => part`${names}::text[]`

function ofProduct(product: Part, { scope: { products } }: Reach): Part | null {
  return products && part`${product} = any(${textList(products)})`
}

/** Whether a fleet is reached, which both its name and its product decide. */
function ofFleet(name: Part, product: Part, reach: Reach): Part | null {
  const { fleets } = reach.scope
  const byProduct = ofProduct(product, reach)
  const byName = fleets && part`${name} = any(${textList(fleets)})`
  if (byName === null || byProduct === null) return byName ?? byProduct
  return part`(${byName} and ${byProduct})`
}

/** Whether a row that has only the name of its fleet is reached. */
function inFleet(name: Part, reach: Reach): Part | null {
  const isReached = ofFleet(part`f.name`, part`f.product`, reach)
  return isReached && part`${name} in (select f.name from fleets f where ${isReached})`
}

function onDevice(id: Part, reach: Reach): Part | null {
  const isReached = inFleet(part`d.fleet`, reach)
  return isReached && part`exists (select 1 from devices d where d.id = ${id} and ${isReached})`
}

const columnsNamed = <Name extends string>(columns: Record<Name, string>) =>
  Object.fromEntries(
    Object.entries<string>(columns).map(([name, column]) => [name, ofColumn(column)]),
  ) as Record<Name, (e: Part) => Part>

/** Columns of this program's own tables; `column` is a constant of this file. */
function ofColumn(column: string): (e: Part) => Part {
  const text = Object.freeze([`.${column}`]) as unknown as TemplateStringsArray
  const suffix = part(text)
  return (e) => part`${e}${suffix}`
}

const report = (e: Part, path: Part) =>
  part`(select r.report ${path} from last_reports r where r.device = ${e}.id)`

const rowsOf = (rows: readonly object[]) =>
  part`jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)`

const tables = {
  products: {
    from: (e, { published }) =>
      part`(select * from ${rowsOf(published.products)} as x (name text, version bigint, "expiresAt" timestamptz)) ${e}`,
    reached: (e, reach) => ofProduct(part`${e}.name`, reach),
    columns: columnsNamed({ name: 'name', version: 'version', expiresAt: '"expiresAt"' }),
    links: {
      hasChannels: (e, to) => part`${to}.product = ${e}.name`,
      hasReleases: (e, to) => part`${to}.product = ${e}.name`,
      hasFleets: (e, to) => part`${to}.product = ${e}.name`,
    },
  },
  channels: {
    from: (e, { published }) =>
      part`(select * from ${rowsOf(published.channels)} as x (product text, name text, version bigint, "expiresAt" timestamptz,
        "newestVersion" text, "newestCounter" bigint)) ${e}`,
    reached: (e, reach) => ofProduct(part`${e}.product`, reach),
    columns: columnsNamed({
      product: 'product',
      name: 'name',
      version: 'version',
      expiresAt: '"expiresAt"',
      newestVersion: '"newestVersion"',
      newestCounter: '"newestCounter"',
    }),
    links: {
      ofProduct: (e, to) => part`${to}.name = ${e}.product`,
      hasFleets: (e, to) => part`(${to}.product = ${e}.product and ${to}.channel = ${e}.name)`,
    },
  },
  releases: {
    from: (e) => part`releases ${e}`,
    reached: (e, reach) => ofProduct(part`${e}.product`, reach),
    columns: columnsNamed({
      product: 'product',
      version: 'version',
      kind: 'kind',
      digest: 'digest',
      length: 'length',
      totalBytes: 'total_bytes',
      createdAt: 'created_at',
      createdBy: 'created_by',
    }),
    links: {
      ofProduct: (e, to) => part`${to}.name = ${e}.product`,
      hasRollouts: (e, to) => part`(${to}.product = ${e}.product and ${to}.version = ${e}.version)`,
    },
  },
  fleets: {
    from: (e) => part`(select * from fleets where removed_at is null) ${e}`,
    reached: (e, reach) => ofFleet(part`${e}.name`, part`${e}.product`, reach),
    columns: columnsNamed({
      name: 'name',
      product: 'product',
      channel: 'channel',
      pollSeconds: 'poll_seconds',
      pinnedVersion: 'pinned_version',
      updatesEnabled: 'updates_enabled',
      follow: 'follow',
      baselineVersion: 'baseline_version',
      sharedIdentity: 'shared_identity',
      createdAt: 'created_at',
    }),
    links: {
      ofProduct: (e, to) => part`${to}.name = ${e}.product`,
      ofChannel: (e, to) => part`(${to}.product = ${e}.product and ${to}.name = ${e}.channel)`,
      hasDevices: (e, to) => part`${to}.fleet = ${e}.name`,
      hasRollouts: (e, to) => part`${to}.fleet = ${e}.name`,
      hasVariables: (e, to) => part`${to}.fleet = ${e}.name`,
    },
  },
  devices: {
    from: (e) => part`devices ${e}`,
    reached: (e, reach) => inFleet(part`${e}.fleet`, reach),
    columns: {
      ...columnsNamed({
        id: 'id',
        fleet: 'fleet',
        protocol: 'protocol',
        platform: 'platform',
        hardware: 'hardware',
        agentVersion: 'agent_version',
        registeredAt: 'registered_at',
        clockOffsetSeconds: 'clock_offset_seconds',
      }),
      // The index of names sorts them so, whatever the collation of the database.
      name: (e) => part`(${e}.name collate "C")`,
      lastSeenAt: (e) => part`(select s.seen_at from device_states s where s.device = ${e}.id)`,
      runningVersion: (e) => report(e, part`-> 'running' ->> 'version'`),
      runningSha256: (e) => report(e, part`-> 'running' ->> 'sha256'`),
      unsignedVersion: (e) => report(e, part`->> 'unsignedVersion'`),
      updateState: (e) => report(e, part`-> 'update' ->> 'state'`),
      identitySharedSince: (e) =>
        part`(select t.shared_since from identity_traces t where t.device = ${e}.id)`,
    },
    links: {
      inFleet: (e, to) => part`${to}.name = ${e}.fleet`,
      hasTags: (e, to) => part`${to}.device = ${e}.id`,
      hasUpdates: (e, to) => part`${to}.device = ${e}.id`,
      hasVariables: (e, to) => part`${to}.device = ${e}.id`,
    },
  },
  deviceTags: {
    from: (e) =>
      part`(select d.id as device, d.fleet, d.tags, t.key as name, t.value from devices d
        cross join lateral jsonb_each_text(d.tags) t) ${e}`,
    reached: (e, reach) => inFleet(part`${e}.fleet`, reach),
    columns: columnsNamed({ device: 'device', name: 'name', value: 'value' }),
    links: { ofDevice: (e, to) => part`${to}.id = ${e}.device` },
  },
  rollouts: {
    from: (e) => part`rollouts ${e}`,
    reached: (e, reach) => ofFleet(part`${e}.fleet`, part`${e}.product`, reach),
    columns: columnsNamed({
      id: 'id',
      fleet: 'fleet',
      product: 'product',
      channel: 'channel',
      version: 'version',
      sha256: 'sha256',
      counter: 'counter',
      state: 'state',
      stopCode: 'stop_code',
      stopReason: 'stop_reason',
      wayBackOf: 'way_back_of',
      createdAt: 'created_at',
      createdBy: 'created_by',
      startAt: 'start_at',
      endedAt: 'ended_at',
    }),
    links: {
      inFleet: (e, to) => part`${to}.name = ${e}.fleet`,
      ofRelease: (e, to) => part`(${to}.product = ${e}.product and ${to}.version = ${e}.version)`,
      isWayBackOf: (e, to) => part`${to}.id = ${e}.way_back_of`,
      hasUpdates: (e, to) => part`${to}.rollout = ${e}.id`,
    },
  },
  updates: {
    from: (e) => part`updates ${e}`,
    reached: (e, reach) => {
      const isReached = ofFleet(part`r.fleet`, part`r.product`, reach)
      return (
        isReached &&
        part`exists (select 1 from rollouts r where r.id = ${e}.rollout and ${isReached})`
      )
    },
    columns: columnsNamed({
      rollout: 'rollout',
      device: 'device',
      wave: 'wave',
      attempt: 'attempt',
      state: 'state',
      code: 'code',
      offeredAt: 'offered_at',
      changedAt: 'changed_at',
      deadlineAt: 'deadline_at',
      endedAt: 'ended_at',
    }),
    links: {
      ofRollout: (e, to) => part`${to}.id = ${e}.rollout`,
      ofDevice: (e, to) => part`${to}.id = ${e}.device`,
    },
  },
  fleetVariables: {
    from: (e) => part`(select * from settings where value is not null and fleet is not null) ${e}`,
    reached: (e, reach) => inFleet(part`${e}.fleet`, reach),
    columns: columnsNamed({
      fleet: 'fleet',
      name: 'name',
      value: 'value',
      version: 'version',
      setAt: 'set_at',
      setBy: 'set_by',
    }),
    links: { inFleet: (e, to) => part`${to}.name = ${e}.fleet` },
  },
  deviceVariables: {
    from: (e) => part`(select * from settings where value is not null and device is not null) ${e}`,
    reached: (e, reach) => onDevice(part`${e}.device`, reach),
    columns: columnsNamed({
      device: 'device',
      name: 'name',
      value: 'value',
      version: 'version',
      setAt: 'set_at',
      setBy: 'set_by',
    }),
    links: { ofDevice: (e, to) => part`${to}.id = ${e}.device` },
  },
} as const satisfies { readonly [S in SetName]: TableOf<S> }

/** The table of a set that the model has. */
export function tableOf(set: string): Table {
  return tables[set as SetName]
}
