/**
 * `seaworthy.json` of a release that is stored (`@seaworthy/oci/bundle/manifest` reads its text).
 */
import type { BundleManifest, BundleManifestRefusal } from '@seaworthy/oci/bundle/manifest'
import {
  bundleManifestBytesMax,
  bundleManifestName,
  parseBundleManifest,
} from '@seaworthy/oci/bundle/manifest'
import type { Refuse } from '@seaworthy/std/refusal'
import { refuseAs } from '@seaworthy/std/refusal'
import type { Disk } from '../ports.ts'
import { DiskError } from '../ports.ts'

const refuse: Refuse = refuseAs<BundleManifestRefusal>(
  'bundle_manifest_malformed',
  `${bundleManifestName}: `,
)

/**
 * The manifest of a release's folder; `undefined` where the release brings none. Throws what
 * `parseBundleManifest` throws: a link, a folder or a file that is too long at its path is a
 * malformed one.
 */
export async function readBundleManifest(
  disk: Disk,
  folder: string,
  environment: Readonly<Record<string, string>>,
): Promise<BundleManifest | undefined> {
  let bytes: Uint8Array | undefined
  try {
    bytes = await disk.read(`${folder}/${bundleManifestName}`, bundleManifestBytesMax)
  } catch (error) {
    if (error instanceof DiskError && error.code === 'too_long') {
      return refuse(`longer than ${bundleManifestBytesMax} bytes`, error)
    }
    if (error instanceof DiskError && error.code === 'not_regular') {
      return refuse('not a file', error)
    }
    throw error
  }
  return bytes === undefined ? undefined : parseBundleManifest(bytes, environment)
}
