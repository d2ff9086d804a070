import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import { dayMs, formatInstant, ManualClock } from '@seaworthy/std/time'
import { generateSigner } from '../keys/signer.ts'
import type { Signer } from '../keys/signer.ts'
import { createTrustState, openTufClient } from './client.ts'
import { isTrustError } from './codes.ts'
import { roleFileName } from './cycle.ts'
import { wireJson } from './json.ts'
import { keysPerRoleMax } from './lint.ts'
import { expiryOf } from './lifetimes.ts'
import type { Metadata, RootSigned, TargetsSigned } from './metadata.ts'
import { parseMetadata } from './parse-metadata.ts'
import {
  buildProposal,
  changeAuthority,
  currentAuthority,
  rebaseProposal,
} from './proposal-build.ts'
import { verifyChain, withChain } from './proposal-chain.ts'
import { checkProposal } from './proposal-check.ts'
import type { ProblemCode } from './proposal-check.ts'
import { describeProposal } from './proposal-describe.ts'
import { formatProposal, parseProposal } from './proposal-file.ts'
import {
  formatSignatureFile,
  isProposalComplete,
  mergeSignatures,
  parseSignatureFile,
  prepareProposal,
  proposalProgress,
  signProposal,
} from './proposal-sign.ts'
import { noMetadata } from './proposal.ts'
import type { CurrentMetadata, Proposal, ProposalIntent, PublishedContent } from './proposal.ts'
import { listReleases } from './release.ts'
import { memoryStateStore } from '../testing/repository-simulator.ts'
import { buildSnapshot, buildTimestamp, signMetadata } from './repository.ts'

const now = new Date('2030-01-01T00:00:00Z')

/**
 * The few parts of a server that are needed: it keeps what proposals lead to, and signs what is
 * online.
 */
async function createServer() {
  const online = {
    snapshot: await generateSigner('ed25519'),
    timestamp: await generateSigner('ed25519'),
  }
  const files = new Map<string, Uint8Array>()
  const roots: Metadata<RootSigned>[] = []
  const roles = new Map<string, Metadata<TargetsSigned>>()
  const current = (): CurrentMetadata => ({ root: roots.at(-1), roles: new Map(roles) })
  let count = 0
  const apply = async (proposal: Proposal, at = now) => {
    for (const { role, version, bytes } of await prepareProposal(proposal, current(), at)) {
      files.set(`${version}.${roleFileName(role)}`, bytes)
      if (role === 'root') roots.push(await parseMetadata('root', bytes, 'strict'))
      else roles.set(role, await parseMetadata('targets', bytes, 'strict'))
    }
    const named = new Map(
      [...roles].map(([role, { signed, bytes }]) => [role, { version: signed.version, bytes }]),
    )
    const snapshot = {
      ...(await buildSnapshot(undefined, named, expiryOf('snapshot', at))),
      version: ++count,
    }
    const bytes = await signMetadata(snapshot, [online.snapshot])
    files.set(`${count}.snapshot.json`, bytes)
    const times = { signedAt: at, expiresAt: expiryOf('timestamp', at) }
    const timestamp = {
      ...(await buildTimestamp(undefined, { version: count, bytes }, times)),
      version: count,
    }
    files.set('timestamp.json', await signMetadata(timestamp, [online.timestamp]))
  }
  return { online, files, roots, roles, current, apply }
}

/** Signs on a machine without network: everything goes through bytes, in both directions. */
async function signOffline(
  server: Awaited<ReturnType<typeof createServer>>,
  proposal: Proposal,
  signer: Signer,
  anchor?: Uint8Array,
) {
  const exported = formatProposal(withChain(proposal, server.roots, server.roles))
  const read = await parseProposal(exported)
  const current = anchor ? await verifyChain(anchor, read.chain!) : noMetadata
  await describeProposal(read, current)
  const back = formatSignatureFile(await signProposal(read, current, signer, now))
  return mergeSignatures(proposal, parseSignatureFile(back), server.current())
}

