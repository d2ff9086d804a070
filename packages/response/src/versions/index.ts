/**
 * The order of versions in each ecosystem, as keys that a database can compare: for two versions
 * of one ecosystem, the bytes of their keys stand in the order of the versions.
 */
import { alpineKey } from './alpine.ts'
import { debianKey } from './debian.ts'
import { versionLengthMax } from './key.ts'
import { mavenKey } from './maven.ts'
import { pythonKey } from './python.ts'
import { rpmKey } from './rpm.ts'
import { semverKey } from './semver.ts'

export const versionOrders = ['alpine', 'debian', 'maven', 'python', 'rpm', 'semver'] as const
export type VersionOrder = (typeof versionOrders)[number]

const keys: Readonly<Record<VersionOrder, (version: string) => Uint8Array | undefined>> = {
  ...{ alpine: alpineKey, debian: debianKey, maven: mavenKey },
  ...{ python: pythonKey, rpm: rpmKey, semver: semverKey },
}

/** The key of a version, or `undefined` for one that has no place in the order. */
export function versionKey(order: VersionOrder, version: string): Uint8Array | undefined {
  if (version.length > versionLengthMax || version.includes('\0')) return undefined
  return keys[order](version)
}
