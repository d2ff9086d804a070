/** Why a key, a key file or a signature's encoding is refused. */
import { trustErrorsOf } from '@seaworthy/std/refusal'

export type KeyCode =
  | 'key_malformed'
  | 'key_unsupported'
  | 'key_file_malformed'
  /** The file's own checksum does not hold: damaged in storage or transport. */
  | 'key_file_damaged'
  /** The file is whole, but does not open with this passphrase. */
  | 'wrong_passphrase'

export const keyError = trustErrorsOf<KeyCode>()