async function world() {
  const server = await createServer()
  const people = [
    await generateSigner('ed25519'),
    await generateSigner('p256'),
    await generateSigner('ed25519'),
  ]
  const authority = { keys: people.map(({ key }) => key), threshold: 2 }
  const propose = (intent: ProposalIntent, id = 'p1') =>
    buildProposal(intent, server.current(), { id, now })
  const online = (signer: Signer) => ({ keys: [signer.key], threshold: 1 })
  const signAll = async (proposal: Proposal, signers: readonly Signer[] = people.slice(0, 2)) => {
    let signed = proposal
    for (const signer of signers)
      signed = await signOffline(server, signed, signer, server.roots[0]?.bytes)
    return signed
  }
  const carryOut = async (intent: ProposalIntent, signers?: readonly Signer[]) =>
    server.apply(await signAll(await propose(intent), signers))
  await carryOut({
    kind: 'trust-init',
    roles: {
      root: authority,
      targets: authority,
      snapshot: online(server.online.snapshot),
      timestamp: online(server.online.timestamp),
    },
  })
  const anchor = server.roots[0]!.bytes
  await carryOut({ kind: 'product-create', product: 'acme', authority })
  await carryOut({ kind: 'channel-create', product: 'acme', channel: 'stable', authority })
  const content: PublishedContent = {
    product: 'acme',
    channel: 'stable',
    version: '1.0.0',
    kind: 'bundle',
    platforms: ['linux/amd64'],
    hardware: [],
    security: false,
    floor: 0,
    length: 100,
    sha256: 'a'.repeat(64),
    sha512: 'b'.repeat(128),
  }
  const publish = (version: string, more: Partial<PublishedContent> = {}) =>
    ({ kind: 'publish', content: { ...content, version, ...more } }) as const
  const device = async () => {
    const store = memoryStateStore()
    const options = { anchor, profile: 'strict', notBefore: now } as const
    await createTrustState(options, store)
    const client = await openTufClient(options, {
      clock: new ManualClock(now),
      store,
      fetchMetadata: async (name) => server.files.get(name),
    })
    await client.refresh()
    return listReleases((await client.loadChannel('acme', 'stable')).signed).releases
  }
  return { server, people, authority, anchor, propose, signAll, carryOut, publish, device }
}

test('T5 from nothing to a device that sees a release, every signature made without network', async () => {
  const { carryOut, publish, device, people } = await world()
  await carryOut(publish('1.0.0'))
  await carryOut(publish('1.1.0', { floor: 2 }), people.slice(1))
  assert.deepEqual(
    (await device()).map(({ version, counter, floor }) => [version, counter, floor]),
    [
      ['1.1.0', 2, 2],
      ['1.0.0', 1, 1],
    ],
  )
  await carryOut({ kind: 'withdraw', product: 'acme', channel: 'stable', version: '1.1.0' })
  await carryOut(publish('1.2.0'))
  assert.deepEqual(
    (await device()).map(({ version, counter, floor }) => [version, counter, floor]),
    [
      ['1.2.0', 3, 2],
      ['1.0.0', 1, 1],
    ],
  )
})

test('counters count over all channels of a product', async () => {
  const { carryOut, publish, authority, server } = await world()
  await carryOut({ kind: 'channel-create', product: 'acme', channel: 'beta', authority })
  await carryOut(publish('1.0.0-beta', { channel: 'beta' }))
  await carryOut(publish('1.0.0'))
  const { signed } = server.roles.get('acme.stable')!
  assert.equal(signed.seaworthy?.counterHighest, 2)
})

test('T6 all keys of root, targets, product and channel are replaced at once, and devices follow', async () => {
  const { server, people, carryOut, publish, device } = await world()
  await carryOut(publish('1.0.0'))
  const fresh = [
    await generateSigner('p256'),
    await generateSigner('ed25519'),
    await generateSigner('p256'),
  ]
  const authority = { keys: fresh.map(({ key }) => key), threshold: 3 }
  const everyone = [...people.slice(0, 2), ...fresh]
  await carryOut({ kind: 'rotate', role: 'root', authority }, everyone)
  const parents = { targets: fresh, acme: fresh, 'acme.stable': fresh }
  for (const role of Object.keys(parents)) {
    await carryOut({ kind: 'rotate', role, authority }, fresh)
    await device()
  }
  for (const role of ['root', 'targets', 'acme', 'acme.stable']) {
    assert.equal(currentAuthority(role, server.current())?.threshold, 3)
  }
  await carryOut({ kind: 'renew', roles: ['root', 'targets', 'acme', 'acme.stable'] }, fresh)
  assert.equal((await device()).length, 1)
})

