/**
 * Parsers of `trust/tuf` and `trust/keys`: metadata, proposals, signatures, keys, key files, the
 * device's trust state.
 */
import { base64Encode, equalBytes, hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { seededRandom } from '@seaworthy/std/random'
import { ManualClock } from '@seaworthy/std/time'
import type { KeyAlgorithm } from '@seaworthy/trust/keys'
import {
  formatPublicKeyFile,
  generateKeyPair,
  generateSigner,
  isSignedBy,
  openKeyFile,
  parsePublicKey,
  parsePublicKeyFile,
  readForeignKey,
  sealKeyFile,
} from '@seaworthy/trust/keys'
import type { JsonValue, Profile, RoleType, StateSlot } from '@seaworthy/trust/tuf'
import {
  buildProposal,
  buildTimestamp,
  canonicalJson,
  describeProposal,
  formatProposal,
  formatSignatureFile,
  openTufClient,
  parseIntent,
  parseJson,
  parseMetadata,
  parseProposal,
  parseRelease,
  parseSignatureFile,
  readCurrentMetadata,
  signMetadata,
  signProposal,
  wireJson,
} from '@seaworthy/trust/tuf'
import type { RepositorySimulator } from '@seaworthy/trust/testing'
import {
  createRepositorySimulator,
  memoryStateStore,
  provisionClient,
} from '@seaworthy/trust/testing'
import type { FuzzTarget } from '../target.ts'
import { holds } from '../target.ts'

const startAt = new Date('2026-03-01T12:00:00Z')

/** `samples`: bodies of requests that carry proposals and signatures. */
export async function createTrustTargets(): Promise<{
  targets: FuzzTarget[]
  samples: Record<string, unknown>
}> {
  const repository = await createRepositorySimulator(startAt)
  await repository.addProduct('acme')
  await repository.addChannel('acme', 'stable', 2)
  await repository.addRelease('acme', 'stable', '1.0.0')
  const clientSlots = await refreshOnce(repository)
  await repository.addRelease('acme', 'stable', '1.1.0')
  const proposals = await proposalTargets(repository)
  const [proposal, , signatures] = proposals.map(
    ({ seeds }) => JSON.parse(utf8Decode(seeds[0]!)) as unknown,
  )
  return {
    targets: [
      ...metadataTargets(repository),
      ...jsonTargets(),
      ...(await keyTargets()),
      ...proposals,
      ...clientTargets(repository, clientSlots),
    ],
    samples: { 'proposal.create': { proposal }, 'proposal.sign': { signatures } },
  }
}

function newest(repository: RepositorySimulator, role: string): Uint8Array {
  if (role === 'timestamp') return repository.files.get('timestamp.json')!
  const versions = [...repository.files.keys()].filter((name) => name.endsWith(`.${role}.json`))
  const [name] = versions.toSorted((a, b) => Number.parseInt(b) - Number.parseInt(a))
  return repository.files.get(name!)!
}

function metadataTargets(repository: RepositorySimulator): FuzzTarget[] {
  const seeds: Record<RoleType, string[]> = {
    root: ['root'],
    timestamp: ['timestamp'],
    snapshot: ['snapshot'],
    targets: ['targets', 'acme', 'acme.stable'],
  }
  return (Object.keys(seeds) as RoleType[]).flatMap((type) =>
    (['strict', 'conforming'] as const).map((profile: Profile): FuzzTarget => ({
      name: `tuf/${type}-${profile}`,
      form: 'json',
      seeds: seeds[type].map((role) => newest(repository, role)),
      weight: 4,
      run: async (bytes) => {
        const metadata = await parseMetadata(type, bytes, profile)
        // The strict profile says: what was received is what we would have written.
        const { signatures, signed } = metadata
        if (profile === 'strict')
          holds(equalBytes(wireJson({ signatures, signed }), bytes), 'one form')
        if (metadata.signed._type !== 'targets') return
        for (const [path, target] of Object.entries(metadata.signed.targets)) {
          parseRelease(path, target)
        }
      },
    })),
  )
}

function jsonTargets(): FuzzTarget[] {
  const seeds = [
    '{"a":[1,-2,{"b":"\\u00e9\\n"}],"c":null,"d":true,"":9007199254740991}',
    '[[],{},"\ud83d\ude00",false,0]',
  ].map(utf8Encode)
  const roundTrip = (value: JsonValue, text: string) => {
    const again = parseJson(wireJson(value), { bytesMax: 1_000_000, depthMax: 32 })
    holds(equalBytes(canonicalJson(again), canonicalJson(value)), 'wire form reads back')
    const known = JSON.parse(text) as unknown
    holds(equalBytes(canonicalJson(known), canonicalJson(value)), 'reads as JSON.parse does')
  }
  return [
    {
      name: 'tuf/json',
      form: 'json',
      seeds,
      weight: 6,
      run: (bytes) =>
        roundTrip(parseJson(bytes, { bytesMax: 100_000, depthMax: 32 }), utf8Decode(bytes)),
    },
  ]
}

async function keyTargets(): Promise<FuzzTarget[]> {
  const algorithms: KeyAlgorithm[] = ['ed25519', 'p256']
  const random = seededRandom(1)
  const cost = { memoryKiB: 8192, passes: 1, parallelism: 1 }
  // The reading is fuzzed: a hash stands in for the key derivation, so that a case costs
  // microseconds.
  const argon2id = async ({ passphrase }: { passphrase: Uint8Array<ArrayBuffer> }) =>
    new Uint8Array(await crypto.subtle.digest('SHA-256', passphrase))
  const pairs = await Promise.all(algorithms.map((algorithm) => generateKeyPair(algorithm)))
  const sealed = await Promise.all(
    pairs.map((pair) => sealKeyFile({ ...pair, passphrase: 'p', cost }, { argon2id, random })),
  )
  const shown = await Promise.all(pairs.map(({ key }) => formatPublicKeyFile(key)))
  const message = utf8Encode('message')
  const signer = await generateSigner('p256')
  const verifying = parsePublicKey(signer.key)
  const signature = await signer.sign(message)
  const keys = pairs.map(({ key }) => utf8Encode(JSON.stringify(key)))
  return [
    {
      name: 'keys/public-key',
      form: 'json',
      seeds: keys,
      weight: 3,
      refusals: [SyntaxError, TypeError],
      run: async (bytes) => {
        // The value is one that a caller has: some value that came out of JSON.
        const value = JSON.parse(utf8Decode(bytes)) as unknown
        await readForeignKey(value)
        try {
          parsePublicKey(value)
        } catch (error) {
          if (error instanceof TypeError) throw new Error('a bug, not a refusal', { cause: error })
          throw error
        }
      },
    },
    {
      name: 'keys/public-file',
      form: 'json',
      seeds: [...shown, ...sealed].map(utf8Encode),
      weight: 3,
      wrap: sealChecksum,
      run: (bytes) => parsePublicKeyFile(bytes),
    },
    {
      name: 'keys/sealed-file',
      form: 'json',
      seeds: sealed.map(utf8Encode),
      weight: 3,
      wrap: sealChecksum,
      run: (bytes) => openKeyFile(bytes, 'p', { argon2id }),
    },
    {
      name: 'keys/signature',
      form: 'bytes',
      seeds: [utf8Encode(signature)],
      weight: 2,
      run: async (bytes) => {
        const text = Buffer.from(bytes).toString('latin1')
        const isGood = await isSignedBy(verifying, message, text)
        holds(isGood === (text === signature), 'only the one encoding of the signature verifies')
      },
    },
  ]
}

/** Puts the checksum right that an edited key file no longer has. */
async function sealChecksum(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const file = JSON.parse(utf8Decode(bytes)) as Record<string, unknown>
    if (typeof file !== 'object' || file === null || Array.isArray(file)) return bytes
    delete file['checksum']
    const digest = await crypto.subtle.digest('SHA-256', canonicalJson(file))
    return utf8Encode(JSON.stringify({ ...file, checksum: hexEncode(new Uint8Array(digest)) }))
  } catch {
    return bytes
  }
}

