/**
 * Releases with bills of materials, records of vulnerabilities and devices, made by SQL in the
 * shape of real ones: a few packages are in every release and most in a few, later releases have
 * later versions, and most devices run later releases.
 */
import type { Db } from '@seaworthy/server/testing'
import { takeSbom } from '@seaworthy/server/testing'
import { utf8Encode } from '@seaworthy/std/bytes'

export interface ExposedSizes {
  readonly devices: number
  readonly releases: number
  readonly advisories: number
}

export const packagesCount = 6000
/** Versions of each package: `1.0.0`, `1.1.0` and so on. */
const versionsCount = 10
const platform = 'linux/amd64'
const ofSbom = 290
/** Records of which each is about a package that some release has: 1 in 10. */
const touchingShare = 0.1
/** Packages that are in every release. */
const everywhere = 8
/** One `takeSbom` bears at most 50,000 components. */
const ofDocument = 2500

export const touchingCount = ({ advisories }: ExposedSizes) =>
  Math.floor(advisories * touchingShare)

/** A bill of materials of packages of npm, as a document. */
export function documentOf(purls: readonly string[]): Uint8Array {
  const components = purls.map((purl) => ({ type: 'library', name: purl, purl }))
  return utf8Encode(JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', components }))
}

type WriteTx = Parameters<Parameters<Db['write']>[0]>[0]

/** Fills an empty database. Takes some minutes for a million devices. */
export async function fillExposedFleet(
  db: Db,
  sizes: ExposedSizes,
  log: (line: string) => void,
): Promise<void> {
  await fillComponents(db)
  log(`${packagesCount * versionsCount} components`)
  await db.write(async ({ sql }) => {
    await sql`
      insert into releases (product, version, kind, digest, length, total_bytes, platforms, created_at, created_by)
      select 'product-' || r % 10, '1.' || r || '.0', 'bundle', 'sha256:' || repeat(md5('r' || r), 2), 1, 1,
        ${sql.json([{ platform }])}, now() - interval '2 years' + r * interval '1 h', 'bench'
      from generate_series(0, ${sizes.releases - 1}::int) r`
    await sql`delete from sboms`
    await sql`
      insert into sboms (product, version, platform, sha256, state, components_count, read_at, ecosystems)
      select product, version, ${platform}, substr(digest, 8), 'read', ${ofSbom}::int, now(), '{npm}' from releases
      order by created_at`
    await sql`update components set is_compared = true where not is_compared`
  })
  await analyze(db, ['components', 'sboms'])
  await inParts(db, sizes.releases, 1000, async ({ sql }, first, last) => {
    await sql`
      insert into release_components (component, sbom)
      select c.id, s.id from (
        select s.id, s.place, case when j < ${everywhere}::int then j else ${everywhere}::int
            + floor((${packagesCount}::int - ${everywhere}::int) * power((hashint8(s.id * 1000 + j) & 2147483647)::float8 / 2147483648, 2.5))::int
          end as package, s.place * ${versionsCount}::int / ${sizes.releases}::int as line, hashint8(s.id * 1000 + j + 7) & 1 as back
        from (select id, row_number() over (order by id) - 1 as place from sboms) s,
          generate_series(0, ${ofSbom - 1}::int) j
        where s.place between ${first}::int and ${last}::int
      ) s join components c on c.purl = 'pkg:npm/c' || s.package || '@1.' || greatest(0, s.line - s.back) || '.0'
      on conflict do nothing`
  })
  log(`${sizes.releases} releases of about ${ofSbom} components`)
  await fillAdvisories(db, sizes)
  log(`${sizes.advisories} advisories`)
  await fillDevices(db, sizes)
  log(`${sizes.devices} devices`)
  await analyze(db, filled)
}

/** A connection on which nothing comes for a minute counts as dead. */
async function inParts(
  db: Db,
  count: number,
  ofPart: number,
  work: (tx: WriteTx, first: number, last: number) => Promise<unknown>,
): Promise<void> {
  for (let first = 0; first < count; first += ofPart) {
    await db.write(async (tx) => {
      // What refers to other rows is right by how it is made.
      await tx.sql`set local session_replication_role = replica`
      await work(tx, first, Math.min(count, first + ofPart) - 1)
    })
  }
}

async function analyze(db: Db, tables: readonly string[]): Promise<void> {
  for (const table of tables) await db.write(({ sql }) => sql.unsafe(`analyze ${table}`))
}

const filled = [
  ...['components', 'sboms', 'release_components', 'vulnerabilities', 'vulnerability_names'],
  ...['vulnerability_subjects', 'findings', 'fleets', 'devices', 'device_states', 'releases'],
  ...['running_releases', 'past_releases'],
]

/** They are read as those of a release are, so that their keys are those of the server. */
async function fillComponents(db: Db): Promise<void> {
  for (let first = 0; first < packagesCount; first += ofDocument) {
    const purls: string[] = []
    for (let i = first; i < Math.min(packagesCount, first + ofDocument); i++) {
      for (let v = 0; v < versionsCount; v++) purls.push(`pkg:npm/c${i}@1.${v}.0`)
    }
    const release = { product: 'none', version: `1.0.${first}`, platform, sha256: '' }
    await takeSbom(db, release, documentOf(purls))
  }
}

async function fillAdvisories(db: Db, sizes: ExposedSizes): Promise<void> {
  await inParts(db, sizes.advisories, 50_000, async ({ sql }, first, last) => {
    const isOfPart = sql`id between ${first + 1}::int and ${last + 1}::int`
    await sql`
      insert into vulnerabilities (id, name, modified_at, summary, faults, sha256, document, imported_at)
      overriding system value
      select i, 'GHSA-' || i, now() - interval '90 days', 'a flaw of a package', '{}', sha256(i::text::bytea),
        repeat(md5(i::text), 40), now() - interval '90 days' from generate_series(${first + 1}::int, ${last + 1}::int) i`
    await sql`
      insert into vulnerability_names (name, vulnerability, kind)
      select name, id, 'own' from vulnerabilities where ${isOfPart}
      union all select 'CVE-2026-' || id, id, 'alias' from vulnerabilities where ${isOfPart}`
    // Each has it below the version 1.1.0 to 1.10.0; the key of that is one of a component.
    await sql`
      insert into vulnerability_subjects (vulnerability, subject_key, affected, lowest, highest)
      select v.id, 'npm ' || v.package, jsonb_build_array(jsonb_build_object('ecosystem', 'npm', 'release', '',
          'name', v.package, 'versions', '[]'::jsonb, 'ranges', jsonb_build_array(jsonb_build_object('type', 'SEMVER',
          'events', jsonb_build_array(jsonb_build_object('kind', 'introduced', 'version', '0'),
            jsonb_build_object('kind', 'fixed', 'version', '1.' || v.fixed || '.0')))))), '', k.key
      from (
        select id, 1 + (hashint8(id) & 2147483647) % 10 as fixed,
          case when id <= ${touchingCount(sizes)}::int then 'c' || id % ${packagesCount}::int else 'x' || id end as package
        from vulnerabilities where ${isOfPart}
      ) v left join (
        select substr(version, 3, 1)::int as place, version_key as key from components where name = 'c0'
      ) k on k.place = v.fixed`
    await sql`
      insert into findings (vulnerability, component, verdict, fixed, confidence, found_at)
      select s.vulnerability, c.id, 'affected', '2.0.0', 'full', now() - interval '90 days'
      from vulnerability_subjects s join components c on c.subject_key = s.subject_key
      where s.vulnerability between ${first + 1}::int and ${last + 1}::int
        and (s.highest is null or c.version_key < s.highest)`
  })
  await db.write(async ({ sql }) => {
    await sql`select setval(pg_get_serial_sequence('vulnerabilities', 'id'), ${sizes.advisories}::int)`
    await sql`
      insert into record_imports (ecosystem, imported_at, newest_at) values ('npm', now(), now()) on conflict do nothing`
  })
}

/** The id of a device by its number. */
export const idOf = (n: number) => `device_${String(n).padStart(26, '0')}`

async function fillDevices(db: Db, sizes: ExposedSizes): Promise<void> {
  const lines = Math.floor(sizes.releases / 10)
  await db.write(async ({ sql }) => {
    await sql`
      insert into fleets (name, product, channel, poll_seconds, updates_enabled, created_at)
      select 'fleet-' || n, 'product-' || n % 10, 'stable', 3600, true, now() from generate_series(0, 19) n`
  })
  await inParts(db, sizes.devices, 100_000, async ({ sql }, first, last) => {
    const ofPart = sql`
      d.id between ${idOf(first)} and ${idOf(last)}`
    await sql`
      insert into devices (id, fleet, key_id, public_key, platform, hardware, agent_version, tags, registered_at)
      select 'device_' || lpad(n::text, 26, '0'), 'fleet-' || n % 20, md5(n::text), '{}', ${platform},
        'board-' || n % 7, '0.1.0', jsonb_build_object('site', 's' || n % 500), now() - interval '1 year'
      from generate_series(${first}::int, ${last}::int) n`
    await sql`
      insert into device_states (device, seen_at, reported_at, digest, fleet, tags)
      select id, now() - case when hashtext(id) % 20 = 0 then interval '3 days' else interval '1 h' end,
        now(), '', fleet, tags from devices d where ${ofPart}`
    // Each runs a release of its product, and ran the two before that.
    const lineOf = (back: number) => sql`
      repeat(md5('r' || (10 * greatest(0, floor(${lines}::int * (1 - power((hashtext(id) & 2147483647)::float8 / 2147483648, 3)))::int - ${back}::int)
        + substr(id, 33, 1)::int)), 2)`
    await sql`
      insert into running_releases (device, sha256, since)
      select id, ${lineOf(1)}, now() - interval '30 days' * ((hashtext(id || 's') & 1023) / 1024.0) from devices d where ${ofPart}`
    await sql`
      insert into past_releases (device, sha256, since, until)
      select id, ${lineOf(2)}, now() - interval '120 days', r.since from devices d join running_releases r on r.device = d.id
        where ${ofPart}
      union all
      select id, ${lineOf(3)}, now() - interval '300 days', now() - interval '120 days' from devices d where ${ofPart}`
  })
}