test('T6 the timestamp key is rotated with the root, without touching other roles', async () => {
  const { server, carryOut, publish, device } = await world()
  await carryOut(publish('1.0.0'))
  server.online.timestamp = await generateSigner('ed25519')
  const authority = { keys: [server.online.timestamp.key], threshold: 1 }
  await carryOut({ kind: 'rotate', role: 'timestamp', authority })
  assert.equal((await device()).length, 1)
})

test('adding a key needs no new signature below, removing a signer does', async () => {
  const { server, people, propose } = await world()
  const stable = currentAuthority('acme.stable', server.current())!
  const extra = await generateSigner('p256')
  const more = await changeAuthority(stable, { add: [extra.key], remove: [] })
  const added = await propose({ kind: 'rotate', role: 'acme.stable', authority: more })
  assert.deepEqual(
    added.documents.map(({ role }) => role),
    ['acme'],
  )
  const less = await changeAuthority(stable, { add: [extra.key], remove: [people[0]!.keyId] })
  const removed = await propose({ kind: 'rotate', role: 'acme.stable', authority: less })
  assert.deepEqual(
    removed.documents.map(({ role }) => role),
    ['acme', 'acme.stable'],
  )
  for (const change of [
    { add: [], remove: [extra.keyId] },
    { add: [people[0]!.key], remove: [] },
    { add: [], remove: people.slice(0, 2).map(({ keyId }) => keyId) },
    { add: [], remove: [], threshold: 9 },
  ]) {
    await assert.rejects(changeAuthority(stable, change), { code: 'intent_impossible' })
  }
})

test('T2 thresholds: incomplete, unauthorised and forged signatures are refused', async () => {
  const { server, people, propose, publish, signAll, anchor } = await world()
  const proposal = await propose(publish('1.0.0'))
  await assert.rejects(server.apply(proposal), { code: 'proposal_incomplete' })
  const once = await signAll(proposal, [people[0]!])
  const twice = await signAll(once, [people[0]!])
  assert.equal(twice.documents[0]!.signatures.length, 1)
  assert.ok(!(await isProposalComplete(twice, server.current())))
  assert.deepEqual(
    (await proposalProgress(twice, server.current())).map(
      ({ role, signedBy, threshold, isMet }) => [role, signedBy, threshold, isMet],
    ),
    [['acme.stable', [people[0]!.keyId], 2, false]],
  )
  await assert.rejects(server.apply(twice), { code: 'proposal_incomplete' })

  const stranger = await generateSigner('ed25519')
  const current = await verifyChain(anchor, withChain(proposal, server.roots, server.roles).chain!)
  await assert.rejects(signProposal(proposal, current, stranger, now), {
    code: 'key_not_authorised',
  })
  const good = await signProposal(proposal, current, people[1]!, now)
  const merge = (change: object) =>
    mergeSignatures(
      once,
      { ...good, signatures: [{ ...good.signatures[0]!, ...change }] },
      server.current(),
    )
  await assert.rejects(merge({ keyid: stranger.keyId }), { code: 'key_not_authorised' })
  await assert.rejects(merge({ keyid: people[0]!.keyId }), { code: 'signature_invalid' })
  await assert.rejects(merge({ sha256: 'c'.repeat(64) }), { code: 'signature_invalid' })
  await assert.rejects(merge({ role: 'targets' }), { code: 'signature_invalid' })
  await assert.rejects(mergeSignatures({ ...once, id: 'p2' }, good, server.current()), {
    code: 'signature_invalid',
  })
  await server.apply(await merge({}))
})

test('an outdated proposal is refused and rebased, which drops its signatures', async () => {
  const { server, propose, publish, signAll, carryOut } = await world()
  const proposal = await signAll(await propose(publish('2.0.0')))
  await carryOut(publish('1.0.0'))
  await assert.rejects(server.apply(proposal), { code: 'proposal_outdated' })
  const rebased = await rebaseProposal(proposal, server.current(), now)
  assert.deepEqual(rebased.documents[0]!.signatures, [])
  await server.apply(await signAll(rebased))
  assert.equal(server.roles.get('acme.stable')!.signed.seaworthy?.counterHighest, 2)
})

