/**
 * Finds the components of a tree, from its files as they come by, in memory that does not grow with
 * the tree. The same tree gives the same components, in whatever order and pieces it comes.
 */
import { createByteCollector, utf8Decode } from '@seaworthy/std/bytes'
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

const bytesMax = 32 * 1024 * 1024
/** More components than any device's tree has. */
const componentsMax = 200_000

type Read = (bytes: Uint8Array, path: string) => Found[]

const asText =
  (read: (text: string, path: string) => Found[]): Read =>
  (bytes, path) =>
    read(utf8Decode(bytes), path)

const readers: readonly { readonly form: RegExp; readonly read: Read }[] = [
  // A package is a folder in `node_modules`, or one in a folder of a scope.
  { form: /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@][^/]*\/package\.json$/, read: readPackageJson },
  { form: /^package\.json$/, read: readPackageJson },
  { form: /(?:^|\/)var\/lib\/dpkg\/status$/, read: asText(readDpkgStatus) },
  { form: /(?:^|\/)var\/lib\/dpkg\/status\.d\/[^/]+$/, read: asText(readDpkgStatus) },
  { form: /(?:^|\/)(?:usr\/)?lib\/apk\/db\/installed$/, read: asText(readApkInstalled) },
  { form: /\.dist-info\/METADATA$/, read: asText(readPythonMetadata) },
  { form: /\.egg-info(?:\/PKG-INFO)?$/, read: asText(readPythonMetadata) },
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
  const kept = createByteCollector()
  const distributions = new Map<string, DistributionRelease>()
  /** Finds the distribution whose root this is; `etc/os-release` counts where both are there. */
  const distributionOf = (root: string) =>
    distributions.get(`${root}etc/os-release`) ?? distributions.get(`${root}usr/lib/os-release`)
  let file: OpenFile | undefined

  const add = (more: readonly Found[], path: string) => {
    if (found.length + more.length > componentsMax) {
      unread.push({ path, why: `the tree has more than ${componentsMax} components` })
      return
    }
    for (const one of more) found.push(one)
  }
  const readKept = ({ path, read }: OpenFile) => {
    const bytes = kept.take()
    try {
      if (read === 'os-release') {
        const distribution = readOsRelease(utf8Decode(bytes))
        if (distribution !== undefined) distributions.set(path, distribution)
      } else if (read !== undefined) add(read(bytes, path), path)
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error
      unread.push({ path, why: error instanceof SyntaxError ? 'not JSON' : 'not UTF-8' })
    }
  }
  return {
    beginFile(path, size) {
      const wanted = osReleaseForm.test(path)
        ? 'os-release'
        : readers.find(({ form }) => form.test(path))?.read
      const isTooLong = wanted !== undefined && size > bytesMax
      if (isTooLong) unread.push({ path, why: `longer than ${bytesMax} bytes` })
      file = {
        path,
        read: isTooLong ? undefined : wanted,
        head: Buffer.alloc(0),
        go: undefined,
      }
    },
    writeFile(piece) {
      const { read, head, go } = file!
      if (read !== undefined) kept.add(piece)
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
      return { components, distribution: distributionOf(''), unread }
    },
  }
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
  return id === '' ? undefined : { id, versionId: value('VERSION_ID') }
}
