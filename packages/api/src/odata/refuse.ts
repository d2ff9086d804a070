/** How questions by OData are refused: by name, and by the place where the fault is. */
import { Refusal } from '@seaworthy/std/refusal'

export type ODataRefusal =
  | 'odata_malformed'
  | 'odata_name_unknown'
  | 'odata_not_supported'
  | 'odata_too_large'
  | 'odata_not_indexed'
  | 'odata_too_slow'
  | 'odata_waiting'
  | 'odata_not_found'
  | 'odata_dry_run_needed'
  | 'odata_dry_run_stale'

/** A place in the text of a query option: the option's name, and a character counted from 1. */
export interface OptionPlace {
  readonly option: string
  readonly at: number
}

export function refuseAt(code: ODataRefusal, { option, at }: OptionPlace, what: string): never {
  throw new Refusal<ODataRefusal>(code, `${option}, character ${at}: ${what}`)
}