test('what cannot be proposed says why', async () => {
  const { server, propose, publish, authority, carryOut } = await world()
  await carryOut(publish('1.0.0'))
  const roles = { root: authority, targets: authority, snapshot: authority, timestamp: authority }
  for (const intent of [
    { kind: 'trust-init', roles },
    { kind: 'product-create', product: 'acme', authority },
    { kind: 'channel-create', product: 'acme', channel: 'stable', authority },
    { kind: 'channel-create', product: 'other', channel: 'stable', authority },
    publish('1.0.0'),
    publish('1.0.0', { channel: 'beta' }),
    { kind: 'withdraw', product: 'acme', channel: 'stable', version: '9' },
    { kind: 'rotate', role: 'other', authority },
    { kind: 'renew', roles: ['other'] },
  ] as const) {
    await assert.rejects(propose(intent), { code: 'intent_impossible' }, JSON.stringify(intent))
  }
  await assert.rejects(
    buildProposal({ kind: 'rotate', role: 'root', authority }, noMetadata, { id: 'x', now }),
    { code: 'intent_impossible' },
  )
  assert.equal(currentAuthority('root', noMetadata), undefined)
  assert.ok(server.current())
})

test('T5 T6 T7 owners restart the marks of a channel whose stolen keys drove them up, loudly and only together with its keys', async () => {
  const { server, people, propose, publish, carryOut, signAll, authority, device } = await world()
  await carryOut(publish('1.0.0'))
  await carryOut(publish('2.0.0', { floor: 2 }))
  await carryOut({ kind: 'channel-create', product: 'acme', channel: 'beta', authority })
  const beta = () => propose(publish('3.0.0', { channel: 'beta' }))
  const honest = server.roles.get('acme.stable')!.signed
  /** The thief of the channel's keys signs what no proposal gives. */
  const thief = async (change: (signed: TargetsSigned) => Partial<TargetsSigned>) => {
    const signed = { ...honest, version: honest.version + 1, ...change(honest) }
    const bytes = await signMetadata(signed, people.slice(0, 2))
    server.roles.set('acme.stable', await parseMetadata('targets', bytes, 'strict'))
  }
  const highest = 2 ** 31 - 1
  const evil = (targets: TargetsSigned['targets']): TargetsSigned['targets'] => {
    const target = targets['acme/stable/2.0.0']!
    const facts = target.custom!['seaworthy'] as object
    const custom = { ...facts, version: '6.6.6', counter: highest, floor: highest }
    return { ...targets, 'acme/stable/6.6.6': { ...target, custom: { seaworthy: custom } } }
  }
  await thief(({ targets }) => ({
    targets: evil(targets),
    seaworthy: { counterHighest: highest, floorHighest: highest },
  }))
  // Nothing follows the last counter, and who publishes hears why.
  await assert.rejects(propose(publish('7.0.0')), {
    code: 'intent_impossible',
    message: /no release can follow one beyond 2130706431: .* restart the marks of acme\.stable/,
  })
  // No other channel of the product is led to the end of the counters.
  await assert.rejects(beta(), { code: 'intent_impossible' })
  const fresh = [await generateSigner('ed25519'), await generateSigner('p256')]
  const ours = { keys: fresh.map(({ key }) => key), threshold: 2 }
  const restart = { counterHighest: 2, floorHighest: 2 }
  const rotate = (more: object) =>
    propose({ kind: 'rotate', role: 'acme.stable', authority: ours, ...more })
  for (const impossible of [
    { restart, authority: { ...authority, threshold: 1 } },
    { restart, authority: { keys: [...authority.keys.slice(1), ...ours.keys], threshold: 2 } },
    { restart, role: 'acme' },
    { restart: { counterHighest: 1, floorHighest: 2 } },
  ]) {
    await assert.rejects(rotate(impossible), { code: 'intent_impossible' })
  }
  const current = server.current()
  const older = await rotate({ restart: { counterHighest: 3, floorHighest: 1 } })
  const warned = (await describeProposal(older, current)).join('\n')
  assert.match(warned, /! revives release acme\/stable\/1\.0\.0, counter 1/)
  const good = await rotate({ restart })
  const text = (await describeProposal(good, current)).join('\n')
  assert.match(text, /and restart its marks/)
  assert.match(text, /! restarts the marks: counter 2147483647 -> 2, floor 2147483647 -> 2/)
  assert.match(text, /! revives release acme\/stable\/2\.0\.0, counter 2/)
  assert.match(text, /- release acme\/stable\/6\.6\.6/)
  assert.doesNotMatch(text, /revives release acme\/stable\/1\.0\.0/)
  assert.deepEqual(await checkProposal(good, current, now), [])
  assert.deepEqual(formatProposal(await parseProposal(formatProposal(good))), formatProposal(good))
  // A server that takes the marks of a rotation down without saying so finds no signer.
  const silent = { ...good, intent: { kind: 'rotate', role: 'acme.stable', authority: ours } }
  const codes = (await checkProposal(silent as Proposal, current, now)).map(({ code }) => code)
  assert.ok(codes.includes('marks_lowered') && codes.includes('intent_mismatch'))
  // The product's holders and the new keys sign: the thief has neither.
  await assert.rejects(server.apply(await signAll(good, fresh)), { code: 'proposal_incomplete' })
  await server.apply(await signAll(good, [...people.slice(0, 2), ...fresh]))
  assert.deepEqual(
    (await device()).map(({ version }) => version),
    ['2.0.0', '1.0.0'],
  )
  await server.apply(await signAll(await beta()))
  await server.apply(await signAll(await propose(publish('4.0.0')), fresh))
  const { counterHighest, floorHighest } = server.roles.get('acme.stable')!.signed.seaworthy!
  assert.deepEqual([counterHighest, floorHighest], [4, 2])
})

