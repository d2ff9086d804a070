/**
 * Parsers of the agent: configuration, bundle manifest, messages between its processes, its state
 * on disk.
 */
import {
  parseConfig,
  withoutProvisioningKey,
  openDeviceKey,
  encodeGeneration,
  readMessages,
  asMembers,
  parseEvent,
  parseFailure,
  parseReply,
  emptyState,
  openState,
} from '@seaworthy/agent/testing'
import type { RequestKind, Disk } from '@seaworthy/agent/testing'
import { parseBundleManifest } from '@seaworthy/oci/bundle/manifest'
import { base64Encode, concatBytes, joinBytes, utf8Encode } from '@seaworthy/std/bytes'
import { generateKeyPair } from '@seaworthy/trust/keys'
import type { FuzzTarget } from '../target.ts'
import { holds } from '../target.ts'

const json = (value: unknown) => utf8Encode(JSON.stringify(value))

export async function createAgentTargets(): Promise<FuzzTarget[]> {
  return [...configTargets(), ...messageTargets(), ...(await stateTargets())]
}

function configTargets(): FuzzTarget[] {
  const config = json({
    server: 'https://ship.example:8443',
    pin: `sha256:${'A'.repeat(43)}`,
    root: 'a'.repeat(64),
    rootInline: 'e30=',
    provisioningKey: `swp_${'a'.repeat(26)}_${'b'.repeat(43)}`,
    product: 'acme',
    channel: 'stable',
    pollSeconds: 60,
    mirrors: ['https://mirror.example', { url: 'http://10.0.0.1:8080', ca: '/etc/ca.pem' }],
    stateDir: '/var/lib/seaworthy',
    environment: { PORT: '8080' },
    user: 'app',
    hardware: 'x1',
    tags: { site: 'bremen' },
  })
  const manifest = json({
    start: ['./bin/app', '--port', '${PORT}'],
    health: { http: 'http://127.0.0.1:${PORT}/health', windowSeconds: 120 },
    stopSeconds: 20,
    sandbox: {},
  })
  const second = json({ start: ['node', './a.js'], health: { exec: ['./bin/check'] } })
  return [
    {
      name: 'agent/config',
      form: 'json',
      seeds: [config],
      weight: 4,
      run: (bytes) => {
        const parsed = parseConfig(bytes, { platform: 'linux/amd64' })
        holds(/^\//.test(parsed.stateDir) && !parsed.stateDir.includes('..'), 'an absolute folder')
        const rest = withoutProvisioningKey(bytes)
        if (rest === undefined) return
        const again = parseConfig(utf8Encode(rest), { platform: 'linux/amd64' })
        holds(again.provisioningKey === undefined, 'the key is gone')
      },
    },
    {
      name: 'agent/bundle-manifest',
      form: 'json',
      seeds: [manifest, second],
      weight: 4,
      run: (bytes) => {
        const parsed = parseBundleManifest(bytes, { PORT: '8080' })
        holds(parsed.start.length > 0 && parsed.windowSeconds > 0, 'something to start')
      },
    },
  ]
}

function messageTargets(): FuzzTarget[] {
  const replies: [RequestKind, unknown][] = [
    ['metadata', { file: 'metadata-1' }],
    ['metadata', { absent: true }],
    ['content', { file: 'a'.repeat(64) }],
    ['register', { deviceId: `device_${'0'.repeat(26)}`, product: 'acme', channel: 'stable' }],
    [
      'check-in',
      {
        assignment: { targetPath: 'acme/stable/1.0.0', sha256: 'a'.repeat(64) },
        pollSeconds: 3600,
        acknowledgedSequence: 3,
      },
    ],
  ]
  const wholeLine = (message: unknown) => utf8Encode(`${JSON.stringify(message)}\n`)
  const answers = replies.map(([kind, reply], i) => wholeLine({ kind, answer: i, reply }))
  const failure = { code: 'not_allowed', problem: 'device_revoked', retryAfterSeconds: 3 }
  const events = [
    wholeLine({ event: { kind: 'update-now' } }),
    wholeLine({ event: { kind: 'progress', sha256: 'a'.repeat(64), percent: 3 } }),
    wholeLine({ answer: 1, failure }),
  ]
  const bytesMax = 4096
  return [
    {
      name: 'agent/messages',
      form: 'bytes',
      seeds: [joinBytes(answers), joinBytes(events)],
      weight: 4,
      run: async (bytes) => {
        const pieces = (async function* () {
          for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100)
        })()
        for await (const message of readMessages(pieces, bytesMax)) readMessage(message)
      },
    },
    {
      name: 'agent/message',
      form: 'json',
      seeds: [...answers, ...events],
      weight: 4,
      run: async (bytes) => {
        const pieces = (async function* () {
          yield concatBytes(bytes, utf8Encode('\n'))
        })()
        for await (const message of readMessages(pieces, bytesMax)) readMessage(message)
      },
    },
  ]
}

