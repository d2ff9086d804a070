/**
 * The anchor: the root that everything else is verified from. It is named by its digest from the
 * people who made it; where nobody names one, the first root seen is taken, loudly, and never
 * exchanged afterwards.
 */
import { hash } from 'node:crypto'
import { join } from 'node:path'
import type { Transport } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'
import type { StateSlot, StateStore } from '@seaworthy/trust/tuf'
import { createTrustState, defaultTufLimits } from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import type { Session } from '../session.ts'
import type { PairedServer } from '../state/servers.ts'
import { readConfig, writeConfig } from '../state/servers.ts'
import { makePrivateFolder, readBounded, readIfThere, writeDurably } from '../state/files.ts'

export interface Anchor {
  /** SHA-256 of the file, 64 hexadecimal digits. */
  digest: string
  bytes: Uint8Array<ArrayBuffer>
}

/**
 * An instant that is certainly past when this program runs: the floor of the first verified time.
 */
export const builtAt = new Date('2026-01-01T00:00:00Z')
const stateBytesMax = 256 * 1024 * 1024

export function rootDigestOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex')
}

/** The two generations of trust state of one server. */
export function trustStore(folder: string, context: Context): StateStore {
  const path = (slot: StateSlot) => join(folder, 'trust', `state-${slot}`)
  return {
    read: (slot) => readIfThere(path(slot), stateBytesMax),
    write: (slot, bytes) => writeDurably(path(slot), bytes, { random: context.ports.random }),
  }
}

const rootForm = /^(?:sha256:)?([0-9a-f]{64})$/

/** The digest that `--root` names. */
export function parseRootOption(text: string): string {
  const digest = rootForm.exec(text)?.[1]
  if (digest !== undefined) return digest
  throw new CliError('usage', '--root is not of the form sha256:<64 hexadecimal digits>', {
    wayOut: 'Take it from your own notes; `seaworthy trust status` prints it as anchor.',
  })
}

interface AnchorInput {
  context: Context
  server: PairedServer
  folder: string
  transport: Transport
  /** The digest that the user named. */
  expected: string | undefined
}

/**
 * Anchors trust in a server, once. Returns the digest of the anchor, or `undefined` while the
 * server has no root. Throws `CliError` when the root named is not served, or another one is the
 * anchor already.
 */
export async function anchorRoot(input: AnchorInput): Promise<string | undefined> {
  const { server, expected, context } = input
  if (server.rootDigest !== undefined) {
    if (expected === undefined || expected === server.rootDigest) return server.rootDigest
    throw new CliError(
      'refused',
      `trust in this server is anchored at another root, sha256:${server.rootDigest}`,
      {
        wayOut:
          'An anchor is never exchanged. Pair under another name (--server NAME) if this is another repository.',
      },
    )
  }
  const anchor = await findRoot(input)
  if (anchor === undefined) return undefined
  await keepAnchor(context, input.folder, anchor)
  if (expected === undefined) {
    for (const line of [
      `WARNING: trust on first use: root sha256:${anchor.digest}`,
      'Nobody vouched for it yet. Compare this digest with the people who hold the root keys, by telephone or in person.',
    ])
      context.warn(context.paint.yellow(line))
  }
  return anchor.digest
}

async function findRoot({ server, transport, expected }: AnchorInput): Promise<Anchor | undefined> {
  for (let version = 1; version <= defaultTufLimits.rootsPerCycleMax; version++) {
    const bytes = await fetchRoot(transport, server.url, version)
    if (bytes === undefined) {
      if (expected === undefined) return undefined
      throw new CliError('refused', `the server does not have the root sha256:${expected}`, {
        wayOut:
          'Compare the digest once more with the people who gave it, and the address with the administrator.',
      })
    }
    const digest = rootDigestOf(bytes)
    if (expected === undefined || digest === expected) return { digest, bytes }
  }
  throw new CliError('refused', `none of the first roots is sha256:${expected}`, {
    wayOut:
      'Compare the digest with whoever made the root; if it is right, this is not their server.',
  })
}

async function fetchRoot(
  transport: Transport,
  url: string,
  version: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const response = await transport({ method: 'GET', url: `${url}/tuf/${version}.root.json` })
  if (response.status === 200) return await readBody(response, defaultTufLimits.rootBytesMax)
  for await (const _ of response.body) break
  if (response.status === 404) return undefined
  throw new CliError('failed', `the server answers ${response.status} for ${version}.root.json`, {
    wayOut: 'Try again; if it stays so, ask whoever runs the server for its log.',
  })
}

/**
 * Writes the anchor and the first trust state. An anchor left by an interrupted login must be the
 * same.
 */
async function keepAnchor(context: Context, folder: string, anchor: Anchor): Promise<void> {
  const path = anchorPath(folder)
  const { random } = context.ports
  const before = await readIfThere(path, defaultTufLimits.rootBytesMax)
  if (before !== undefined && rootDigestOf(before) !== anchor.digest) {
    throw new CliError('refused', `${path} holds another root, sha256:${rootDigestOf(before)}`, {
      wayOut:
        'Either the file is of another server, or this server replaced its root: find out which before going on.',
    })
  }
  await makePrivateFolder(join(folder, 'trust'))
  const store = trustStore(folder, context)
  if (((await store.read('a')) ?? (await store.read('b'))) === undefined) {
    await createTrustState({ anchor: anchor.bytes, profile: 'strict', notBefore: builtAt }, store)
  }
  if (before === undefined) await writeDurably(path, anchor.bytes, { random })
}

function anchorPath(folder: string): string {
  return join(folder, 'trust', 'anchor.json')
}

/**
 * The anchor of a server, or `undefined` while there is none. A file that is not the one pinned is
 * refused.
 */
export async function readAnchor({
  server,
  folder,
}: Pick<Session, 'server' | 'folder'>): Promise<Anchor | undefined> {
  if (server.rootDigest === undefined) return undefined
  const path = anchorPath(folder)
  const bytes = await readBounded(path, defaultTufLimits.rootBytesMax)
  const digest = rootDigestOf(bytes)
  if (digest === server.rootDigest) return { digest, bytes }
  throw new CliError(
    'refused',
    `${path} is not the root that was pinned, sha256:${server.rootDigest}`,
    {
      wayOut: 'It was damaged or swapped: restore it from a backup.',
    },
  )
}

/**
 * Returns the anchor, which is taken now when the server had no root at login, and remembers it in
 * the configuration.
 */
export async function ensureAnchor(
  context: Context,
  session: Session,
  expected?: string,
): Promise<Anchor | undefined> {
  const digest = await anchorRoot({ context, ...session, expected })
  if (digest === undefined) return undefined
  if (session.server.rootDigest === undefined) {
    session.server = { ...session.server, rootDigest: digest }
    const config = await readConfig(session.configFolder)
    await writeConfig(
      session.configFolder,
      { ...config, servers: { ...config.servers, [session.name]: session.server } },
      context.ports.random,
    )
  }
  return await readAnchor(session)
}

/**
 * Holds what is on the server to the root that `--root` names: it must be the anchor, which it
 * becomes where there is none yet.
 */
export async function requireRoot(
  context: Context,
  session: Session,
  rootOption: string | undefined,
): Promise<void> {
  if (rootOption !== undefined) await ensureAnchor(context, session, parseRootOption(rootOption))
}
