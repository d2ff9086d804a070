import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createLayout } from '@seaworthy/oci/layout'
import { buildRelease } from '@seaworthy/oci/release'
import { readReleaseOutline } from '@seaworthy/oci/release-content'
import { systemRandom } from '@seaworthy/std/random'
import type { Comparison } from './lib/measure.ts'
import { compareInPairs, timed } from './lib/measure.ts'
import { fileCount, makeProgramFolder } from './lib/program-folder.ts'

export const title =
  "compute and compare a release's file tree of 220 MB as a signer's command does, against sha256sum and zstd -d | tar -t"

const rounds = 7
const memoryMbMax = 256

export async function run(log: (line: string) => void): Promise<Comparison[]> {
  const root = await mkdtemp(join(tmpdir(), 'seaworthy-bench-'))
  try {
    await makeProgramFolder(join(root, 'input'))
    const layout = await createLayout(join(root, 'oci'), systemRandom)
    const platforms = [
      { platform: 'linux/amd64', source: { kind: 'folder' as const, path: join(root, 'input') } },
    ]
    const built = await buildRelease({ product: 'bench', version: '1', platforms, layout })
    await rm(join(root, 'input'), { recursive: true })
    const { digest } = built.descriptor
    const [bundle] = (await readReleaseOutline(layout, digest)).platforms
    if (bundle?.kind !== 'bundle') throw new Error('the release holds no bundle')
    const { layer } = bundle
    log(`${fileCount} files, ${(layer.size / 1e6).toFixed(0)} MB compressed`)

    // It is a process of its own, as the signer's command is: its memory is its own, and it is warm
    // as theirs are.
    const viewer = fork(fileURLToPath(new URL('lib/signers-view.fixture.ts', import.meta.url)), [
      layout.path,
      digest,
    ])
    const ask = async (): Promise<{ ms: number; peakMb: number }> => {
      viewer.send('view')
      const [answer] = (await once(viewer, 'message')) as [{ ms: number; peakMb: number }]
      return answer
    }
    let peakMb = 0
    const ours = async () => {
      const answer = await ask()
      peakMb = Math.max(peakMb, answer.peakMb)
      return answer.ms
    }
    const file = join(layout.path, 'blobs', 'sha256', layer.digest.slice('sha256:'.length))
    const theirs = () =>
      timed(async () => {
        const script = 'sha256sum "$1" && zstd -q -d -c "$1" | tar -t'
        execFileSync('sh', ['-c', script, 'sh', file], { stdio: ['ignore', 'ignore', 'inherit'] })
      })
    const paired = await compareInPairs(ours, theirs, rounds)
    viewer.disconnect()
    await once(viewer, 'exit')
    return [
      {
        name: "signer's view",
        baseline: 'sha256sum; zstd -d | tar -t',
        ...paired,
        unit: 'ms',
        target: 'at most 1.5',
        isMet: paired.ratio <= 1.5,
      },
      {
        name: 'peak memory',
        baseline: 'a bound whatever the size of the release',
        ours: peakMb,
        theirs: memoryMbMax,
        unit: 'MB',
        ratio: peakMb / memoryMbMax,
        target: 'at most 1',
        isMet: peakMb <= memoryMbMax,
      },
    ]
  } finally {
    await rm(root, { recursive: true })
  }
}