async function proposalTargets(repository: RepositorySimulator): Promise<FuzzTarget[]> {
  const current = await readCurrentMetadata(
    newest(repository, 'root'),
    ['targets', 'acme', 'acme.stable'].map((role) => [role, newest(repository, role)] as const),
  )
  const content = {
    product: 'acme',
    channel: 'stable',
    version: '2.0.0',
    kind: 'bundle' as const,
    platforms: ['linux/amd64'],
    hardware: [],
    security: false,
    floor: 0,
    length: 100,
    sha256: 'a'.repeat(64),
    sha512: 'b'.repeat(128),
  }
  const proposal = await buildProposal({ kind: 'publish', content }, current, {
    id: 'proposal_1',
    now: startAt,
    evidence: { note: 'text' },
  })
  const signer = repository.signers.get('acme.stable')![0]!
  const signatures = await signProposal(proposal, current, signer, startAt)
  return [
    {
      name: 'tuf/proposal',
      form: 'json',
      seeds: [formatProposal(proposal)],
      weight: 4,
      run: async (bytes) => {
        const read = await parseProposal(bytes)
        const lines = await describeProposal(read, current)
        // Nothing that a signer reads may steer the terminal it is read on.
        holds(!lines.some((line) => /[\p{C}\u2028\u2029]/u.test(line)), 'printable')
      },
    },
    {
      name: 'tuf/intent',
      form: 'json',
      seeds: [utf8Encode(JSON.stringify(proposal.intent))],
      weight: 2,
      run: (bytes) => parseIntent(parseJson(bytes, { bytesMax: 100_000, depthMax: 16 })),
    },
    {
      name: 'tuf/signature-file',
      form: 'json',
      seeds: [formatSignatureFile(signatures)],
      weight: 2,
      run: (bytes) => parseSignatureFile(bytes),
    },
  ]
}

