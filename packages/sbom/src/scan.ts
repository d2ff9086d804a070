/**
 * Finds the components of a tree, from its files as they come by, in memory that does not grow with
 * the tree. The same tree gives the same components, in whatever order and pieces it comes.
 */
import { createByteCollector, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { cutText } from '@seaworthy/std/printable'
import { readApkInstalled } from './alpine.ts'
import type { Component, DistributionRelease, Found } from './components.ts'
import { compareComponents, makeComponent } from './components.ts'
import { readDpkgStatus } from './debian.ts'
import type { GoScan } from './go.ts'
import { createGoScan } from './go.ts'
import { readPackageJson } from './npm.ts'
import { readPythonMetadata } from './python.ts'

/**
 * Number of these rules. What they find of one tree never changes under one number, so that
 * whoever knows the number can find the same.
 */
export const scanVersion = 1

export interface Scan {
  readonly components: readonly Component[]
  /** What the tree says it is; the release of a distribution decides which records are about it. */
  readonly distribution: DistributionRelease | undefined
  /** Files that say what is in the tree, and could not be read: there may be more components. */
  readonly unread: readonly { readonly path: string; readonly why: string }[]
  /** How many there are; the first ones are in `unread`. */
  readonly unreadCount: number
}

/** Takes the files of a tree one after another, each in pieces. */
export interface Scanner {
  beginFile(path: string, size: number): void
  /** The piece is not kept. */
  writeFile(piece: Uint8Array): void
  endFile(): void
  /** May be called once, when all files have come. */
  finish(): Scan
}

/** What a list of all packages may have, and what the data of one package. */
const listBytesMax = 16 * 1024 * 1024
const packageBytesMax = 1024 * 1024
/** What is read of one tree in all: a builder may have filled it with what is slow to read. */
const treeBytesMax = 128 * 1024 * 1024
const componentsMax = 100_000
/** What is kept of one tree, in characters. */
const keptMax = 8 * 1024 * 1024
const fieldMax = 1000
const licenceMax = 200
const unreadMax = 100

type Read = (bytes: Uint8Array, path: string) => Found[]

const asText =
  (read: (text: string, path: string) => Found[]): Read =>
  (bytes, path) =>
    read(utf8Decode(bytes), path)

const readers: readonly {
  readonly form: RegExp
  readonly read: Read
  readonly bytesMax: number
}[] = [
  // A package is a folder in `node_modules`, or one in a folder of a scope.
  {
    form: /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@][^/]*\/package\.json$/,
    read: readPackageJson,
    bytesMax: packageBytesMax,
  },
  { form: /^package\.json$/, read: readPackageJson, bytesMax: packageBytesMax },
  { form: /(?:^|\/)var\/lib\/dpkg\/status$/, read: asText(readDpkgStatus), bytesMax: listBytesMax },
  {
    form: /(?:^|\/)var\/lib\/dpkg\/status\.d\/[^/]+$/,
    read: asText(readDpkgStatus),
    bytesMax: packageBytesMax,
  },
  {
    form: /(?:^|\/)(?:usr\/)?lib\/apk\/db\/installed$/,
    read: asText(readApkInstalled),
    bytesMax: listBytesMax,
  },
  { form: /\.dist-info\/METADATA$/, read: asText(readPythonMetadata), bytesMax: packageBytesMax },
  {
    form: /\.egg-info(?:\/PKG-INFO)?$/,
    read: asText(readPythonMetadata),
    bytesMax: packageBytesMax,
  },
]
const osReleaseForm = /(?:^|\/)(?:etc|usr\/lib)\/os-release$/
/** Where the data of a distribution's packages lies, below the root of that distribution. */
const packageData = /(?:var\/lib\/dpkg|(?:usr\/)?lib\/apk\/db)\/[^.].*$/
const elfMagic = Buffer.from('\u007fELF', 'latin1')

interface OpenFile {
  readonly path: string
  readonly read: Read | 'os-release' | undefined
  /** The first bytes, until they say whether it is a program. */
  head: Buffer
  go: GoScan | undefined
}