test('T5 T10 a hostile server: every signer refuses alone what breaks a rule, whatever the server says', async () => {
  const { server, people, propose, publish, carryOut, anchor, authority } = await world()
  await carryOut(publish('1.0.0', { floor: 1 }))
  await carryOut(publish('1.1.0', { floor: 2 }))
  await carryOut({ kind: 'channel-create', product: 'acme', channel: 'beta', authority })
  const stranger = await generateSigner('ed25519')
  const honest = await propose(publish('1.2.0'))
  const product = await propose({ kind: 'product-create', product: 'other', authority })
  const rotation = await propose({
    kind: 'rotate',
    role: 'acme.stable',
    authority: { keys: [stranger.key], threshold: 1 },
  })
  const edit = (
    proposal: Proposal,
    at: number,
    change: (signed: TargetsSigned) => object,
  ): Proposal => ({
    ...proposal,
    documents: proposal.documents.map((document, i) =>
      i === at
        ? {
            ...document,
            signed: {
              ...document.signed,
              ...change(document.signed as TargetsSigned),
            },
          }
        : document,
    ),
  })
  const path = 'acme/stable/1.2.0'
  const withFacts = (facts: object) =>
    edit(honest, 0, ({ targets }) => {
      const target = targets[path]!
      const seaworthy = { ...(target.custom!['seaworthy'] as object), ...facts } as never
      return { targets: { ...targets, [path]: { ...target, custom: { seaworthy } } } }
    })
  /** The server raises the counter and says so in the marks. */
  const raised = (counter: number) => {
    const target = (proposal: Proposal) => (proposal.documents[0]!.signed as TargetsSigned).targets
    return edit(honest, 0, ({ seaworthy }) => ({
      targets: target(withFacts({ counter })),
      seaworthy: { ...seaworthy, counterHighest: counter },
    }))
  }
  const cases: readonly (readonly [ProblemCode, Proposal])[] = [
    ['intent_mismatch', raised(4)],
    ['intent_mismatch', raised(2 ** 31 - 1)],
    ['counter_not_increasing', withFacts({ counter: 2 })],
    ['layout', withFacts({ counter: 9 })],
    ['floor_lowered', withFacts({ floor: 1 })],
    ['layout', withFacts({ channel: 'beta' })],
    ['layout', withFacts({ more: 1 })],
    [
      'release_changed',
      edit(honest, 0, ({ targets }) => ({
        targets: {
          ...targets,
          'acme/stable/1.0.0': { ...targets['acme/stable/1.0.0']!, length: 7 },
        },
      })),
    ],
    [
      'marks_lowered',
      edit(honest, 0, ({ targets }) => ({
        seaworthy: { counterHighest: 1, floorHighest: 1 },
        targets: { 'acme/stable/1.0.0': targets['acme/stable/1.0.0']! },
      })),
    ],
    ['version_step', edit(honest, 0, ({ version }) => ({ version: version + 1 }))],
    ['version_step', edit(product, 1, () => ({ version: 2 }))],
    [
      'lifetime',
      edit(honest, 0, () => ({ expires: formatInstant(new Date(now.getTime() + 91 * dayMs)) })),
    ],
    ['lifetime', edit(honest, 0, () => ({ expires: formatInstant(now) }))],
    ['profile', edit(honest, 0, () => ({ spec_version: '1.2' }))],
    [
      'profile',
      edit(honest, 0, ({ targets }) => ({
        targets: { ...targets, 'acme/stable/a b': targets[path]! },
      })),
    ],
    ['kind_mismatch', { ...honest, kind: 'product-create' }],
    ['kind_mismatch', { ...rotation, kind: 'publish' }],
    ['intent_mismatch', { ...honest, title: 'Publish acme 1.0.0 on stable' }],
    ['intent_mismatch', edit(honest, 0, () => ({ 'x-more': 1 }))],
    ['intent_mismatch', { ...honest, documents: [...honest.documents, product.documents[1]!] }],
    [
      'intent_mismatch',
      {
        ...product,
        documents: [...product.documents, ...rotation.documents],
        base: { ...product.base, ...rotation.base },
      },
    ],
    ['outdated', { ...honest, base: {} }],
    [
      'outdated',
      {
        ...honest,
        base: { 'acme.stable': { ...honest.base['acme.stable']!, sha256: 'd'.repeat(64) } },
      },
    ],
    ['role_missing', { ...product, documents: product.documents.slice(0, 1) }],
    ['not_delegated', { ...product, documents: product.documents.slice(1) }],
    [
      'role_not_resigned',
      { ...rotation, documents: rotation.documents.slice(0, 1), intent: rotation.intent },
    ],
    [
      'layout',
      edit(product, 0, ({ delegations }) => ({
        delegations: {
          ...delegations,
          roles: delegations!.roles!.map((role) => ({ ...role, paths: ['*/*/*'] })),
        },
      })),
    ],
    [
      'layout',
      edit(product, 0, ({ delegations }) => ({
        delegations: {
          ...delegations,
          roles: delegations!.roles!.map((role) => ({ ...role, terminating: false })),
        },
      })),
    ],
    [
      'profile',
      edit(product, 0, ({ delegations }) => ({
        delegations: {
          ...delegations,
          roles: delegations!.roles!.map((role) => ({ ...role, threshold: 9 })),
        },
      })),
    ],
  ]
  const chain = withChain(honest, server.roots, server.roles).chain!
  const current = await verifyChain(anchor, chain)
  assert.deepEqual(await checkProposal(honest, current, now), [])
  assert.deepEqual(await checkProposal(product, server.current(), now), [])
  assert.deepEqual(await checkProposal(rotation, server.current(), now), [])
  for (const [code, proposal] of cases) {
    const problems = await checkProposal(proposal, current, now)
    assert.ok(
      problems.some((problem) => problem.code === code),
      `${code}: ${JSON.stringify(problems)}`,
    )
    await assert.rejects(signProposal(proposal, current, people[0]!, now), {
      name: 'Refusal',
      code: code === 'outdated' ? 'proposal_outdated' : 'proposal_refused',
    })
    await assert.rejects(prepareProposal(proposal, server.current(), now), { name: 'Refusal' })
  }
  // Counters of a channel that the server leaves out cannot be judged.
  const { 'acme.beta': _hidden, ...fewer } = chain.roles
  const blind = await verifyChain(anchor, { ...chain, roles: fewer })
  assert.deepEqual(
    (await checkProposal(honest, blind, now)).map(({ code }) => code),
    ['role_missing'],
  )
})