type Slots = readonly (readonly [StateSlot, Uint8Array])[]

/** What a device has stored after a cycle. */
async function refreshOnce(repository: RepositorySimulator): Promise<Slots> {
  const { client, store } = await provisionClient(repository, new ManualClock(startAt))
  await client.refresh()
  await client.loadChannel('acme', 'stable')
  return [...store.slots]
}

/**
 * Whole cycles of the device's client against somebody who holds the online keys and serves what
 * they like.
 */
function clientTargets(repository: RepositorySimulator, slots: Slots): FuzzTarget[] {
  const clock = new ManualClock(startAt)
  const options = { anchor: repository.anchor, profile: 'strict', notBefore: startAt } as const
  const openWith = async (state: Slots, served = new Map<string, Uint8Array>()) => {
    const own = memoryStateStore()
    for (const [slot, bytes] of state) own.slots.set(slot, bytes)
    const opened = await openTufClient(options, {
      clock,
      store: own,
      fetchMetadata: async (name) => served.get(name) ?? repository.files.get(name),
    })
    return { opened, own }
  }
  const resign = (role: string) => async (bytes: Uint8Array<ArrayBuffer>) => {
    try {
      const envelope = parseJson(bytes, { bytesMax: 1_000_000, depthMax: 30 })
      return await signMetadata(
        (envelope as { signed: never }).signed,
        repository.signers.get(role)!,
      )
    } catch {
      return bytes
    }
  }
  /**
   * A timestamp that vouches for whatever snapshot is served: somebody with one online key has the
   * other.
   */
  const vouchFor = async (snapshot: Uint8Array) => {
    const { version } = repository.snapshot
    const times = { signedAt: startAt, expiresAt: new Date(startAt.getTime() + 3_600_000) }
    const signed = await buildTimestamp(repository.timestamp, { version, bytes: snapshot }, times)
    return signMetadata(signed, repository.signers.get('timestamp')!)
  }
  const cycle = (role: 'timestamp' | 'snapshot'): FuzzTarget => ({
    name: `tuf/client-${role}`,
    form: 'json',
    seeds: [newest(repository, role)],
    weight: 0.4,
    wrap: resign(role),
    run: async (bytes) => {
      const isSnapshot = role === 'snapshot'
      const served = new Map<string, Uint8Array>([
        ['timestamp.json', isSnapshot ? await vouchFor(bytes) : bytes],
      ])
      if (isSnapshot) served.set(`${repository.snapshot.version}.snapshot.json`, bytes)
      const { opened, own } = await openWith(slots, served)
      try {
        await opened.refresh()
        const { signed } = await opened.loadChannel('acme', 'stable')
        holds(signed.version === repository.targets.get('acme.stable')!.version, 'the one signed')
      } finally {
        // Whatever came, the device can be started again on what was written.
        await openWith([...own.slots])
      }
    },
  })
  const sealState = async (bytes: Uint8Array<ArrayBuffer>) => {
    const body = utf8Decode(Uint8Array.from(bytes, (byte) => (byte > 126 ? 63 : byte))).split(
      '\n',
    )[0]!
    const digest = await crypto.subtle.digest('SHA-256', utf8Encode(body))
    return utf8Encode(
      `${body}\n${utf8Encode(body).length} sha256:${hexEncode(new Uint8Array(digest))}\n`,
    )
  }
  const whole = slots.map(([, bytes]) => bytes)
  const body = utf8Decode(whole.at(-1)!).split('\n')[0]!
  const { roles } = JSON.parse(body) as { roles: Record<string, string> }
  const small = JSON.stringify({
    format: 'seaworthy-trust-state-v1',
    generation: 3,
    roots: [base64Encode(repository.anchor)],
    roles: { timestamp: roles['timestamp'] },
    verifiedAt: '2026-03-01T12:00:00Z',
    verifiedUnder: 1,
  })
  return [
    cycle('timestamp'),
    cycle('snapshot'),
    {
      name: 'tuf/state',
      form: 'json',
      seeds: [utf8Encode(small)],
      weight: 2,
      wrap: sealState,
      run: (bytes) => openWith([['a', bytes]]),
    },
    {
      name: 'tuf/state-whole',
      form: 'bytes',
      seeds: whole,
      weight: 1,
      run: (bytes) => openWith([['a', bytes]]),
    },
  ]
}
