/**
 * The defaults of variables in the release that a device runs, read from the content itself, by the
 * digest that the device reported.
 */
import type { DeviceView } from '@seaworthy/api/devices'
import { parseBundleManifest } from '@seaworthy/oci/bundle/manifest'
import { computeBundleFiles, readReleaseOutline } from '@seaworthy/oci/release-content'
import { formatBytes } from '../output/format.ts'
import { productContent } from '../registry.ts'
import { reasonOf } from '../release-trees.ts'
import type { Connection } from '../connection.ts'

/** A longer bundle is not fetched for a list of variables. */
const layerBytesMax = 256 * 1024 * 1024

export type ReleaseDefaults =
  | { readonly defaults: ReadonlyMap<string, string>; readonly version: string | null }
  /** They could not be read, for this reason. */
  | { readonly unread: string; readonly version: string }

export async function readReleaseDefaults(
  connection: Connection,
  { running, platform, protocol }: Pick<DeviceView, 'running' | 'platform' | 'protocol'>,
): Promise<ReleaseDefaults> {
  const none = new Map<string, string>()
  if (running === null || protocol !== 'agent') return { defaults: none, version: null }
  const { product, version, sha256 } = running
  try {
    const source = productContent(connection, product)
    const { platforms } = await readReleaseOutline(source, `sha256:${sha256}`)
    const bundle = platforms.find((one) => one.platform === platform)
    if (bundle?.kind !== 'bundle') return { defaults: none, version }
    if (bundle.layer.size > layerBytesMax) {
      return { unread: `its bundle has ${formatBytes(bundle.layer.size)}`, version }
    }
    const { manifest } = await computeBundleFiles(source, bundle)
    if (manifest === undefined) return { defaults: none, version }
    return { defaults: parseBundleManifest(manifest, undefined).defaults, version }
  } catch (error) {
    return { unread: reasonOf(error), version }
  }
}
