/** What drafts say, sealed under the master key together with the advisory and its revision. */
import type { AdvisoryContent } from '@seaworthy/response/advisories'
import { hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { Refusal } from '@seaworthy/std/refusal'
import type { MasterKey } from '../../config/master-key.ts'
import { SealError } from '../../config/master-key.ts'
import type { AdvisoryRow } from '../../db/advisories.ts'
import { nodeSha256 } from '../access/index.ts'
import type { AdvisoryRefusal } from '../refusals.ts'

/** The version of the form in which drafts are sealed. */
const sealVersion = 1

type Bound = Pick<AdvisoryRow, 'id' | 'revision'>

interface Held {
  readonly advisory: string
  readonly revision: number
  readonly content: AdvisoryContent
}

export function sealContent(
  masterKey: MasterKey,
  { id, revision }: Bound,
  content: AdvisoryContent,
): Uint8Array {
  const held: Held = { advisory: id, revision, content }
  return masterKey.seal('advisory-text', sealVersion, utf8Encode(JSON.stringify(held)))
}

/** Throws `advisory_not_opened` also for what was moved here from another advisory or revision. */
export function openContent(
  masterKey: MasterKey,
  { id, revision, sealed }: Bound & Pick<AdvisoryRow, 'sealed'>,
): AdvisoryContent {
  try {
    const plain = utf8Decode(masterKey.open('advisory-text', sealVersion, sealed))
    const held = parseAnyJsonText(plain) as Held
    if (held.advisory === id && held.revision === revision) return held.content
    throw new SealError('the draft is stored in the place of another one')
  } catch (cause) {
    if (!(cause instanceof SealError)) throw cause
    throw new Refusal<AdvisoryRefusal>(
      'advisory_not_opened',
      'the advisory cannot be opened: the master key is another one, or the database was changed',
      { cause },
    )
  }
}

/** The digest of a sealed draft says nothing of it, and shows later which one it was. */
export function digestOf({ sealed }: Pick<AdvisoryRow, 'sealed'>): string {
  return hexEncode(nodeSha256(sealed))
}
