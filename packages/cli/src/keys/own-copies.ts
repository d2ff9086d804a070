/**
 * The copies of secrets that this machine made for itself, by their digests. The server keeps the
 * copies, and can show an older one, or one that it made: anybody can seal to a public key.
 */
import { hash } from 'node:crypto'
import { join } from 'node:path'
import type { SecretView } from '@seaworthy/api/secrets'
import { parseJson } from '@seaworthy/std/json'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import type { Session } from '../session.ts'
import { withFileLock } from '../state/file-lock.ts'
import { makePrivateFolder, readIfThere, writeDurably } from '../state/files.ts'

type Place = Pick<Session, 'folder'>
/** Digests of copies, by `<fleet>/<name>`. */
type Copies = Readonly<Record<string, string>>

const bytesMax = 16 * 1024 * 1024
const format = 'seaworthy-own-copies-v1'
const pathOf = ({ folder }: Place) => join(folder, 'own-copies.json')
const digestOf = ({ holderCopy }: Pick<SecretView, 'holderCopy'>) =>
  hash('sha256', holderCopy, 'hex')

async function readCopies(place: Place): Promise<Copies> {
  const bytes = await readIfThere(pathOf(place), bytesMax)
  if (bytes === undefined) return {}
  const copies = parseCopies(bytes)
  if (copies !== undefined) return copies
  throw new CliError('failed', `${pathOf(place)} is damaged`, {
    wayOut: 'Remove it, and set each secret anew: `seaworthy secret set`.',
  })
}

function parseCopies(bytes: Uint8Array): Copies | undefined {
  try {
    const value = parseJson(bytes)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    const { format: found, copies } = value as { format?: unknown; copies?: unknown }
    if (found !== format || typeof copies !== 'object' || copies === null) return undefined
    const isSound = Object.values(copies).every((one) => /^[0-9a-f]{64}$/.test(String(one)))
    return isSound ? (copies as Copies) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

async function changeCopies(
  { ports }: Context,
  place: Place,
  change: (copies: Copies) => Copies,
): Promise<void> {
  await makePrivateFolder(place.folder)
  await withFileLock(ports, pathOf(place), async () => {
    const copies = change(await readCopies(place))
    const text = `${JSON.stringify({ format, copies }, undefined, 2)}\n`
    await writeDurably(pathOf(place), text, { random: ports.random })
  })
}

/** Remembers the copy that was made last, in place of any before. */
export async function rememberCopy(
  context: Context,
  place: Place,
  fleet: string,
  secret: Pick<SecretView, 'name' | 'holderCopy'>,
): Promise<void> {
  const key = `${fleet}/${secret.name}`
  await changeCopies(context, place, (copies) => ({ ...copies, [key]: digestOf(secret) }))
}

export async function forgetCopy(
  context: Context,
  place: Place,
  fleet: string,
  name: string,
): Promise<void> {
  await changeCopies(context, place, ({ [`${fleet}/${name}`]: _removed, ...others }) => others)
}

/** Throws `CliError` unless each is the very copy that this machine made last under its name. */
export async function requireOwnCopies(
  place: Place,
  fleet: string,
  secrets: readonly Pick<SecretView, 'name' | 'version' | 'holderCopy'>[],
): Promise<void> {
  const copies = await readCopies(place)
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
