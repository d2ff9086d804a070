/**
 * The anchor: the root that everything else is verified from. It is named by its digest from the
 * people who made it; where nobody names one, the first root seen is taken, loudly, and never
 * exchanged afterwards.
 */
import { hash } from 'node:crypto'
import { join } from 'node:path'
import type { Transport } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'
import { createTrustState, defaultTufLimits, isTrustStateAbsent } from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import type { Connection } from '../connection.ts'
import type { PairedServer } from '../state/servers.ts'
import { changeConfig, withRoot } from '../state/servers.ts'
import { withFileLock } from '../state/file-lock.ts'
import { makePrivateFolder } from '../state/files.ts'
import { keptFile, readKept, writeKept } from '../state/kept-files.ts'
import { trustStore, usingTrustState } from './state-store.ts'

export interface Anchor {
  /** SHA-256 of the file, 64 hexadecimal digits. */
  digest: string
  bytes: Uint8Array<ArrayBuffer>
}

/**
 * An instant that is certainly past when this program runs: the floor of the first verified time.
 */
export const builtAt = new Date('2026-01-01T00:00:00Z')

export function rootDigestOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex')
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
  /** Whether files of trust that are gone are made anew: only pairing again does so. */
  restores?: boolean
}

/**
 * Anchors trust in a server, once. Returns the digest of the anchor, or `undefined` while the
 * server has no root. Throws `CliError` when the root named is not served, or another one is the
 * anchor already.
 */
export async function anchorRoot(input: AnchorInput): Promise<string | undefined> {
  const { server, expected, context } = input
  if (server.rootDigest !== undefined) {
    if (expected === undefined || expected === server.rootDigest) {
      if (input.restores === true) await restoreAnchor(input, server.rootDigest)
      return server.rootDigest
    }
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

/**
 * Fetches the file of the anchor again if it is gone: its digest tells whether it is the one that
 * was pinned, whoever serves it. Trust state that is gone begins again at the anchor.
 */
async function restoreAnchor(input: AnchorInput, digest: string): Promise<void> {
  const { context, folder, server } = input
  const pinned = { ...server, rootDigest: digest }
  const kept = await readAnchorIfThere({ folder, server: pinned })
  const anchor = kept ?? (await findRoot({ ...input, expected: digest }))
  if (anchor === undefined) return
  const isNew = await keepAnchor(context, folder, anchor)
  if (kept === undefined) {
    warnLoudly(
      context,
      `WARNING: ${anchorFile(folder).path} was gone. It was fetched anew, and is the root that was pinned, sha256:${digest}.`,
    )
  }
  if (isNew) {
    warnLoudly(
      context,
      `WARNING: what this machine had verified of the server was gone from ${join(folder, 'trust')}. It begins anew at the pinned root: a server that goes back to what was signed earlier is not noticed by this.`,
    )
  }
}

function warnLoudly(context: Context, text: string): void {
  context.warn(context.paint.yellow(text))
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
 * Writes the anchor and the first trust state, and says whether there was none. An anchor left by
 * an interrupted login, or by another one at the same time, must be the same.
 */
async function keepAnchor(context: Context, folder: string, anchor: Anchor): Promise<boolean> {
  await makePrivateFolder(join(folder, 'trust'))
  return await usingTrustState(folder, () =>
    withFileLock(context.ports, anchorFile(folder).path, () => keepFirst(context, folder, anchor)),
  )
}

async function keepFirst(context: Context, folder: string, anchor: Anchor): Promise<boolean> {
  const file = anchorFile(folder)
  const before = await readKept(file)
  if (before !== undefined && rootDigestOf(before) !== anchor.digest) {
    throw new CliError(
      'refused',
      `${file.path} holds another root, sha256:${rootDigestOf(before)}`,
      {
        wayOut:
          'Either the file is of another server, or this server replaced its root: find out which before going on.',
      },
    )
  }
  const store = trustStore(folder, context)
  const isNew = await isTrustStateAbsent(store)
  if (isNew) {
    await createTrustState({ anchor: anchor.bytes, profile: 'strict', notBefore: builtAt }, store)
  }
  if (before === undefined) await writeKept(file, anchor.bytes, context.ports)
  return isNew
}

const anchorFile = (folder: string) => keptFile(folder, 'trust/anchor.json')

/**
 * The anchor of a server, or `undefined` while there is none. A file that is gone, or is not the
 * one pinned, is refused.
 */
export async function readAnchor(
  at: Pick<Connection, 'server' | 'folder'>,
): Promise<Anchor | undefined> {
  const { rootDigest } = at.server
  if (rootDigest === undefined) return undefined
  const anchor = await readAnchorIfThere(at)
  if (anchor !== undefined) return anchor
  const { path, wayOut } = anchorFile(at.folder)
  throw new CliError('refused', `${path} is gone, the pinned root sha256:${rootDigest}`, { wayOut })
}

async function readAnchorIfThere({
  server: { rootDigest },
  folder,
}: Pick<Connection, 'server' | 'folder'>): Promise<Anchor | undefined> {
  const file = anchorFile(folder)
  const bytes = await readKept(file)
  if (bytes === undefined) return undefined
  const digest = rootDigestOf(bytes)
  if (digest === rootDigest) return { digest, bytes }
  throw new CliError(
    'refused',
    `${file.path} is not the root that was pinned, sha256:${rootDigest}: it was damaged or swapped`,
    { wayOut: file.wayOut },
  )
}

/**
 * Returns the anchor, which is taken now when the server had no root at login, and remembers it in
 * the configuration.
 */
export async function ensureAnchor(
  context: Context,
  connection: Connection,
  expected?: string,
): Promise<Anchor | undefined> {
  const digest = await anchorRoot({ context, ...connection, expected })
  if (digest === undefined) return undefined
  if (connection.server.rootDigest === undefined) {
    connection.server = { ...connection.server, rootDigest: digest }
    const { name, server, configFolder } = connection
    await changeConfig(context.ports, configFolder, (config) => withRoot(config, name, server))
  }
  return await readAnchor(connection)
}

/**
 * Requires that the root that `--root` names is the anchor; where there is none yet, it becomes the
 * anchor.
 */
export async function requireRoot(
  context: Context,
  connection: Connection,
  rootOption: string | undefined,
): Promise<void> {
  if (rootOption !== undefined) await ensureAnchor(context, connection, parseRootOption(rootOption))
}
