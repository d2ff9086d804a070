/**
 * What was signed on this machine: a machine without network sees nothing published, so only its
 * own memory can tell that a file asks for a second content of a version, or for an older one.
 */
import { parseAnyJson } from '@seaworthy/std/json'
import type { CliPorts } from '../ports.ts'
import { makePrivateFolder } from './files.ts'
import { changeKept, keptFile, parseKept, readKept } from './kept-files.ts'

export interface RememberedDocument {
  /** SHA-256 of roots of the repository: any of them tells it from another. */
  readonly roots: readonly string[]
  readonly role: string
  readonly version: number
  /** SHA-256 of the bytes that were signed. */
  readonly sha256: string
}

const format = 'seaworthy-signed-v1'
/** The oldest are forgotten beyond it: what is signed now is newer than they are by years. */
const documentsMax = 5000

/**
 * Finds what was signed before and does not go with `next`: another content of the same version, or
 * a newer version.
 */
export function findRivals(
  signed: readonly RememberedDocument[],
  next: readonly RememberedDocument[],
): { document: RememberedDocument; before: RememberedDocument }[] {
  return next.flatMap((document) => {
    const own = signed.filter(
      ({ role, roots }) =>
        role === document.role && roots.some((root) => document.roots.includes(root)),
    )
    if (own.some((before) => isSame(before, document))) return []
    const before = own.find(({ version }) => version >= document.version)
    return before === undefined ? [] : [{ document, before }]
  })
}

function isSame(a: RememberedDocument, b: RememberedDocument): boolean {
  return (
    a.role === b.role &&
    a.version === b.version &&
    a.sha256 === b.sha256 &&
    a.roots.some((root) => b.roots.includes(root))
  )
}

const fileIn = (configFolder: string) => keptFile(configFolder, 'signed.json')

/** A damaged list is an error, never an empty one. */
export async function readSignedDocuments(configFolder: string): Promise<RememberedDocument[]> {
  return await parseBytes(configFolder, await readKept(fileIn(configFolder)))
}

async function parseBytes(
  configFolder: string,
  bytes: Uint8Array<ArrayBuffer> | undefined,
): Promise<RememberedDocument[]> {
  if (bytes === undefined) return []
  return await parseKept(fileIn(configFolder), bytes, (text) => parseDocuments(parseAnyJson(text)))
}

/**
 * Remembers what is about to be signed, and is durable when it resolves: of two commands that are
 * about to sign two contents of one version at once, the second finds the first. `judge` is called
 * with what was remembered before, and throws where that must not be signed.
 */
export async function rememberSigned(
  ports: Pick<CliPorts, 'sleep' | 'signal' | 'random'>,
  configFolder: string,
  documents: readonly RememberedDocument[],
  judge: (before: readonly RememberedDocument[]) => void,
): Promise<void> {
  if (documents.length === 0) return
  await makePrivateFolder(configFolder)
  await changeKept(ports, fileIn(configFolder), async (bytes) => {
    const before = await parseBytes(configFolder, bytes)
    judge(before)
    const added = documents.filter((document) => !before.some((one) => isSame(one, document)))
    if (added.length === 0) return undefined
    const signed = [...before, ...added].slice(-documentsMax)
    return `${JSON.stringify({ format, signed })}\n`
  })
}

function parseDocuments(value: unknown): RememberedDocument[] {
  const { format: given, signed } = value as { format?: unknown; signed?: unknown }
  if (given !== format || !Array.isArray(signed)) throw new SyntaxError('format')
  return signed.map((one: Partial<Record<keyof RememberedDocument, unknown>>) => {
    const { roots, role, version, sha256 } = one
    if (
      !Array.isArray(roots) ||
      !roots.every((root) => typeof root === 'string') ||
      typeof role !== 'string' ||
      typeof version !== 'number' ||
      typeof sha256 !== 'string'
    ) {
      throw new SyntaxError('a document is out of form')
    }
    return { roots, role, version, sha256 }
  })
}
