/** Things of the fleet `shops` that the calls of the golden table of scopes are about. */
import { setVexStatement } from '@seaworthy/api/vex'
import { showReleaseExposure } from '@seaworthy/api/vulnerabilities'
import { newId } from '@seaworthy/std/ids'
import { systemRandom } from '@seaworthy/std/random'
import { waitUntil } from '@seaworthy/std/testing'
import { systemClock } from '@seaworthy/std/time'
import { pushReleaseOf } from '../app/vulnerabilities/pushed-sboms.fixture.ts'
import { insertApproval } from '../db/approvals.ts'
import { insertLease } from '../db/leases.ts'
import { insertLock, lockRebootGroup } from '../db/reboot-locks.ts'
import { insertStoredCredential } from '../db/stored-credentials.ts'
import type { TestClient, TestServer } from '../testing/index.ts'
import { addDevice, makeProvisioningKey } from '../testing/index.ts'

export async function newDevice(server: TestServer, client: TestClient): Promise<string> {
  return (await addDevice(client, server.url, await makeProvisioningKey(client, 1))).id
}

/** Stores the credential `vault`, which nothing opens, and asks for it; answers the lease. */
export async function storeCredential(server: TestServer): Promise<string> {
  const at = systemClock.now()
  const credentialId = newId('credential', at, systemRandom)
  const id = newId('lease', at, systemRandom)
  const bytes = new Uint8Array(60)
  const db = server.openDatabase()
  try {
    await db.write(async (tx) => {
      await insertStoredCredential(tx, {
        ...{ id: credentialId, name: 'vault', kind: 'value', version: 1, about: '' },
        ...{ target: null, memberOf: null, wrapped: bytes, sealed: bytes },
        ...{ createdAt: at, createdBy: 'server', setAt: at, setBy: 'server' },
      })
      await insertLease(tx, {
        ...{ id, credential: 'vault', credentialId, reason: 'a test', seconds: 60 },
        ...{ requestedBy: 'server', requestedAt: at, version: null, openedAt: null },
        ...{ expiresAt: null, endedAt: null, endedBy: null, endReason: null, account: null },
        ...{ accountMadeAt: null, accountGoneAt: null, accountFailedAt: null },
      })
    })
  } finally {
    await db.close()
  }
  return id
}

/** Takes a slot as a FleetLock client of the fleet would hold it. */
export async function takeSlot(server: TestServer, fleet = 'shops'): Promise<string> {
  const now = systemClock.now()
  const id = newId('lock', now, systemRandom)
  const db = server.openDatabase()
  try {
    await db.write(async (tx) => {
      await lockRebootGroup(tx, fleet)
      await insertLock(tx, {
        ...{ id, fleet, kind: 'client', holder: newName(), device: null },
        ...{ sha256: null, sequence: null, takenAt: now, askedAt: now, alarmedAt: null },
      })
    })
  } finally {
    await db.close()
  }
  return id
}

/** A request of somebody else for something in the fleet. */
export async function askForApproval(
  server: TestServer,
  fleet = { name: 'shops', product: 'acme' },
): Promise<string> {
  const now = systemClock.now()
  const id = newId('approval', now, systemRandom)
  const db = server.openDatabase()
  try {
    await db.write((tx) =>
      insertApproval(tx, {
        ...{ id, state: 'pending', action: 'devices.remove', subject: 'a device' },
        ...{ callSha256: systemRandom.bytes(32), effectSha256: systemRandom.bytes(32) },
        ...{ effect: ['Would do nothing.'], devicesMax: 1 },
        needs: { permission: 'device:write', fleet },
        ...{ principal: 'somebody', requestedBy: 'somebody', requestedAt: now },
        expiresAt: new Date(now.getTime() + 86_400_000),
        ...{ decidedBy: null, decidedAt: null, reason: null },
      }),
    )
  } finally {
    await db.close()
  }
  return id
}

export function newName(): string {
  return newId('device', systemClock.now(), systemRandom).slice(-12)
}

/** A statement to make, as a call and as an import have it; `make` makes one. */
export async function makeVexStatements(client: TestClient, token: string, product = 'acme') {
  const [version, purl] = ['0.9.0', 'pkg:npm/tide@1.0.0']
  const sha256 = await pushReleaseOf(client, token, { product, version, purls: [purl] })
  const body = {
    ...{ vulnerability: 'OSV-1', product, version, purl },
    status: 'affected' as const,
    ...{ justification: null, impact: '', action: 'update', notes: '' },
    ...{ evidence: [], isInherited: false, expiresAt: null },
  }
  const make = async () => {
    const { id } = await client.api.call(setVexStatement, { body })
    return { statementId: id }
  }
  await waitUntil('the release is read', async () => {
    const { sboms } = await client.api.call(showReleaseExposure, { params: { product, version } })
    return sboms.length > 0
  })
  const authored = { ...body, author: 'Them', authoredAt: '2026-01-01T00:00:00Z' }
  return { sha256, body, make, imported: { statements: [authored], replaces: false } }
}
