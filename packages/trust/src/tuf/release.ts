/** Releases as channel roles list them, and the rules by which a device takes one. */
import { maxOf } from '@seaworthy/std/numbers'
import { parseInstant } from '@seaworthy/std/time'
import { isTrustError, trustError } from './codes.ts'
import { isJsonObject } from './json.ts'
import type { JsonObject } from './json.ts'
import { integerMax } from './lint.ts'
import type { ChannelMarks, TargetFile, TargetsSigned } from './metadata.ts'
import { isName, isVersion, releasePath } from './names.ts'

export const releaseKinds = ['bundle', 'container', 'os-image'] as const
export type ReleaseKind = (typeof releaseKinds)[number]

/** What the channel's keys have signed about a release, `custom.seaworthy` of its target. */
export interface SignedReleaseFacts {
  readonly product: string
  readonly channel: string
  readonly version: string
  /** The counter, strictly increasing per product over all channels, counted from 1. */
  readonly counter: number
  /**
   * The floor, counted from 1: once this release is committed, nothing with a lower counter may run
   * again.
   */
  readonly floor: number
  readonly kind: ReleaseKind
  /** Platforms such as `linux/amd64`, `linux/arm64`, `linux/arm/v7`. */
  readonly platforms: readonly string[]
  /** Hardware it is for; empty: any hardware. */
  readonly hardware: readonly string[]
  readonly security: boolean
  readonly releasedAt: Date
}

/** A listed release: the facts, and the OCI image index that its bytes are. */
export interface Release extends SignedReleaseFacts {
  readonly path: string
  /** Bytes of the index. */
  readonly length: number
  readonly sha256: string
  readonly sha512: string
}

export interface DeviceFacts {
  readonly product: string
  readonly channel: string
  readonly platform: string
  readonly hardware?: string
  /** The highest counter it has committed; 0 when none. */
  readonly committedCounter: number
  /** The highest floor it has committed; 0 when none. */
  readonly floor: number
}

const members = [
  'product',
  'channel',
  'version',
  'counter',
  'floor',
  'kind',
  'platforms',
  'hardware',
  'security',
  'releasedAt',
]
const platformText = /^[a-z0-9]{1,32}\/[a-z0-9_]{1,32}(?:\/[a-z0-9.]{1,32})?$/
const hardwareText = /^[a-z0-9][a-z0-9._-]{0,62}$/

/** Whether the text names a platform, such as `linux/amd64` or `linux/arm/v7`. */
export function isPlatform(text: string): boolean {
  return platformText.test(text)
}

/** Whether the text may name hardware: at most 63 letters, digits, `.`, `_` and `-`. */
export function isHardware(text: string): boolean {
  return hardwareText.test(text)
}

/** Reads one target of a channel role. Throws `release_malformed`. */
export function parseRelease(path: string, target: TargetFile): Release {
  const facts = target.custom?.['seaworthy']
  if (!isJsonObject(facts) || Object.keys(facts).length !== members.length) {
    throw malformed(path, 'custom.seaworthy does not have exactly its members')
  }
  const { sha256, sha512 } = target.hashes
  if (!/^[0-9a-f]{64}$/.test(sha256 ?? '') || !/^[0-9a-f]{128}$/.test(sha512 ?? '')) {
    throw malformed(path, 'sha256 or sha512 is missing')
  }
  const release: Release = {
    ...parseFacts(path, facts),
    path,
    length: target.length,
    sha256: sha256!,
    sha512: sha512!,
  }
  if (path !== releasePath(release.product, release.channel, release.version)) {
    throw malformed(path, 'product, channel and version are not those of the path')
  }
  return release
}

function parseFacts(path: string, facts: JsonObject): SignedReleaseFacts {
  const text = (name: string, isValid: (value: string) => boolean): string => {
    const value = facts[name]
    if (typeof value !== 'string' || !isValid(value)) throw malformed(path, name)
    return value
  }
  const count = (name: string): number => {
    const value = facts[name]
    if (typeof value !== 'number' || value < 1 || value > integerMax) throw malformed(path, name)
    return value
  }
  const list = (name: string, isValid: (value: string) => boolean): string[] => {
    const value = facts[name]
    if (!Array.isArray(value) || new Set(value).size !== value.length) throw malformed(path, name)
    return value.map((item) => {
      if (typeof item !== 'string' || !isValid(item)) throw malformed(path, name)
      return item
    })
  }
  const security = facts['security']
  if (typeof security !== 'boolean') throw malformed(path, 'security')
  const counter = count('counter')
  const floor = count('floor')
  if (floor > counter) throw malformed(path, 'the floor is above the counter')
  const platforms = list('platforms', isPlatform)
  if (platforms.length === 0) throw malformed(path, 'platforms')
  return {
    product: text('product', isName),
    channel: text('channel', isName),
    version: text('version', isVersion),
    counter,
    floor,
    kind: text('kind', (kind) => (releaseKinds as readonly string[]).includes(kind)) as ReleaseKind,
    platforms,
    hardware: list('hardware', isHardware),
    security,
    releasedAt: readInstant(path, facts['releasedAt']),
  }
}

