import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '@seaworthy/std/time'
import { createRepositorySimulator, provisionClient } from '../testing/index.ts'
import type { RepositorySimulator } from '../testing/index.ts'
import { readClientState } from './client-state.ts'
import type { Envelope, TargetsSigned } from './metadata.ts'
import { parseMetadata } from './parse-metadata.ts'
import { verifyChain } from './proposal-chain.ts'
import type { KnownMetadata } from './proposal-chain.ts'
import type { ProposalChain } from './proposal.ts'
import { listReleases } from './release.ts'
import { formatMetadata, renewRole, signRole } from './repository.ts'

const now = new Date('2030-01-01T00:00:00Z')

async function openWorld() {
  const repository = await createRepositorySimulator(now)
  await repository.addProduct('web')
  await repository.addChannel('web', 'stable')
  await repository.addRelease('web', 'stable', '1.0')
  await repository.addRelease('web', 'stable', '1.1', { floor: 2 })
  return repository
}

/** What the repository serves now, as a file would carry it. */
async function chainOf(repository: RepositorySimulator): Promise<ProposalChain> {
  const roots = []
  for (let version = 1; ; version++) {
    const bytes = repository.files.get(`${version}.root.json`)
    if (bytes === undefined) break
    const { signed, signatures } = await parseMetadata('root', bytes, 'strict')
    roots.push({ signed, signatures })
  }
  const roles: Record<string, Envelope<TargetsSigned>> = {}
  for (const [role, { version }] of repository.targets) {
    const bytes = repository.files.get(`${version}.${role}.json`)!
    const { signed, signatures } = await parseMetadata('targets', bytes, 'strict')
    roles[role] = { signed, signatures }
  }
  return { roots, roles }
}

/** What a machine remembers that verifies the repository now. */
async function knownOf(repository: RepositorySimulator): Promise<KnownMetadata> {
  const { client, store } = await provisionClient(repository, new ManualClock(now))
  await client.refresh()
  await client.loadChannel('web', 'stable')
  return (await readClientState(store)).state
}

/** The same chain with another document of a role, signed by these. */
async function signAgain(
  chain: ProposalChain,
  role: string,
  change: (signed: TargetsSigned) => TargetsSigned,
  signers: Parameters<typeof signRole>[1][],
): Promise<ProposalChain> {
  const signed = change(chain.roles[role]!.signed)
  const signatures = await Promise.all(signers.map((signer) => signRole(signed, signer)))
  const bytes = formatMetadata({ signed, signatures })
  const sorted = await parseMetadata('targets', bytes, 'strict')
  const envelope = { signed: sorted.signed, signatures: sorted.signatures }
  return { ...chain, roles: { ...chain.roles, [role]: envelope } }
}

const versionsOf = (signed: TargetsSigned) => listReleases(signed).releases.map((r) => r.version)

test('T5 T8 attack: what replaced keys have signed, on a machine that has verified the replacement', async () => {
  for (const rotated of ['web.stable', 'web', 'targets', 'root'] as const) {
    const repository = await openWorld()
    const stolen = repository.signers.get(rotated)!
    const old = await chainOf(repository)
    await repository.rotateKeys(rotated, 3, 2)
    const known = await knownOf(repository)
    const forged =
      rotated === 'root'
        ? await forgeRoot(old, stolen)
        : await signAgain(old, rotated, (signed) => ({ ...signed, version: 99 }), stolen)
    // A machine that remembers nothing cannot tell.
    const believed = await verifyChain(repository.anchor, forged)
    assert.equal(believed.isKnown, false)
    await assert.rejects(
      verifyChain(repository.anchor, forged, [known]),
      { code: rotated === 'root' ? 'root_chain_broken' : 'signature_threshold' },
      rotated,
    )
  }
})