test('T5 a chain that the right keys have not signed is refused on the signing machine', async () => {
  const { server, propose, publish, carryOut, anchor, people } = await world()
  await carryOut(publish('1.0.0'))
  const other = await world()
  const proposal = await propose(publish('2.0.0'))
  const chain = withChain(proposal, server.roots, server.roles).chain!
  await assert.rejects(verifyChain(other.anchor, chain), { code: 'root_chain_broken' })
  const stable = chain.roles['acme.stable']!
  const forged = { ...stable, signed: { ...stable.signed, targets: {} } }
  await assert.rejects(
    verifyChain(anchor, { ...chain, roles: { ...chain.roles, 'acme.stable': forged } }),
    { code: 'signature_threshold' },
  )
  await assert.rejects(
    verifyChain(anchor, { ...chain, roles: { ...chain.roles, 'evil.stable': stable } }),
    { code: 'mix_and_match' },
  )
  const root = { ...chain.roots[0]!, signed: { ...chain.roots[0]!.signed, version: 2 } }
  await assert.rejects(verifyChain(anchor, { ...chain, roots: [...chain.roots, root] }), {
    code: 'signature_threshold',
  })
  assert.equal(people.length, 3)
})

test('D12 T11 who raises a floor is told which listed releases that ends, and of no others', async () => {
  const { server, propose, publish, carryOut } = await world()
  for (const version of ['1.0.0', '2.0.0', '3.0.0']) await carryOut(publish(version))
  const describe = async (floor: number) =>
    (await describeProposal(await propose(publish('4.0.0', { floor })), server.current()))
      .filter((line) => line.includes('! ends release'))
      .toSorted()
  const ends = (version: string, counter: number) =>
    `  ! ends release acme/stable/${version}, counter ${counter}: no device takes it from then on`
  assert.deepEqual(await describe(1), [])
  assert.deepEqual(await describe(3), [ends('1.0.0', 1), ends('2.0.0', 2)])
  await carryOut(publish('3.1.0', { floor: 2 }))
  // What ended before is not told again.
  assert.deepEqual(await describe(4), [ends('2.0.0', 2), ends('3.0.0', 3)])
})

