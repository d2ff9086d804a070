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
import { poolOf } from './address-pools.ts'

export const pairingEndpoints: readonly Endpoint[] = [
  begins(
    beginPairing,
    (app, { browser }) => people.checkNewPairing(app, poolOf(browser.address)),
    async (app, tx, { body, browser }) => {
      const { address } = browser
      const { row, deviceCode, intervalSeconds } = await people.beginPairing(tx, app, {
        machine: body.machine,
        role: body.role ?? null,
        products: body.products ?? null,
        fleets: body.fleets ?? null,
        lifetimeSeconds: body.lifetimeSeconds,
        ...{ address, network: poolOf(address) },
      })
      return {
        ...{ deviceCode, userCode: row.userCode, intervalSeconds },
        page: `${browser.linkOrigin()}/pair`,
        expiresAt: formatInstant(row.expiresAt),
      }
    },
  ),
  audited(
    fetchPairing,
    {
      permission: 'account:self',
      subject: () => 'pairing',
      early: (app, { body }) => people.askPairing(app, body.deviceCode),
    },
    async (app, tx, { body, browser }) => {
      const { personId, issued } = await people.fetchPairing(tx, app, body.deviceCode)
      const { row, token } = issued
      const view = viewToken(row)
      const { name, role, products, fleets, expiresAt } = view
      return {
        reply: { state: 'paired' as const, view, token },
        by: personId,
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
