/**
 * Attacks with offline keys: below a threshold they must all fail, above it they must stay inside
 * what the role may say.
 */
import {
  addRelease,
  buildTargets,
  changeRoot,
  channelRole,
  expiryOf,
  restartMarks,
} from '@seaworthy/trust/tuf'
import { keyId } from '@seaworthy/trust/keys'
import type { Signer } from '@seaworthy/trust/keys'
import type { Arguments } from '../script/parse-script.ts'
import type { Attacker } from '../world/attacker.ts'
import { requireThreshold } from '../world/attacker.ts'
import type { WorldRelease } from '../world/releases.ts'
import { addToArtifacts } from '../world/artifacts.ts'
import type { Attack } from './attack.ts'

export const offlineAttacks: Readonly<Record<string, Attack>> = {
  'forge-release': {
    usage:
      'forge-release PRODUCT CHANNEL VERSION [in=ROLE] [counter=N]: lists a release with the keys held, in the channel or in another role',
    async run(attacker, given) {
      const product = given.next('product')
      const channel = given.next('channel')
      const version = given.next('version')
      const role = given.option('in') ?? channelRole(product, channel)
      const counter = given.countOption('counter') ?? 1000
      const built = await buildHostile(attacker, product, channel, version)
      const { now, expiresAt } = timesFor(attacker, role)
      const signed = addRelease(
        attacker.current(role),
        { ...factsOf(built), channel, counter, floor: 1, releasedAt: now },
        expiresAt,
      )
      await attacker.put(role, signed)
      if (attacker.keysOf('snapshot').length > 0) await attacker.publish()
      if (canSpeakFor(attacker, role) && role === channelRole(product, channel)) {
        // The threshold has signed: from here on it is a release like any other, in the open.
        attacker.world.signed.push({ product, channel, version, counter, floor: 1, built })
      }
    },
  },
  'sign-twice': {
    usage: 'sign-twice PRODUCT CHANNEL VERSION: the one key held signs twice',
    run: (attacker, given) => forgeWith(attacker, given, (signer) => [signer, signer]),
  },
  'sign-as-another': {
    usage:
      'sign-as-another PRODUCT CHANNEL VERSION: the one key held signs again under the key id of another',
    run: (attacker, given) =>
      forgeWith(attacker, given, (signer, keyids) => [
        signer,
        { ...signer, keyId: keyids.find((id) => id !== signer.keyId)! },
      ]),
  },
  'take-over-root': {
    usage: 'take-over-root: the next root, in which only the root keys held count, signed by them',
    async run(attacker) {
      const held = attacker.keysOf('root')
      const { now } = timesFor(attacker, 'root')
      const next = await changeRoot(attacker.current('root'), {
        expiresAt: expiryOf('root', now),
        roles: { root: { keys: held.map(({ key }) => key), threshold: 1 } },
      })
      await attacker.put('root', next)
    },
  },
  'two-keyids': {
    usage:
      'two-keyids PRODUCT CHANNEL VERSION: who speaks for the product lists one key under two key ids, threshold 2',
    async run(attacker, given) {
      const product = given.next('product')
      const channel = given.next('channel')
      requireThreshold(attacker, product)
      const role = channelRole(product, channel)
      const [signer] = attacker.keysOf(product)
      const id = await keyId(signer!.key)
      const alias = `${id.slice(0, -4)}0000`
      await delegate(attacker, product, role, { [id]: signer!.key, [alias]: signer!.key }, 2)
      const signed = await forge(attacker, product, channel, given.next('version'))
      await attacker.putSigned(role, signed, [signer!, { ...signer!, keyId: alias }])
      if (attacker.keysOf('snapshot').length > 0) await attacker.publish()
    },
  },
  'threshold-zero': {
    usage:
      'threshold-zero PRODUCT CHANNEL VERSION: who speaks for the product asks for no signature',
    async run(attacker, given) {
      const product = given.next('product')
      const channel = given.next('channel')
      requireThreshold(attacker, product)
      const role = channelRole(product, channel)
      const [signer] = attacker.keysOf(product)
      await delegate(attacker, product, role, { [signer!.keyId]: signer!.key }, 0)
      const signed = await forge(attacker, product, channel, given.next('version'))
      await attacker.putSigned(role, signed, [])
      if (attacker.keysOf('snapshot').length > 0) await attacker.publish()
    },
  },
  'target-without-hash': {
    usage:
      'target-without-hash PRODUCT CHANNEL VERSION: who speaks for the channel lists a release by its length alone',
    async run(attacker, given) {
      const product = given.next('product')
      const channel = given.next('channel')
      const version = given.next('version')
      const role = channelRole(product, channel)
      requireThreshold(attacker, role)
      const signed = await forge(attacker, product, channel, version)
      const path = `${product}/${channel}/${version}`
      const target = { ...signed.targets[path]!, hashes: {} }
      await attacker.put(role, { ...signed, targets: { ...signed.targets, [path]: target } })
      if (attacker.keysOf('snapshot').length > 0) await attacker.publish()
    },
  },
  'lose-history': {
    usage:
      'lose-history PRODUCT CHANNEL: who speaks for the channel starts it over at version 1, and the online keys name that',
    async run(attacker, given) {
      const role = channelRole(given.next('product'), given.next('channel'))
      requireThreshold(attacker, role)
      for (const name of attacker.artifacts.metadata.keys()) {
        if (name.endsWith(`.${role}.json`)) attacker.artifacts.metadata.delete(name)
      }
      await attacker.put(role, buildTargets(timesFor(attacker, role).expiresAt))
      await attacker.publish()
    },
  },
  'forget-floor': {
    usage:
      'forget-floor PRODUCT CHANNEL COUNTER: who speaks for the channel signs its next version without a floor and without what is above COUNTER',
    async run(attacker, given) {
      const role = channelRole(given.next('product'), given.next('channel'))
      const counterHighest = given.count('counter')
      requireThreshold(attacker, role)
      const { expiresAt } = timesFor(attacker, role)
      const marks = { counterHighest, floorHighest: 1 }
      await attacker.put(role, restartMarks(attacker.current(role), marks, expiresAt))
      await attacker.publish()
    },
  },
  'poison-content': {
    usage:
      'poison-content PRODUCT VERSION: replaces the content of a published release by other content of the same length',
    async run({ artifacts, world }, given) {
      const product = given.next('product')
      const version = given.next('version')
      const release = world.signed.find((r) => r.product === product && r.version === version)
      if (release === undefined) throw new Error('there is no such release')
      const { layerDigest } = release.built
      const bytes = new Uint8Array(artifacts.content.get(layerDigest)!)
      bytes[bytes.length - 1]! ^= 1
      artifacts.content.set(layerDigest, bytes)
    },
  },
  'push-content': {
    usage:
      'push-content PRODUCT CHANNEL VERSION: puts a release into the registry that nobody signed',
    async run(attacker, given) {
      const product = given.next('product')
      const channel = given.next('channel')
      await buildHostile(attacker, product, channel, given.next('version'))
    },
  },
}

