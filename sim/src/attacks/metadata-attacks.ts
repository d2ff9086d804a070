/** Attacks on metadata by whoever holds the online keys, and with nothing but the wire. */
import type { Attack } from './attack.ts'

export const metadataAttacks: Readonly<Record<string, Attack>> = {
  'rollback-role': {
    usage: 'rollback-role ROLE VERSION: with the online keys, names an older version of a role',
    async run(attacker, given) {
      const file = `${given.next('role')}.json`
      const version = given.count('version')
      const bytes = attacker.shelf.metadata.get(`${version}.${file}`)
      if (bytes === undefined) throw new Error(`there is no version ${version} of ${file}`)
      await attacker.publish({
        snapshot: (signed) => ({
          ...signed,
          meta: { ...signed.meta, [file]: { ...attacker.describe(bytes), version } },
        }),
      })
    },
  },
}
