/**
 * A process that does, once for each message, what a signer's command does with a release: computes
 * its tree, and compares it with the documents.
 */
import { openLayout } from '@seaworthy/oci/layout'
import { requireSameFiles } from '@seaworthy/oci/bundle/contents'
import { diffFileLists } from '@seaworthy/oci/bundle/file-list'
import { parseDigest } from '@seaworthy/oci/digests'
import {
  computeBundleFiles,
  readReleaseOutline,
  requireFileLists,
} from '@seaworthy/oci/release-content'
import { systemRandom } from '@seaworthy/std/random'

const [folder, digest] = process.argv.slice(2)
const layout = await openLayout(folder!, systemRandom)
process.on('message', () => void view())

async function view(): Promise<void> {
  const startedMs = performance.now()
  const outline = await readReleaseOutline(layout, parseDigest(digest!))
  requireFileLists(outline)
  for (const bundle of outline.platforms) {
    if (bundle.kind !== 'bundle') continue
    const computed = await computeBundleFiles(layout, bundle)
    requireSameFiles(bundle, computed)
    diffFileLists({ entries: [] }, computed.files)
  }
  const peakMb = (process.resourceUsage().maxRSS * 1024) / 1e6
  process.send!({ ms: performance.now() - startedMs, peakMb })
}
