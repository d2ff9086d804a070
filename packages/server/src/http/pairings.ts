import {
  approvePairing,
  beginPairing,
  fetchPairing,
  readPairing,
  refusePairing,
} from '@seaworthy/api/pairings'
import { formatInstant } from '@seaworthy/std/time'
import { requirePerson, viewToken } from '../app/access/index.ts'
import * as people from '../app/people/index.ts'
import { audited, begins, tells } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'
import { networkOf } from './networks.ts'

export const pairingEndpoints: readonly Endpoint[] = [
  begins(beginPairing, async (app, tx, { body, browser }) => {
    const { address } = browser
    const { row, deviceCode } = await people.beginPairing(tx, app, {
      machine: body.machine,
      role: body.role ?? null,
      products: body.products ?? null,
      fleets: body.fleets ?? null,
      lifetimeSeconds: body.lifetimeSeconds,
      ...{ address, network: networkOf(address) },
    })
    const { userCode, intervalSeconds } = row
    return {
      ...{ deviceCode, userCode, intervalSeconds },
      page: `${browser.linkOrigin()}/pair`,
      expiresAt: formatInstant(row.expiresAt),
    }
  }),
  audited(
    fetchPairing,
    { permission: 'account:self', subject: () => 'pairing' },
    async (app, tx, { body, browser }) => {
      const fetched = await people.fetchPairing(tx, app, body.deviceCode)
      if (fetched.state === 'waiting') return { reply: fetched, isUnchanged: true }
      const { row, token } = fetched.issued
      const view = viewToken(row)
      const { name, role, products, fleets, expiresAt } = view
      return {
        reply: { state: 'paired' as const, view, token },
        by: fetched.personId,
        subject: row.id,
        detail: { name, role, products, fleets, expiresAt, address: browser.address },
      }
    },
  ),
  tells(readPairing, (app, { actor, body, now }) =>
    people.readPairing(app.db.reader, requirePerson(actor), body.userCode, now),
  ),
  audited(
    approvePairing,
    { permission: 'account:self', subject: ({ body }) => body.pairingId },
    async (_app, tx, { actor, body }) => {
      const view = await people.approvePairing(tx, requirePerson(actor), body)
      const { machine, address, role, products, fleets, lifetimeSeconds } = view
      return {
        reply: view,
        detail: { machine, address, role, products, fleets, lifetimeSeconds },
      }
    },
  ),
  audited(
    refusePairing,
    { permission: 'account:self', subject: ({ body }) => body.pairingId },
    async (_app, tx, { actor, body }) => {
      const { machine, address } = await people.refusePairing(tx, requirePerson(actor), body)
      return { reply: undefined, detail: { machine, address } }
    },
  ),
]
