/**
 * The copies of secrets that this machine made for itself, by their digests. The server keeps the
 * copies, and can show an older one, or one that it made: anybody can seal to a public key.
 */
import { hash } from 'node:crypto'
import { parseJson } from '@seaworthy/std/json'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import type { Connection } from '../connection.ts'
import { makePrivateFolder } from '../state/files.ts'
import { changeKept, keptFile, parseKept, readKept, requireKeepable } from '../state/kept-files.ts'
import type { HolderSecret } from '../trust/sealing.ts'

type ServerFolder = Pick<Connection, 'folder'>
/** Digests of copies, by `<fleet>/<name>`. */
type Copies = Readonly<Record<string, string>>

const format = 'seaworthy-own-copies-v1'
const fileOf = ({ folder }: ServerFolder) => keptFile(folder, 'own-copies.json')
const digestOf = ({ holderCopy }: Pick<HolderSecret, 'holderCopy'>) =>
  hash('sha256', holderCopy, 'hex')

async function readCopies(at: ServerFolder): Promise<Copies> {
  return await parseBytes(at, await readKept(fileOf(at)))
}

async function parseBytes(
  at: ServerFolder,
  bytes: Uint8Array<ArrayBuffer> | undefined,
): Promise<Copies> {
  return bytes === undefined ? {} : await parseKept(fileOf(at), bytes, parseCopies)
}

function parseCopies(bytes: Uint8Array): Copies {
  const value = parseJson(bytes)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SyntaxError('it is no object')
  }
  const { format: found, copies } = value as { format?: unknown; copies?: unknown }
  if (found !== format || typeof copies !== 'object' || copies === null) {
    throw new SyntaxError('format')
  }
  const isSound = Object.values(copies).every((one) => /^[0-9a-f]{64}$/.test(String(one)))
  if (!isSound) throw new SyntaxError('a digest is out of form')
  return copies as Copies
}

async function changeCopies(
  { ports }: Context,
  at: ServerFolder,
  change: (copies: Copies) => Copies,
): Promise<void> {
  await makePrivateFolder(at.folder)
  await changeKept(ports, fileOf(at), async (bytes) => {
    const copies = change(await parseBytes(at, bytes))
    return `${JSON.stringify({ format, copies }, undefined, 2)}\n`
  })
}

/**
 * Throws where `rememberCopy` would fail. It is called before the server takes the copy, which has
 * to be remembered.
 */
export async function requireCopyMemory({ ports }: Context, at: ServerFolder): Promise<void> {
  await makePrivateFolder(at.folder)
  await readCopies(at)
  await requireKeepable(ports, fileOf(at))
}

/** Remembers the copy that was made last, in place of any before. */
export async function rememberCopy(
  context: Context,
  at: ServerFolder,
  fleet: string,
  secret: Pick<HolderSecret, 'name' | 'holderCopy'>,
): Promise<void> {
  const key = `${fleet}/${secret.name}`
  await changeCopies(context, at, (copies) => ({ ...copies, [key]: digestOf(secret) }))
}

export async function forgetCopy(
  context: Context,
  at: ServerFolder,
  fleet: string,
  name: string,
): Promise<void> {
  await changeCopies(context, at, ({ [`${fleet}/${name}`]: _removed, ...others }) => others)
}

/** Throws `CliError` unless each is the very copy that this machine made last under its name. */
export async function requireOwnCopies(
  at: ServerFolder,
  fleet: string,
  secrets: readonly Pick<HolderSecret, 'name' | 'version' | 'holderCopy'>[],
): Promise<void> {
  const copies = await readCopies(at)
  const other = secrets.find((one) => copies[`${fleet}/${one.name}`] !== digestOf(one))
  if (other === undefined) return
  throw new CliError(
    'refused',
    `the server shows a copy of ${other.name}, version ${other.version}, that is not the last one that this machine made: nothing was sealed`,
    {
      wayOut: `Set it anew (\`seaworthy secret set ${other.name} --fleet ${fleet}\`), or remove it. If it was set and removed on this machine alone, do not trust this server.`,
    },
  )
}
