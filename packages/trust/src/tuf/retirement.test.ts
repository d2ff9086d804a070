/** The end of products and channels: what is signed, and what nobody can make of it (RFD 53). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '@seaworthy/std/time'
import { createRepositorySimulator, provisionClient } from '../testing/repository-simulator.ts'
import type { TrustCode } from './codes.ts'
import { roleFileName } from './cycle.ts'
import { expiryOf } from './lifetimes.ts'
import type { TargetsSigned } from './metadata.ts'
import { buildProposal, highestCounter } from './proposal-build.ts'
import { checkProposal } from './proposal-check.ts'
import { describeProposal } from './proposal-describe.ts'
import { formatProposal, parseProposal } from './proposal-file.ts'
import { readCurrentMetadata } from './proposal.ts'
import type { ProposalIntent } from './proposal.ts'
import { listReleases } from './release.ts'
import { authorityOf, delegateRole, renewRole } from './repository.ts'

const start = new Date('2030-01-01T00:00:00Z')

/** A device that follows acme's beta channel, which has come to the counter 3; stable has 2. */
async function world() {
  const repository = await createRepositorySimulator(start)
  await repository.addProduct('acme')
  await repository.addChannel('acme', 'stable')
  await repository.addChannel('acme', 'beta')
  await repository.addRelease('acme', 'beta', '1.0.0')
  await repository.addRelease('acme', 'stable', '1.0.0')
  await repository.addRelease('acme', 'beta', '2.0.0')
  const clock = new ManualClock(start)
  const device = await provisionClient(repository, clock)
  const sync = async () => {
    await device.client.refresh()
    return listReleases((await device.client.loadChannel('acme', 'beta')).signed).releases
  }
  const refuses = (code: TrustCode, message = /./) =>
    assert.rejects(sync, { name: 'TrustError', code, message })
  const current = () =>
    readCurrentMetadata(
      repository.anchor,
      [...repository.targets].map(([role, { version }]) => [
        role,
        repository.files.get(`${version}.${roleFileName(role)}`)!,
      ]),
    )
  const propose = async (intent: ProposalIntent) =>
    buildProposal(intent, await current(), { id: 'p1', now: start })
  /** Signs what the intent asks for, as the holders of the keys would, and publishes it. */
  const carryOut = async (intent: ProposalIntent) => {
    const { documents } = await propose(intent)
    for (const { role, signed } of documents) repository.targets.set(role, signed as TargetsSigned)
    await repository.publish(...documents.map(({ role }) => role))
  }
  return { repository, device, sync, refuses, current, propose, carryOut }
}

const retireBeta: ProposalIntent = { kind: 'channel-retire', product: 'acme', channel: 'beta' }
const retireAcme: ProposalIntent = { kind: 'product-retire', product: 'acme' }

test('T5 the end of a channel is a proposal that says what ends, and survives its file', async () => {
  const { propose, current } = await world()
  const proposal = await parseProposal(formatProposal(await propose(retireBeta)))
  assert.equal(proposal.title, 'Retire channel beta of acme')
  assert.deepEqual(
    proposal.documents.map(({ role }) => role),
    ['acme'],
  )
  assert.deepEqual(await checkProposal(proposal, await current(), start), [])
  const text = (await describeProposal(proposal, await current())).join('\n')
  assert.match(text, /no longer delegates to acme\.beta/)
  assert.match(text, /! retires acme\.beta for good: .* its name never comes back/)
  assert.match(text, /releases of acme\.beta: 2/)
  const whole = await parseProposal(formatProposal(await propose(retireAcme)))
  assert.deepEqual(await checkProposal(whole, await current(), start), [])
  assert.deepEqual(
    whole.documents.map(({ role }) => role),
    ['targets'],
  )
  const both = (await describeProposal(whole, await current())).join('\n')
  assert.match(both, /releases of acme\.beta: 2[^]*releases of acme\.stable: 1/)
})

