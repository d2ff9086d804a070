/** What every bill of materials is read into, whatever its format. */
import type { Json } from '@seaworthy/std/json'
import { Refusal } from '@seaworthy/std/refusal'
import type { SbomComponent } from './component.ts'

export type SbomRefusal = 'sbom_malformed'

export interface ReadSbom {
  readonly format: 'cyclonedx' | 'spdx'
  /** Such as `1.6`. */
  readonly formatVersion: string
  readonly components: readonly SbomComponent[]
  /** Names of components that no record can be about: no package URL, or one of another kind. */
  readonly others: readonly string[]
  /** The document says itself that it does not list everything. */
  readonly isIncomplete: boolean
}

export function sbomMalformed(why: string, cause?: unknown): Refusal {
  return new Refusal<SbomRefusal>(
    'sbom_malformed',
    `the document is no bill of materials: ${why}`,
    {
      cause,
    },
  )
}

export function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