async function forgeRoot(
  chain: ProposalChain,
  stolen: Parameters<typeof signRole>[1][],
): Promise<ProposalChain> {
  const signed = { ...renewRole(chain.roots[0]!.signed, new Date('2030-06-01T00:00:00Z')) }
  const signatures = await Promise.all(stolen.map((signer) => signRole(signed, signer)))
  const root = await parseMetadata('root', formatMetadata({ signed, signatures }), 'strict')
  return { ...chain, roots: [...chain.roots, { signed: root.signed, signatures: root.signatures }] }
}

test('T5 T8 an older chain that is genuine is judged by what this machine knows since', async () => {
  const repository = await openWorld()
  const old = await chainOf(repository)
  await repository.withdrawRelease('web', 'stable', '1.1')
  await repository.rotateKeys('web.stable', 3, 2)
  await repository.rotateKeys('root', 3, 2)
  const known = await knownOf(repository)
  const current = await verifyChain(repository.anchor, old, [known])
  assert.deepEqual(
    [current.isKnown, current.root.signed.version, current.newer],
    [true, 2, ['root', 'web', 'web.stable']],
  )
  assert.deepEqual(versionsOf(current.roles.get('web.stable')!.signed), ['1.0'])
  // The newest is known to both.
  const newest = await verifyChain(repository.anchor, await chainOf(repository), [known])
  assert.deepEqual([newest.isKnown, newest.newer], [true, []])
})

test('T5 attack: a second document of a version that was verified here', async () => {
  const repository = await openWorld()
  const before = await chainOf(repository)
  await repository.withdrawRelease('web', 'stable', '1.1')
  const known = await knownOf(repository)
  const signers = repository.signers.get('web.stable')!
  const second = await signAgain(
    before,
    'web.stable',
    (signed) => renewRole(signed, new Date('2030-02-01T00:00:00Z')),
    signers,
  )
  assert.deepEqual(versionsOf(second.roles['web.stable']!.signed), ['1.1', '1.0'])
  await assert.rejects(verifyChain(repository.anchor, second, [known]), { code: 'mix_and_match' })
})

test('T5 T8 attack: an older version or a lower floor of which only the marks are left', async () => {
  const repository = await openWorld()
  const old = await chainOf(repository)
  await repository.addRelease('web', 'stable', '1.2', { floor: 3 })
  const { roots, marks } = await knownOf(repository)
  const known = { roots, roles: new Map<string, Uint8Array>(), marks: marks! }
  await assert.rejects(verifyChain(repository.anchor, old, [known]), { code: 'rollback' })
  const lowered = await signAgain(
    old,
    'web.stable',
    (signed) => ({ ...signed, version: 50 }),
    repository.signers.get('web.stable')!,
  )
  await assert.rejects(verifyChain(repository.anchor, lowered, [known]), {
    code: 'rollback',
    message: /has the floor 2 after 3/,
  })
})

test('T5 T8 what is known of another repository says nothing, and several known ones are all heard', async () => {
  const [repository, other] = [await openWorld(), await openWorld()]
  const old = await chainOf(repository)
  await other.rotateKeys('root', 3, 2)
  const foreign = await knownOf(other)
  const alone = await verifyChain(repository.anchor, old, [foreign])
  assert.deepEqual([alone.isKnown, alone.newer], [false, []])
  await repository.withdrawRelease('web', 'stable', '1.1')
  const known = await knownOf(repository)
  const both = await verifyChain(repository.anchor, old, [foreign, known])
  assert.deepEqual([both.isKnown, both.newer], [true, ['web.stable']])
})

test('T5 T8 a machine that knows no root but the next goes on from the last of the chain', async () => {
  const repository = await openWorld()
  const old = await chainOf(repository)
  await repository.rotateKeys('root', 3, 2)
  const known = await knownOf(repository)
  const later = { ...known, roots: known.roots.slice(1) }
  const current = await verifyChain(repository.anchor, old, [later])
  assert.deepEqual([current.isKnown, current.root.signed.version], [true, 2])
})