test('the description shows what a person has to judge', async () => {
  const { server, propose, publish, carryOut, people } = await world()
  await carryOut(publish('1.0.0'))
  await carryOut({ kind: 'withdraw', product: 'acme', channel: 'stable', version: '1.0.0' })
  const release = (
    await describeProposal(
      await propose(publish('2.0.0', { security: true, floor: 2 })),
      server.current(),
    )
  ).join('\n')
  for (const part of [
    'acme.stable  version 3 -> 4',
    'expires 2030-03-02T00:00:00Z (was 2030-03-02T00:00:00Z)',
    '+ release acme/stable/2.0.0',
    'bundle for linux/amd64',
    'counter 2, floor 2, security',
    `sha256 ${'a'.repeat(64)}, 100 bytes`,
    'raises the floor from 1 to 2',
    'acme.stable, keys: 0 of 2 needed, 3 keys may sign',
  ]) {
    assert.ok(release.includes(part), `${part}\n${release}`)
  }
  const fresh = await generateSigner('p256')
  const authority = { keys: [people[0]!.key, fresh.key], threshold: 1 }
  const rotation = (
    await describeProposal(
      await propose({ kind: 'rotate', role: 'root', authority }),
      server.current(),
    )
  ).join('\n')
  for (const part of [
    'root  version 1 -> 2',
    'threshold 2 -> 1 of 2 keys',
    `+ key ${fresh.keyId} ecdsa-sha2-nistp256`,
    `- key ${people[2]!.keyId} ed25519`,
    'root, old keys: 0 of 2 needed',
    'root, new keys: 0 of 1 needed',
  ]) {
    assert.ok(rotation.includes(part), `${part}\n${rotation}`)
  }
})

