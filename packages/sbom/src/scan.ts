/**
 * Finds the components of a tree, from its files as they come by, in memory that does not grow with
 * the tree. The same tree gives the same components, in whatever order and pieces it comes.
 */
import { posix } from 'node:path'
import { createByteCollector, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { JsonTooLargeError } from '@seaworthy/std/json'
import { cutText } from '@seaworthy/std/printable'
import { readApkInstalled } from './alpine.ts'
import type { Component, DistributionRelease, Found } from './components.ts'
import { compareComponents, makeComponent } from './components.ts'
import { readDpkgStatus } from './debian.ts'
import type { ElfScan } from './elf.ts'
import { createElfScan, elfMagic } from './elf.ts'
import { createArchiveBudget, javaArchiveForm, readJavaArchive } from './java.ts'
import { readPackageJson, readPackageLock } from './npm.ts'
import { readPythonMetadata } from './python.ts'
import { createCrateBudget } from './rust.ts'

/**
 * Number of these rules. What they find of one tree never changes under one number, so that
 * whoever knows the number can find the same.
 */
export const scanVersion = 2

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

/** The most bytes of a list of all packages, and of the data of one package. */
const listBytesMax = 16 * 1024 * 1024
const packageBytesMax = 1024 * 1024
/**
 * The most bytes that are read of one tree: a builder may have filled it with what is slow to read.
 */
const treeBytesMax = 128 * 1024 * 1024
/** The most bytes of one archive, which is held as a whole, and of all archives of a tree. */
const archiveBytesMax = 128 * 1024 * 1024
const archivesBytesMax = 2 * 1024 * 1024 * 1024
const componentsMax = 100_000
/** The most characters that are kept of one tree. */
const keptMax = 8 * 1024 * 1024
const fieldMax = 1000
const licenceMax = 200
const unreadMax = 100

type SetAside = (path: string, why: string) => void
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
/** A lock file of installed packages adds nothing to the packages themselves. */
const lockForm = /^(?!(?:.*\/)?node_modules\/)(?:.*\/)?(?:package-lock|npm-shrinkwrap)\.json$/
const osReleaseForm = /(?:^|\/)(?:etc|usr\/lib)\/os-release$/
/** Where the data of a distribution's packages lies, below the root of that distribution. */
const packageData = /(?:var\/lib\/dpkg|(?:usr\/)?lib\/apk\/db)\/[^.].*$/

type Kind = Read | 'os-release' | 'lock' | 'archive'

interface OpenFile {
  readonly path: string
  readonly read: Kind | undefined
  /** The first bytes, until they say whether it is a program. */
  head: Buffer
  elf: ElfScan | undefined
}

/** How a file is read, and how long it may be; `undefined` for what may be a program. */
function kindOf(path: string): { readonly read: Kind; readonly bytesMax: number } | undefined {
  if (osReleaseForm.test(path)) return { read: 'os-release', bytesMax: packageBytesMax }
  if (lockForm.test(path)) return { read: 'lock', bytesMax: listBytesMax }
  if (javaArchiveForm.test(path)) return { read: 'archive', bytesMax: archiveBytesMax }
  return readers.find(({ form }) => form.test(path))
}

export function createScanner(): Scanner {
  const found: Found[] = []
  const locked: Found[] = []
  const archiveBudget = createArchiveBudget()
  const crateBudget = createCrateBudget()
  const unread: { path: string; why: string }[] = []
  const bytesOfFile = createByteCollector()
  const distributions = new Map<string, DistributionRelease>()
  /** Finds the distribution whose root this is; `etc/os-release` counts where both are there. */
  const distributionOf = (root: string) =>
    distributions.get(`${root}etc/os-release`) ?? distributions.get(`${root}usr/lib/os-release`)
  let file: OpenFile | undefined

  const readBytes = { lists: 0, archives: 0 }
  let unreadCount = 0
  const setAside: SetAside = (path, why) => {
    unreadCount += 1
    if (unread.length < unreadMax) unread.push({ path, why })
  }
  let kept = 0
  const add = (more: readonly Found[], path: string, target = found) => {
    for (const one of more) {
      const own = shorten(one)
      if (own === undefined) {
        setAside(path, `a name or version longer than ${fieldMax} characters`)
        continue
      }
      const { name, version, licence = '', source } = own
      kept += [name, version, licence, own.path, source?.name ?? '', source?.version ?? '']
        .map((text) => text.length)
        .reduce((sum, length) => sum + length)
      if (found.length + locked.length >= componentsMax || kept > keptMax) {
        setAside(path, 'the tree has more components than are listed')
        return
      }
      target.push(own)
    }
  }
  const readKept = ({ path, read }: OpenFile) => {
    const bytes = bytesOfFile.take()
    try {
      if (read === 'os-release') {
        const distribution = readOsRelease(utf8Decode(bytes))
        if (distribution !== undefined) distributions.set(path, distribution)
      } else if (read === 'lock') add(readPackageLock(bytes, path), path, locked)
      else if (read === 'archive') {
        add(readJavaArchive(bytes, path, { budget: archiveBudget, setAside }), path)
      } else if (read !== undefined) add(read(bytes, path), path)
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error
      if (error instanceof JsonTooLargeError) setAside(path, 'more values than are read')
      else setAside(path, error instanceof SyntaxError ? 'not JSON' : 'not UTF-8')
    }
  }
  return {
    beginFile(path, size) {
      const kind = kindOf(path)
      const isArchive = kind?.read === 'archive'
      const [count, bytesMax] = isArchive
        ? (['archives', archivesBytesMax] as const)
        : (['lists', treeBytesMax] as const)
      const isTooLong = kind !== undefined && size > kind.bytesMax
      const isTooMuch = kind !== undefined && !isTooLong && readBytes[count] + size > bytesMax
      if (isTooLong) setAside(path, `longer than ${kind.bytesMax} bytes`)
      if (isTooMuch) setAside(path, 'the tree has more data of packages than is read')
      const isRead = kind !== undefined && !isTooLong && !isTooMuch
      if (isRead) readBytes[count] += size
      file = {
        path,
        read: isRead ? kind.read : undefined,
        head: Buffer.alloc(0),
        elf: undefined,
      }
    },
    writeFile(piece) {
      const { read, head, elf } = file!
      if (read !== undefined) bytesOfFile.add(piece)
      else if (elf !== undefined) elf.write(piece)
      else if (head.length < elfMagic.length) {
        const taken = elfMagic.length - head.length
        file!.head = Buffer.concat([head, piece.subarray(0, taken)])
        if (!file!.head.equals(elfMagic)) return
        file!.elf = createElfScan(crateBudget)
        file!.elf.write(file!.head)
        file!.elf.write(piece.subarray(taken))
      }
    },
    endFile() {
      const { path, read, elf } = file!
      if (read !== undefined) readKept(file!)
      else if (elf !== undefined) {
        const { found: parts, why } = elf.finish(path)
        if (why !== undefined) setAside(path, why)
        add(parts, path)
      }
      file = undefined
    },
    finish() {
      // What a lock file would install counts only where nothing is installed beside it.
      const installedIn = new Set(found.flatMap(modulesOf))
      const missing = locked.filter(
        ({ path }) => !installedIn.has(posix.join(posix.dirname(path), 'node_modules')),
      )
      const components = [...found, ...missing]
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
 * Copies what is kept, because a part of a text keeps the whole alive; `undefined` for what is not
 * a name or version.
 */
function shorten(found: Found): Found | undefined {
  const { name, version, source, architecture } = found
  const fields = [name, version, source?.name, source?.version, architecture]
  if (fields.some((text) => text !== undefined && text.length > fieldMax)) return undefined
  const licence = found.licence?.replaceAll(/\s+/g, ' ').trim()
  return {
    ...found,
    ...{ name: copy(name), version: copy(version), path: copy(found.path) },
    ...(licence === undefined ? {} : { licence: copy(cutText(licence, licenceMax)) }),
    ...(source === undefined
      ? {}
      : { source: { name: copy(source.name), version: copy(source.version) } }),
    ...(architecture === undefined ? {} : { architecture: copy(architecture) }),
  }
}

/** Every `node_modules` in which a package lies, from the innermost to the outermost. */
function modulesOf({ type, path }: Found): string[] {
  if (type !== 'npm') return []
  const folders: string[] = []
  const modules = 'node_modules'
  for (let at = path.lastIndexOf(`${modules}/`); at >= 0;) {
    folders.push(path.slice(0, at + modules.length))
    at = at === 0 ? -1 : path.lastIndexOf(`${modules}/`, at - 1)
  }
  return folders
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
