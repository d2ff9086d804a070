import { execFileSync } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createListingSink } from '@seaworthy/oci/bundle/contents'
import { createDirectorySink, syncTree } from '@seaworthy/oci/bundle/directory'
import { createFileListDigester, encodeFileList } from '@seaworthy/oci/bundle/file-list'
import { packBundle } from '@seaworthy/oci/bundle/pack'
import { unpackBundle } from '@seaworthy/oci/bundle/unpack'
import { digestOf } from '@seaworthy/oci/digests'
import type { Comparison } from './lib/measure.ts'
import { medianOf, takeTurns, timed } from './lib/measure.ts'
import { fileCount, makeProgramFolder } from './lib/program-folder.ts'

export const title =
  'verify, unpack, list and sync a bundle of 220 MB, against sha256sum and zstd -d | tar -x'

export async function run(log: (line: string) => void): Promise<Comparison[]> {
  const root = await mkdtemp(join(tmpdir(), 'seaworthy-bench-'))
  try {
    const input = join(root, 'input')
    const file = join(root, 'bundle.tar.zst')
    await makeProgramFolder(input)
    const output = createWriteStream(file)
    const packMs = performance.now()
    const packed = await packBundle(
      input,
      (piece) =>
        new Promise((resolve, reject) => output.write(piece, (e) => (e ? reject(e) : resolve()))),
    )
    await new Promise<void>((resolve) => output.end(resolve))
    await rm(input, { recursive: true })
    const listed = digestOf(encodeFileList(packed.files))
    const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`
    log(
      `${fileCount} files, ${megabytes(packed.tarBytes)}, ${megabytes(packed.size)} compressed in ${((performance.now() - packMs) / 1000).toFixed(1)} s`,
    )

    const inFreshFolder = async (action: (folder: string) => Promise<unknown>): Promise<number> => {
      const folder = join(root, 'output')
      await mkdir(folder)
      execFileSync('sync')
      const ms = await timed(() => action(folder))
      await rm(folder, { recursive: true })
      return ms
    }
    const unpackOurs = async (folder: string) => {
      const source = createReadStream(file, { highWaterMark: 1024 * 1024 })
      const files = createFileListDigester()
      const sink = createListingSink((entry) => files.add(entry), createDirectorySink(folder))
      await unpackBundle({ source, expected: packed, sink })
      if (files.finish().digest !== listed) throw new Error('another tree than was packed')
    }
    const unpackTheirs = async (folder: string) => {
      execFileSync(
        'sh',
        ['-c', 'sha256sum "$1" && zstd -q -d -c "$1" | tar -x -C "$2"', 'sh', file, folder],
        {
          stdio: ['ignore', 'ignore', 'inherit'],
        },
      )
    }
    const times = await takeTurns(
      {
        ours: () =>
          inFreshFolder(async (folder) => {
            await unpackOurs(folder)
            await syncTree(folder)
          }),
        theirs: () => inFreshFolder(unpackTheirs),
        oursUnsynced: () => inFreshFolder(unpackOurs),
        theirsSynced: () =>
          inFreshFolder(async (folder) => {
            await unpackTheirs(folder)
            execFileSync('sync', ['-f', folder])
          }),
      },
      7,
    )
    log(`peak memory of this process ${megabytes(process.resourceUsage().maxRSS * 1024)}`)
    const compare = (
      name: string,
      baseline: string,
      ours: number[],
      theirs: number[],
    ): Comparison => {
      const ratio = medianOf(ours) / medianOf(theirs)
      return {
        name,
        baseline,
        ours: medianOf(ours),
        theirs: medianOf(theirs),
        unit: 'ms',
        ratio,
        target: 'at most 1.5',
        isMet: ratio <= 1.5,
      }
    }
    return [
      compare(
        'install, synced',
        'sha256sum; zstd -d | tar -x (not synced)',
        times.ours,
        times.theirs,
      ),
      compare('install, not synced', 'the same', times.oursUnsynced, times.theirs),
      compare('install, synced', 'the same, then sync -f', times.ours, times.theirsSynced),
    ]
  } finally {
    await rm(root, { recursive: true })
  }
}
