/** Content of signed releases that the store has lost: devices would ask for it and not get it. */
import { requireClosure } from '@seaworthy/oci/store/garbage'
import type { RegistryStore } from '@seaworthy/oci/store'
import { Refusal } from '@seaworthy/std/refusal'
import type { TrustState } from '../app.ts'

export interface MissingContent {
  /** `<product>/<channel>/<version>` */
  readonly path: string
  readonly why: string
}

const reasons: readonly string[] = ['manifest_unknown', 'manifest_child_unknown', 'content_damaged']

/** Looks for everything that each signed release needs, by its presence and size. */
export async function findMissingContent(
  store: RegistryStore,
  releases: TrustState['releases'],
): Promise<MissingContent[]> {
  const missing: MissingContent[] = []
  for (const { path, product, sha256 } of [...releases.values()].flat()) {
    try {
      await requireClosure(store, product, `sha256:${sha256}`)
    } catch (error) {
      if (!(error instanceof Refusal) || !reasons.includes(error.code)) throw error
      missing.push({ path, why: error.message })
    }
  }
  return missing
}

/** One sentence for `/readyz`; `null` when nothing is missing. */
export function describeMissing([first, ...others]: readonly MissingContent[]): string | null {
  if (first === undefined) return null
  const more = others.length === 0 ? '' : `, and ${others.length} more releases lack content`
  return `content of the signed release ${first.path} is missing (${first.why})${more}: push it again`
}
