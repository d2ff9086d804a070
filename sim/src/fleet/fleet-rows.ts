/** The rows of a fleet and the signed facts of its releases, as the server would have made them. */
import type { ReleaseFacts } from '@seaworthy/fleet/releases'
import type { Db } from '@seaworthy/server/testing'
import { utf8Decode } from '@seaworthy/std/bytes'
import { canonicalJson } from '@seaworthy/trust/tuf'
import type { FleetDevice } from './devices.ts'
import { reportOf } from './devices.ts'

/** What runs everywhere at first, and what the rollout leads to. */
export const releases = [releaseOf('1.0.0', 1), releaseOf('1.1.0', 2)] as const

function releaseOf(version: string, counter: number): ReleaseFacts {
  return {
    product: 'acme',
    channel: 'stable',
    version,
    targetPath: `acme/stable/${version}`,
    sha256: String(counter).repeat(64),
    counter,
    floor: 1,
    platforms: ['linux/amd64'],
    hardware: [],
    security: false,
  }
}

/** Devices in one statement. */
const insertMax = 10_000

/** Makes the fleet, in which every device has said what it runs, and signed it. */
export async function insertFleet(
  db: Db,
  fleet: string,
  devices: readonly FleetDevice[],
  at: Date,
): Promise<void> {
  await db.write(
    ({ sql }) => sql`
      insert into fleets (name, product, channel, poll_seconds, updates_enabled, follow, created_at)
      values (${fleet}, 'acme', 'stable', 3600, true, 'rollouts', ${at})`,
  )
  for (let from = 0; from < devices.length; from += insertMax) {
    const page = devices.slice(from, from + insertMax).map((device) => {
      const report = reportOf(device, at)
      const { id, tags, sequence } = device
      return { id, tags, report, sequence, signed: utf8Decode(canonicalJson(report)) }
    })
    const json = JSON.stringify(page)
    await db.write(async ({ sql }) => {
      await sql`
        insert into devices (id, fleet, key_id, public_key, platform, agent_version, tags, provisioning_key, registered_at)
        select id, ${fleet}, id, '{}'::jsonb, 'linux/amd64', '0.1.0', tags, 'provisioning_0', ${at}
        from jsonb_to_recordset(${json}::text::jsonb) as given (id text, tags jsonb)`
      await sql`
        insert into device_states (device, seen_at, reported_at, digest, fleet, tags)
        select id, ${at}, ${at}, '', ${fleet}, tags
        from jsonb_to_recordset(${json}::text::jsonb) as given (id text, tags jsonb)`
      await sql`
        insert into last_reports (device, report)
        select id, report from jsonb_to_recordset(${json}::text::jsonb) as given (id text, report jsonb)`
      // Nobody verifies again a signature that is stored.
      await sql`
        insert into device_reports (device, sequence, report, signature, received_at)
        select id, sequence, convert_to(signed, 'UTF8'), ${Buffer.alloc(64)}, ${at}
        from jsonb_to_recordset(${json}::text::jsonb) as given (id text, sequence bigint, signed text)`
    })
  }
}
