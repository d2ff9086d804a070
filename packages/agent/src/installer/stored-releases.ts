/**
 * Releases on the disk: `releases/<digest>/` is there whole or not at all, `current` and `previous`
 * point to one each, and change at once. The planner says which of them should be current, and
 * which go.
 */
import type { Disk } from '../ports.ts'
import type { Layout } from '../state/layout.ts'
import { replaceLink } from '../state/replace-file.ts'

const digestForm = /^[0-9a-f]{64}$/
const stagingPrefix = 'staging-'

export interface Slots {
  current: string | undefined
  previous: string | undefined
  stored: string[]
}

export function releaseFolder(layout: Layout, sha256: string): string {
  return `${layout.releases}/${sha256}`
}

export function stagingFolder(layout: Layout, sha256: string): string {
  return `${layout.releases}/${stagingPrefix}${sha256}`
}

async function readSlot(disk: Disk, link: string): Promise<string | undefined> {
  const name = (await disk.readLink(link))?.split('/').at(-1)
  return name !== undefined && digestForm.test(name) ? name : undefined
}

export async function readSlots(disk: Disk, layout: Layout): Promise<Slots> {
  const entries = (await disk.list(layout.releases)) ?? []
  return {
    current: await readSlot(disk, layout.current),
    previous: await readSlot(disk, layout.previous),
    stored: entries
      .filter(({ name, kind }) => kind === 'folder' && digestForm.test(name))
      .map(({ name }) => name),
  }
}

/** Points `current` first, so that at no instant it is missing where there was one. */
export async function pointSlots(
  disk: Disk,
  layout: Layout,
  current: string | null,
  previous: string | null,
): Promise<void> {
  await pointSlot(disk, layout, layout.current, current)
  await pointSlot(disk, layout, layout.previous, previous)
}

async function pointSlot(
  disk: Disk,
  layout: Layout,
  link: string,
  sha256: string | null,
): Promise<void> {
  if ((await readSlot(disk, link)) === (sha256 ?? undefined)) return
  if (sha256 !== null) return replaceLink(disk, link, `releases/${sha256}`)
  await disk.remove(link)
  await disk.syncFolder(layout.productFolder)
}

/** Removes what an interrupted installation left behind. */
export async function removeStaging(disk: Disk, layout: Layout): Promise<void> {
  for (const { name } of (await disk.list(layout.releases)) ?? []) {
    if (name.startsWith(stagingPrefix)) await disk.remove(`${layout.releases}/${name}`)
  }
}

/** Makes what was unpacked durable, then gives it its name: from here on it counts as stored. */
export async function finishStaging(disk: Disk, layout: Layout, sha256: string): Promise<void> {
  await disk.syncTree(stagingFolder(layout, sha256))
  await disk.rename(stagingFolder(layout, sha256), releaseFolder(layout, sha256))
  await disk.syncFolder(layout.releases)
}

/** Its name is removed first, so that a half-removed release never counts as stored. */
export async function removeRelease(disk: Disk, layout: Layout, sha256: string): Promise<void> {
  const gone = `${layout.releases}/${stagingPrefix}gone-${sha256}`
  await disk.remove(gone)
  await disk.rename(releaseFolder(layout, sha256), gone)
  await disk.syncFolder(layout.releases)
  await disk.remove(gone)
}
