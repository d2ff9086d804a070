/**
 * What an attacker can do with what was granted, by name. Each attack leaves something in the
 * artifact store that victims are served from.
 */
import type { Attack } from './attack.ts'
import { credentialAttacks } from './credential-attacks.ts'
import { metadataAttacks } from './metadata-attacks.ts'
import { offlineAttacks } from './offline-attacks.ts'

export const attacks: Readonly<Record<string, Attack>> = {
  ...metadataAttacks,
  ...offlineAttacks,
  ...credentialAttacks,
}