function readInstant(path: string, value: unknown): Date {
  try {
    return parseInstant(typeof value === 'string' ? value : '')
  } catch (cause) {
    throw trustError('release_malformed', `${path}: releasedAt`, { cause })
  }
}

const malformed = (path: string, what: string) =>
  trustError('release_malformed', `${path}: ${what}`)

export interface ReleaseListing {
  /** The releases, newest first: by falling counter. */
  readonly releases: readonly Release[]
  /**
   * The highest floor that the channel has ever signed: it binds every device, also one that has
   * committed nothing.
   */
  readonly floor: number
  /** Targets that are no releases: they can never be chosen. */
  readonly malformed: readonly { readonly path: string; readonly message: string }[]
}

/** All releases that a channel role lists. One malformed entry takes nothing from the others. */
export function listReleases(channel: TargetsSigned): ReleaseListing {
  const releases: Release[] = []
  const rejected: { path: string; message: string }[] = []
  for (const [path, target] of Object.entries(channel.targets)) {
    try {
      releases.push(parseRelease(path, target))
    } catch (error) {
      if (!isTrustError(error, 'release_malformed')) throw error
      rejected.push({ path, message: error.message })
    }
  }
  return {
    floor: maxOf(
      releases.map(({ floor }) => floor),
      channel.seaworthy?.floorHighest ?? 0,
    ),
    releases: releases.toSorted((a, b) => b.counter - a.counter || (a.path < b.path ? -1 : 1)),
    malformed: rejected,
  }
}

/**
 * The highest counter and floor that a channel has ever listed; 0 for none. Only these marks
 * outlive a withdrawal.
 */
export function channelMarks(channel: TargetsSigned): ChannelMarks {
  const { releases, floor } = listReleases(channel)
  return {
    counterHighest: maxOf(
      releases.map(({ counter }) => counter),
      channel.seaworthy?.counterHighest ?? 0,
    ),
    floorHighest: floor,
  }
}

/**
 * Throws unless this device may take this release: `wrong_product`, `wrong_channel`,
 * `wrong_platform`, `wrong_hardware`, `below_floor`, `counter_below_committed`.
 */
function verifyRelease(release: Release, device: DeviceFacts): void {
  if (release.product !== device.product) {
    throw trustError('wrong_product', `${release.path} is not of product ${device.product}`)
  }
  if (release.channel !== device.channel) {
    throw trustError('wrong_channel', `${release.path} is not of channel ${device.channel}`)
  }
  if (!release.platforms.includes(device.platform)) {
    throw trustError('wrong_platform', `${release.path} is not for ${device.platform}`)
  }
  const { hardware } = release
  if (hardware.length > 0 && !(device.hardware && hardware.includes(device.hardware))) {
    throw trustError('wrong_hardware', `${release.path} is not for this hardware`)
  }
  if (release.counter < device.floor) {
    throw trustError('below_floor', `${release.path} is below the floor ${device.floor}`)
  }
  if (release.counter < device.committedCounter) {
    throw trustError(
      'counter_below_committed',
      `${release.path} has counter ${release.counter}, ${device.committedCounter} was committed`,
    )
  }
}

/**
 * Finds the release that an assignment names. Throws `target_unknown`, and what `verifyRelease`
 * throws.
 */
export function findRelease(listing: ReleaseListing, path: string, device: DeviceFacts): Release {
  const release = listing.releases.find((candidate) => candidate.path === path)
  if (!release) {
    const wrong = listing.malformed.find((candidate) => candidate.path === path)
    if (wrong) throw trustError('release_malformed', wrong.message)
    throw trustError('target_unknown', 'the channel does not list this release')
  }
  verifyRelease(release, boundBy(listing, device))
  return release
}

function boundBy(listing: ReleaseListing, device: DeviceFacts): DeviceFacts {
  return { ...device, floor: Math.max(device.floor, listing.floor) }
}

/**
 * The newest release of its channel that the device may take without an assignment, if there is
 * one.
 */
export function chooseRelease(listing: ReleaseListing, device: DeviceFacts): Release | undefined {
  return listing.releases.find((release) => {
    try {
      verifyRelease(release, boundBy(listing, device))
      return true
    } catch (error) {
      if (!isTrustError(error)) throw error
      return false
    }
  })
}