export function createScanner(): Scanner {
  const found: Found[] = []
  const unread: { path: string; why: string }[] = []
  const bytesOfFile = createByteCollector()
  const distributions = new Map<string, DistributionRelease>()
  /** Finds the distribution whose root this is; `etc/os-release` counts where both are there. */
  const distributionOf = (root: string) =>
    distributions.get(`${root}etc/os-release`) ?? distributions.get(`${root}usr/lib/os-release`)
  let file: OpenFile | undefined

  let readBytes = 0
  let unreadCount = 0
  const setAside = (path: string, why: string) => {
    unreadCount += 1
    if (unread.length < unreadMax) unread.push({ path, why })
  }
  let kept = 0
  const add = (more: readonly Found[], path: string) => {
    for (const one of more) {
      const own = shorten(one)
      if (own === undefined) {
        setAside(path, `a name or version longer than ${fieldMax} characters`)
        continue
      }
      const { name, version, licence = '', source } = own
      kept += [name, version, licence, path, source?.name ?? '', source?.version ?? '']
        .map((text) => text.length)
        .reduce((sum, length) => sum + length)
      if (found.length >= componentsMax || kept > keptMax) {
        setAside(path, 'the tree has more components than are listed')
        return
      }
      found.push(own)
    }
  }
  const readKept = ({ path, read }: OpenFile) => {
    const bytes = bytesOfFile.take()
    try {
      if (read === 'os-release') {
        const distribution = readOsRelease(utf8Decode(bytes))
        if (distribution !== undefined) distributions.set(path, distribution)
      } else if (read !== undefined) add(read(bytes, path), path)
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error
      setAside(path, error instanceof SyntaxError ? 'not JSON' : 'not UTF-8')
    }
  }
  return {
    beginFile(path, size) {
      const reader = readers.find(({ form }) => form.test(path))
      const wanted = osReleaseForm.test(path) ? 'os-release' : reader?.read
      const bytesMax = reader?.bytesMax ?? packageBytesMax
      const isTooLong = wanted !== undefined && size > bytesMax
      const isTooMuch = wanted !== undefined && !isTooLong && readBytes + size > treeBytesMax
      if (isTooLong) setAside(path, `longer than ${bytesMax} bytes`)
      if (isTooMuch) setAside(path, 'the tree has more data of packages than is read')
      if (wanted !== undefined && !isTooLong && !isTooMuch) readBytes += size
      file = {
        path,
        read: isTooLong || isTooMuch ? undefined : wanted,
        head: Buffer.alloc(0),
        go: undefined,
      }
    },
    writeFile(piece) {
      const { read, head, go } = file!
      if (read !== undefined) bytesOfFile.add(piece)
      else if (go !== undefined) go.write(piece)
      else if (head.length < elfMagic.length) {
        const taken = elfMagic.length - head.length
        file!.head = Buffer.concat([head, piece.subarray(0, taken)])
        if (!file!.head.equals(elfMagic)) return
        file!.go = createGoScan()
        file!.go.write(file!.head)
        file!.go.write(piece.subarray(taken))
      }
    },
    endFile() {
      if (file!.read !== undefined) readKept(file!)
      else if (file!.go !== undefined) add(file!.go.finish(file!.path) ?? [], file!.path)
      file = undefined
    },
    finish() {
      const components = found
        .map((one) =>
          one.type === 'deb' || one.type === 'apk'
            ? makeComponent({ ...one, distribution: distributionOf(rootOf(one.path)) })
            : makeComponent(one),
        )
        .toSorted(compareComponents)
      unread.sort((a, b) => (a.path < b.path ? -1 : Number(a.path > b.path)))
      return { components, distribution: distributionOf(''), unread, unreadCount }
    },
  }
}

/**
 * Copies what is kept, because a part of a text keeps the whole alive; `undefined` for what is no
 * name or version.
 */
function shorten(found: Found): Found | undefined {
  const { name, version, source, architecture } = found
  const fields = [name, version, source?.name, source?.version, architecture]
  if (fields.some((text) => text !== undefined && text.length > fieldMax)) return undefined
  const licence = found.licence?.replaceAll(/\s+/g, ' ').trim()
  return {
    ...found,
    ...{ name: copy(name), version: copy(version) },
    ...(licence === undefined ? {} : { licence: copy(cutText(licence, licenceMax)) }),
    ...(source === undefined
      ? {}
      : { source: { name: copy(source.name), version: copy(source.version) } }),
    ...(architecture === undefined ? {} : { architecture: copy(architecture) }),
  }
}

function shortWord(text: string): string {
  return copy(cutText(text, 100))
}

function copy(text: string): string {
  return utf8Decode(utf8Encode(text))
}

function rootOf(path: string): string {
  return path.replace(packageData, '')
}

/** `ID` and `VERSION_ID` (os-release(5)). */
function readOsRelease(text: string): DistributionRelease | undefined {
  const value = (name: string) => {
    const line = new RegExp(`^${name}=(?:"([^"]*)"|'([^']*)'|(\\S*))[ \t]*$`, 'm').exec(text)
    return line?.[1] ?? line?.[2] ?? line?.[3] ?? ''
  }
  const id = value('ID')
  const versionId = value('VERSION_ID')
  return id === '' ? undefined : { id: shortWord(id), versionId: shortWord(versionId) }
}