async function buildHostile(
  attacker: Attacker,
  product: string,
  channel: string,
  version: string,
): Promise<WorldRelease> {
  const built = await attacker.world.build({ product, channel, version })
  addToArtifacts(attacker.artifacts, built, channel)
  return built
}

function factsOf({ product, version, index, sha256, sha512 }: WorldRelease) {
  return {
    product,
    version,
    kind: 'bundle' as const,
    platforms: ['linux/amd64'],
    hardware: [],
    security: false,
    length: index.length,
    sha256,
    sha512,
  }
}

function timesFor({ world }: Attacker, role: string) {
  const now = world.time.now()
  return { now, expiresAt: expiryOf(role, now) }
}

/**
 * A release listed in its channel, with signatures that `choose` makes of one key and of all key
 * ids of the role.
 */
async function forgeWith(
  attacker: Attacker,
  given: Arguments,
  choose: (signer: Signer, keyids: readonly string[]) => Signer[],
): Promise<void> {
  const product = given.next('product')
  const channel = given.next('channel')
  const role = channelRole(product, channel)
  const [signer] = attacker.keysOf(role)
  if (signer === undefined) throw new Error(`no key of ${role} is held`)
  const signed = await forge(attacker, product, channel, given.next('version'))
  const { roles = [] } = attacker.current(product).delegations ?? {}
  const { keyids } = roles.find(({ name }) => name === role)!
  await attacker.putSigned(role, signed, choose(signer, keyids))
  if (attacker.keysOf('snapshot').length > 0) await attacker.publish()
}

/** The next version of a channel with a release that nobody honest signed. */
async function forge(attacker: Attacker, product: string, channel: string, version: string) {
  const role = channelRole(product, channel)
  const built = await buildHostile(attacker, product, channel, version)
  const { now, expiresAt } = timesFor(attacker, role)
  const release = { ...factsOf(built), channel, counter: 1000, floor: 1, releasedAt: now }
  return addRelease(attacker.current(role), release, expiresAt)
}

/** A new version of the product's role in which `keys` speak for `role`. */
async function delegate(
  attacker: Attacker,
  product: string,
  role: string,
  keys: Readonly<Record<string, Parameters<typeof keyId>[0]>>,
  threshold: number,
): Promise<void> {
  const before = attacker.current(product)
  const roles = before.delegations!.roles!.map((one) =>
    one.name === role ? { ...one, keyids: Object.keys(keys).toSorted(), threshold } : one,
  )
  const used = new Set(roles.flatMap(({ keyids }) => keyids))
  const all = Object.entries({ ...before.delegations!.keys, ...keys })
  await attacker.put(product, {
    ...before,
    version: before.version + 1,
    delegations: { keys: Object.fromEntries(all.filter(([id]) => used.has(id))), roles },
  })
}

function canSpeakFor(attacker: Attacker, role: string): boolean {
  try {
    requireThreshold(attacker, role)
    return true
  } catch {
    // It is below the threshold: no device has to run the forgery.
    return false
  }
}