test('proposal and signature files go there and back; anything else is proposal_malformed', async () => {
  const { server, people, propose, publish, signAll, authority } = await world()
  const proposals = [
    await signAll(await propose(publish('1.0.0')), [people[0]!]),
    await propose({ kind: 'product-create', product: 'other', authority }),
    await propose({ kind: 'rotate', role: 'root', authority: { ...authority, threshold: 1 } }),
    await propose({ kind: 'renew', roles: ['targets', 'acme'] }),
  ]
  for (const proposal of proposals) {
    const bytes = formatProposal(withChain(proposal, server.roots, server.roles))
    assert.deepEqual(formatProposal(await parseProposal(bytes)), bytes)
  }
  const bytes = formatProposal(proposals[0]!)
  const json = JSON.parse(utf8Decode(bytes))
  for (const change of [
    { format: 'x' },
    { id: '../x' },
    { title: 'a\u001bb' },
    { kind: 'renew' },
    { createdAt: 'now' },
    { base: { a: 1 } },
    { documents: [] },
    { documents: [json.documents[0], json.documents[0]] },
    { documents: [{ ...json.documents[0], role: 'snapshot' }] },
    { documents: [{ ...json.documents[0], role: 'a/b' }] },
    { documents: [{ ...json.documents[0], signed: undefined }] },
    { evidence: [] },
    { chain: {} },
    { intent: { kind: 'publish', content: {} } },
    { intent: { kind: 'no' } },
    { intent: { kind: 'rotate', role: 'a.b', authority, restart: { counterHighest: 1 } } },
    {
      intent: {
        kind: 'rotate',
        role: 'a.b',
        authority,
        restart: { counterHighest: 2 ** 31, floorHighest: 1 },
      },
    },
    { intent: { kind: 'rotate', role: 'root', authority: { keys: [1], threshold: 1 } } },
    { kind: 'renew', intent: { kind: 'renew', roles: ['acme', 'acme'] } },
    { documents: Array.from({ length: 1025 }, () => json.documents[0]) },
  ]) {
    await assert.rejects(
      parseProposal(utf8Encode(JSON.stringify({ ...json, ...change }))),
      { code: 'proposal_malformed' },
      JSON.stringify(change),
    )
  }
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), async (at, byte, cut) => {
      const broken = cut ? bytes.slice(0, at) : bytes.with(at, byte)
      for (const parse of [parseProposal, async (b: Uint8Array) => parseSignatureFile(b)]) {
        await parse(broken).catch((error: unknown) => {
          assert.ok(error instanceof Refusal && error.code === 'proposal_malformed', String(error))
        })
      }
    }),
    { numRuns: 1000 },
  )
  assert.throws(
    () =>
      parseSignatureFile(
        wireJson({ format: 'seaworthy-signatures-v1', proposal: 'x', signatures: [{}] }),
      ),
    { code: 'proposal_malformed' },
  )
})

test('T5 attack: a role of more keys than anybody has is refused by server, signer and device alike', async () => {
  const { server, propose } = await world()
  const crowd = await Promise.all(
    Array.from({ length: keysPerRoleMax + 1 }, () => generateSigner('ed25519')),
  )
  const keys = crowd.map(({ key }) => key)
  const intent = (count: number) =>
    ({
      kind: 'channel-create',
      product: 'acme',
      channel: 'beta',
      authority: { keys: keys.slice(0, count), threshold: 1 },
    }) as const
  const full = await propose(intent(keysPerRoleMax))
  assert.deepEqual(await checkProposal(full, server.current(), now), [])
  assert.equal((await parseProposal(formatProposal(full))).documents.length, 2)
  const crowded = await propose(intent(keysPerRoleMax + 1))
  const problems = await checkProposal(crowded, server.current(), now)
  assert.deepEqual(
    problems.map(({ code, role, message }) => [code, role, message]),
    [['profile', 'acme', 'acme.beta has 65 keys, more than 64']],
  )
  await assert.rejects(parseProposal(formatProposal(crowded)), {
    code: 'proposal_malformed',
    message: /65 keys, more than 64/,
  })
  // Hidden in the documents alone, they are refused by the linter, which every device runs.
  const { signed } = crowded.documents[0]!
  await assert.rejects(
    parseMetadata('targets', wireJson({ signed, signatures: [] }), 'strict'),
    (error: unknown) => isTrustError(error, 'profile_violation'),
  )
})

test('T5 attack: a file of many signatures has each document read once, not once for each signature', async () => {
  const { server, people, propose, publish } = await world()
  const proposal = await propose(publish('1.0.0'))
  const file = await signProposal(proposal, server.current(), people[0]!, now)
  let reads = 0
  const watched = {
    ...proposal,
    documents: proposal.documents.map(({ signed, ...rest }) => ({
      ...rest,
      signed: {
        ...signed,
        get version() {
          reads++
          return signed.version
        },
      },
    })),
  }
  const readsFor = async (count: number) => {
    reads = 0
    const [signature] = file.signatures
    const signatures = Array.from({ length: count }, () => signature!)
    await mergeSignatures(watched, { ...file, signatures }, server.current())
    return reads
  }
  assert.equal(await readsFor(50), await readsFor(1))
})