test('T5 the name of what was retired never comes back, and its counters bind the channels that stay', async () => {
  const { propose, current, carryOut } = await world()
  await carryOut(retireBeta)
  const known = await current()
  const without = { ...known, roles: new Map(known.roles) }
  without.roles.delete('acme.beta')
  assert.equal(highestCounter('acme', without), 3)
  const { keys } = known.root!.signed
  const authority = authorityOf(keys, known.root!.signed.roles.targets)
  const input = { id: 'p2', now: start }
  const refused = { code: 'intent_impossible', message: /was retired/ }
  const again: ProposalIntent = {
    kind: 'channel-create',
    product: 'acme',
    channel: 'beta',
    authority,
  }
  await assert.rejects(buildProposal(again, without, input), refused)
  await assert.rejects(buildProposal(retireBeta, without, input), refused)
  await carryOut(retireAcme)
  await assert.rejects(propose(retireAcme), refused)
  const gone = { ...(await current()), roles: new Map((await current()).roles) }
  gone.roles.delete('acme')
  const product: ProposalIntent = { kind: 'product-create', product: 'acme', authority }
  await assert.rejects(buildProposal(product, gone, input), refused)
})

test('T5 attack: a channel whose stolen keys drove its counter up cannot bind the others by its end', async () => {
  const { repository, propose } = await world()
  const counter = 2 ** 30
  await repository.addRelease('acme', 'beta', '6.6.6', { counter })
  await assert.rejects(propose(retireBeta), /restart the marks of acme\.beta first/)
})

test('T5 attack: a server that shows a signer no channel of what ends has nothing signed that forgets its counter', async () => {
  const { propose, current } = await world()
  const known = await current()
  const hidden = { ...known, roles: new Map(known.roles) }
  hidden.roles.delete('acme.beta')
  const input = { id: 'p2', now: start }
  const refused = { code: 'intent_impossible', message: /acme\.beta cannot be seen/ }
  await assert.rejects(buildProposal(retireBeta, hidden, input), refused)
  await assert.rejects(buildProposal(retireAcme, hidden, input), refused)
  // What the server would have its holders sign: the end of beta, whose counter is 1 and not 3.
  const genuine = await propose(retireBeta)
  const [document] = genuine.documents
  const signed = document!.signed as TargetsSigned
  const forgetful = { ...signed, seaworthy: { ...signed.seaworthy!, counterHighest: 0 } }
  const forged = { ...genuine, documents: [{ ...document!, signed: forgetful }] }
  const problems = await checkProposal(forged, hidden, start)
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['intent_mismatch'],
  )
})

test('T7 attack: a server that lies about a retired channel brings it back to no device, and ends no other', async () => {
  const { repository, sync, refuses, carryOut } = await world()
  await sync()
  const before = repository.targets.get('acme')!
  await carryOut(retireBeta)
  await refuses('wrong_channel', /acme\.beta is retired/)

  // With the online keys and those of the retired channel, it lists a release of its own.
  await repository.addRelease('acme', 'beta', '6.6.6')
  await refuses('wrong_channel', /acme\.beta is retired/)

  // It shows the product's role from before the end.
  const after = repository.targets.get('acme')!
  repository.targets.set('acme', before)
  await repository.publish()
  await refuses('rollback')

  // Without the product's keys it cannot sign a delegation anew, nor the end of another channel.
  const holders = repository.signers.get('acme')!
  repository.signers.set('acme', repository.signers.get('acme.beta')!)
  for (const lie of [
    { ...renewRole(after, expiryOf('acme', start)), delegations: before.delegations! },
    { ...renewRole(after, expiryOf('acme', start)), delegations: { keys: {}, roles: [] } },
  ]) {
    repository.targets.set('acme', lie)
    await repository.publish('acme')
    await refuses('signature_threshold')
  }

  // The holders themselves cannot bring it back by mistake: devices take no such role.
  repository.signers.set('acme', holders)
  const authority = authorityOf(
    before.delegations!.keys,
    before.delegations!.roles!.find(({ name }) => name === 'acme.beta')!,
  )
  const expiresAt = expiryOf('acme', start)
  repository.targets.set(
    'acme',
    await delegateRole(after, { role: 'acme.beta', authority, expiresAt }),
  )
  await repository.publish('acme')
  await refuses('profile_violation', /acme\.beta, which is retired for good/)
})

test('T7 a retired product ends for every device of it, and for no other', async () => {
  const { repository, device, refuses, carryOut } = await world()
  await repository.addProduct('other')
  await repository.addChannel('other', 'stable')
  await carryOut(retireAcme)
  await refuses('wrong_product', /acme is retired/)
  assert.equal((await device.client.loadChannel('other', 'stable')).signed.version, 1)
})
