/**
 * What a thief finds of secrets: in files, in a dump of a database, in a log, in the arguments of
 * processes.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Secrets by what they are; a text counts as its UTF-8. */
export type PlantedSecrets = Readonly<Record<string, string | Uint8Array>>

/** Answers what the bytes hold in clear, or nearly so: as it is, in hex, in Base64 of any kind. */
export type SecretSearch = (bytes: Uint8Array | string) => string[]

/** A shorter form could be found by chance. */
const leastBytes = 12

export function searchFor(planted: PlantedSecrets): SecretSearch {
  const byStart = new Map<number, { readonly name: string; readonly form: Buffer }[]>()
  for (const [name, secret] of Object.entries(planted)) {
    for (const form of formsOf(Buffer.from(secret))) {
      if (form.length < leastBytes) throw new Error(`${name} is too short to be searched for`)
      const start = form.readUInt16BE(0)
      byStart.set(start, [...(byStart.get(start) ?? []), { name, form }])
    }
  }
  const isStart = new Uint8Array(65_536)
  for (const start of byStart.keys()) isStart[start] = 1
  return (given) => {
    const bytes =
      typeof given === 'string'
        ? Buffer.from(given)
        : Buffer.from(given.buffer, given.byteOffset, given.length)
    const found = new Set<string>()
    let pair = bytes[0] ?? 0
    for (let at = 1; at < bytes.length; at++) {
      pair = ((pair << 8) | bytes[at]!) & 0xffff
      if (isStart[pair] === 0) continue
      for (const { name, form } of byStart.get(pair)!) {
        if (
          bytes.compare(
            form,
            0,
            form.length,
            at - 1,
            Math.min(at - 1 + form.length, bytes.length),
          ) === 0
        ) {
          found.add(name)
        }
      }
    }
    return [...found]
  }
}

function formsOf(secret: Buffer): Buffer[] {
  const texts = [secret.toString('hex'), secret.toString('hex').toUpperCase()]
  // Inside of something longer, its Base64 depends on where it begins there.
  for (const before of [0, 1, 2]) {
    const moved = Buffer.concat([Buffer.alloc(before), secret])
    const [from, to] = [Math.ceil((before * 8) / 6), Math.floor((moved.length * 8) / 6)]
    texts.push(
      ...(['base64', 'base64url'] as const).map((kind) => moved.toString(kind).slice(from, to)),
    )
  }
  return [secret, ...texts.map((text) => Buffer.from(text))]
}

/** What the files below the folder hold, with their paths; files named in `except` aside. */
export async function searchFolder(
  search: SecretSearch,
  folder: string,
  except: readonly string[] = [],
): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) found.push(...(await searchFolder(search, path, except)))
    if (!entry.isFile() || except.includes(entry.name)) continue
    // A file of a running database may be gone by now.
    const bytes = await readFile(path).catch(() => new Uint8Array())
    found.push(...search(bytes).map((name) => `${name} in ${path}`))
  }
  return found
}

/** What the arguments of this machine's processes hold. */
export async function searchArguments(search: SecretSearch): Promise<string[]> {
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // A process may have ended by now.
    const line = await readFile(`/proc/${pid}/cmdline`).catch(() => new Uint8Array())
    found.push(...search(line).map((name) => `${name} in the arguments of ${pid}`))
  }
  return found
}