/**
 * Reads an answer as the installer's end of the link does, with the kind of the request in the
 * message.
 */
function readMessage(message: unknown): void {
  const members = asMembers(message)
  if (members['event'] !== undefined) return void parseEvent(members['event'])
  if (members['failure'] !== undefined) return void parseFailure(members['failure'])
  const kinds = ['metadata', 'content', 'discard', 'register', 'token', 'check-in'] as const
  for (const kind of kinds) if (members['kind'] === kind) parseReply(kind, members['reply'])
}

/** Files that are there, and no others; writing is a fault. */
function diskOf(files: Readonly<Record<string, Uint8Array>>): Disk {
  const read = async (path: string) => files[path]
  return { read } as unknown as Disk
}

const isRelease = ({ sha256, counter }: { sha256: string; counter: number }) =>
  /^[0-9a-f]{64}$/.test(sha256) && Number.isSafeInteger(counter)

async function stateTargets(): Promise<FuzzTarget[]> {
  const release = {
    targetPath: 'acme/stable/1.0.0',
    version: '1.0.0',
    sha256: 'a'.repeat(64),
    counter: 3,
    floor: 1,
  }
  const state = json({
    ...emptyState,
    deviceId: `device_${'0'.repeat(26)}`,
    committed: release,
    committedCounter: 3,
    floor: 1,
    update: { phase: 'trial', release: { ...release, counter: 4 }, starts: 1 },
    failed: [{ sha256: 'b'.repeat(64), counter: 2, code: 'health_failed' }],
    metadata: { root: 1 },
    sequence: 7,
    outbox: [{ sequence: 7, report: { sequence: 7 }, signature: 'AAAA' }],
  })
  const generation = await encodeGeneration(7, state)
  const pair = await generateKeyPair('ed25519')
  const keyFile = json({
    format: 'seaworthy-device-key-v1',
    key: pair.key,
    pkcs8: base64Encode(pair.pkcs8),
  })
  return [
    {
      name: 'agent/state',
      form: 'bytes',
      seeds: [new Uint8Array(generation)],
      weight: 2,
      run: (bytes) => openState(diskOf({ '/s.0': bytes }), '/s', false),
    },
    {
      name: 'agent/state-content',
      form: 'json',
      seeds: [state],
      weight: 3,
      run: async (bytes) => {
        const disk = diskOf({ '/s.1': await encodeGeneration(7, bytes) })
        const store = await openState(disk, '/s', true)
        const { committedCounter, floor, sequence, failed, outbox } = store.state
        for (const number of [committedCounter, floor, sequence]) {
          holds(Number.isSafeInteger(number) && number >= 0, 'counters count')
        }
        holds(Array.isArray(failed) && Array.isArray(outbox), 'lists are lists')
        holds(store.state.committed === null || isRelease(store.state.committed), 'a release')
        holds(store.state.update === null || isRelease(store.state.update.release), 'a release')
      },
    },
    {
      name: 'agent/device-key',
      form: 'json',
      seeds: [keyFile],
      weight: 2,
      run: (bytes) => openDeviceKey(diskOf({ '/k': bytes }), '/k', false),
    },
  ]
}
