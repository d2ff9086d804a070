/** Products and channels end by a signed proposal, once nothing depends on them (RFD 53). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ProblemError } from '@seaworthy/api/problems'
import { createFleet, removeFleet } from '@seaworthy/api/fleets'
import { showProduct, showProductDependents } from '@seaworthy/api/products'
import { createProposal, listProposals } from '@seaworthy/api/proposals'
import type { Signer } from '@seaworthy/trust/keys'
import type { ProposalIntent } from '@seaworthy/trust/tuf'
import { formatProposal } from '@seaworthy/trust/tuf'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { PushedRelease, TestClient, TestServer } from '../../testing/index.ts'
import {
  carryOut,
  createTestClient,
  propose,
  publishIntent,
  pushRelease,
  setUpTrust,
  startTestServer,
  submit,
} from '../../testing/index.ts'

let server: TestServer
let client: TestClient
let signers: Signer[]

before(async () => {
  server = await startTestServer()
  client = createTestClient(server)
  ;({ signers } = await setUpTrust(client))
})
after(async () => {
  client.close()
  await server.stop()
})

const retireBeta: ProposalIntent = { kind: 'channel-retire', product: 'acme', channel: 'beta' }
const onBeta = (release: PushedRelease): ProposalIntent => {
  const intent = publishIntent(release)
  assert.equal(intent.kind, 'publish')
  return { kind: 'publish', content: { ...intent.content, channel: 'beta' } }
}
const has = (code: string) => (error: ProblemError) => error.code === code

test('D12 a channel ends when no fleet follows it: what waits for it is closed, and its name stays ended', async () => {
  const { api } = client
  const authority = { keys: signers.map(({ key }) => key), threshold: 2 }
  const createBeta: ProposalIntent = {
    kind: 'channel-create',
    product: 'acme',
    channel: 'beta',
    authority,
  }
  await carryOut(client, createBeta, signers)
  const release = await pushRelease(client, server.adminToken, '9.0.0')
  await carryOut(client, onBeta(release), signers)
  await api.call(createFleet, { body: { name: 'testers', product: 'acme', channel: 'beta' } })
  const later = await pushRelease(client, server.adminToken, '9.1.0')
  const waiting = await propose(client, onBeta(later))
  await submit(client, waiting)

  const ask = { params: { product: 'acme' }, query: { channel: 'beta' } }
  const dependents = await api.call(showProductDependents, ask)
  assert.deepEqual(dependents, {
    fleetsCount: 1,
    fleets: ['testers'],
    devicesCount: 0,
    rolloutsCount: 0,
    channels: ['beta'],
    releasesCount: 1,
  })
  await assert.rejects(carryOut(client, retireBeta, signers), has('fleets_remain'))

  await api.call(removeFleet, { params: { fleet: 'testers' } })
  await carryOut(client, retireBeta, signers)
  const { channels } = await api.call(showProduct, { params: { product: 'acme' } })
  assert.deepEqual(
    channels.map(({ name }) => name),
    ['stable'],
  )
  await assert.rejects(api.call(showProductDependents, ask), has('channel_not_found'))
  const follow = { name: 'again', product: 'acme', channel: 'beta' }
  await assert.rejects(api.call(createFleet, { body: follow }), has('channel_not_found'))
  const { items } = await api.call(listProposals, { query: { state: 'outdated' } })
  assert.ok(items.some(({ id }) => id === waiting.id))
  await assert.rejects(propose(client, createBeta), /was retired/)
})

test('D12 attack: a proposal that gives a retired name away again is refused, whoever made it', async () => {
  const authority = { keys: signers.map(({ key }) => key), threshold: 2 }
  const proposal = await propose(client, {
    kind: 'channel-create',
    product: 'acme',
    channel: 'other',
    authority,
  })
  const forged = JSON.parse(utf8Decode(formatProposal(proposal)).replaceAll('other', 'beta'))
  await assert.rejects(
    client.api.call(createProposal, { body: { proposal: forged } }),
    (error: ProblemError) =>
      error.code === 'proposal_refused' && /beta was retired/.test(error.message),
  )
})
