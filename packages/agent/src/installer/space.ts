/** Whether a release finds space on this device. */
import { LocalFault } from '../refusals.ts'
import type { ContentPorts, WantedContent } from './content.ts'
import { discardContent } from './content.ts'

/**
 * Throws unless there is space: for a while, a download exists twice, and unpacked once more.
 * Sources that broke off leave partial files behind; where space is short, those are removed first.
 */
export async function assertSpace(
  { disk, gateway }: ContentPorts,
  folder: string,
  { sha256, size }: WantedContent,
): Promise<void> {
  const isEnough = async () => (await disk.freeBytes(folder)) >= size * 2
  if (await isEnough()) return
  await discardContent(gateway, sha256)
  if (!(await isEnough())) throw new LocalFault('no_space', 'no space for the release')
}
