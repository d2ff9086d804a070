/** What a device says by the code of a refusal, for people. */
import type { TrustCode } from '@seaworthy/trust/tuf'

const words: Readonly<Record<TrustCode, string>> = {
  metadata_malformed: 'the metadata it was given is not metadata',
  profile_violation: 'the metadata it was given has a form that this system never signs',
  unsupported_specification: 'the metadata is of a version of TUF that its agent does not know',
  signature_threshold: 'too few of the keys that count have signed what it was given',
  rollback: 'it was given metadata older than it has seen',
  freeze: 'the metadata it was given has expired, or its own clock is ahead',
  lifetime_exceeded: 'the metadata would be valid for longer than it accepts',
  mix_and_match: 'parts of the metadata it was given do not belong together',
  wrong_length: 'the bytes it was given have another length than was signed',
  wrong_hash: 'the bytes it was given are not those that were signed',
  endless_data: 'it was given more bytes than were signed',
  slow_retrieval: 'what it fetched came too slowly',
  root_chain_broken: 'the root it was given does not follow from the one that it knows',
  metadata_missing: 'a file that the signed metadata names was not there',
  target_unknown: 'nobody has signed the release for its channel',
  target_path_unusable: 'the release is listed under a path that stands for no file',
  release_malformed: 'what is signed about the release is not complete',
  wrong_product: 'the release is of another product',
  wrong_channel: 'the release is of another channel than the one that it follows',
  wrong_platform: 'the release has nothing for its platform',
  wrong_hardware: 'the release is not for its hardware',
  counter_below_committed: 'the release is older than one that it has committed',
  below_floor: 'the release is below the floor that its channel signs',
  state_unreadable: 'what it has stored of whom it trusts cannot be read',
}

/** The meaning of a code in a sentence; `undefined` for a code that this program does not know. */
export function describeRefusal(code: string): string | undefined {
  return Object.entries(words).find(([known]) => known === code)?.[1]
}
