import type { RefuseBy } from '@seaworthy/std/refusal'
import { throwRefusal } from '@seaworthy/std/refusal'

/** Why a server is not exported, or an export not imported. */
export type TransferRefusal =
  | 'folder_not_empty'
  | 'schema_differs'
  | 'export_content_missing'
  | 'export_incomplete'
  | 'export_malformed'
  | 'export_changed'
  | 'server_not_empty'
  | 'master_key_missing'

export const refuse: RefuseBy<TransferRefusal> = throwRefusal
