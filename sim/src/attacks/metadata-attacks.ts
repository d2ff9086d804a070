/**
 * Attacks on metadata, by somebody with the online keys and by somebody with nothing but the wire.
 */
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { formatInstant, parseInstant } from '@seaworthy/std/time'
import type { TimestampSigned } from '@seaworthy/trust/tuf'
import { expiryOf } from '@seaworthy/trust/tuf'
import type { Attack } from './attack.ts'

const versionMax = 2 ** 31 - 1

export const metadataAttacks: Readonly<Record<string, Attack>> = {
  publish: {
    usage: 'publish: with the online keys, a new snapshot and timestamp of what is served',
    run: (attacker) => attacker.publish(),
  },
  'rollback-role': {
    usage: 'rollback-role ROLE VERSION: with the online keys, names an older version of a role',
    async run(attacker, given) {
      const file = `${given.next('role')}.json`
      const version = given.count('version')
      const bytes = attacker.artifacts.metadata.get(`${version}.${file}`)
      if (bytes === undefined) throw new Error(`there is no version ${version} of ${file}`)
      await attacker.publish({
        snapshot: (signed) => ({
          ...signed,
          meta: { ...signed.meta, [file]: { ...attacker.describe(bytes), version } },
        }),
      })
    },
  },
  'rollback-snapshot': {
    usage:
      'rollback-snapshot VERSION: with the online keys, a new timestamp names an older snapshot',
    async run(attacker, given) {
      const version = given.count('version')
      const bytes = attacker.artifacts.metadata.get(`${version}.snapshot.json`)
      if (bytes === undefined) throw new Error(`there is no snapshot ${version}`)
      await attacker.publish({
        timestamp: (signed) => ({
          ...signed,
          meta: { 'snapshot.json': { ...attacker.describe(bytes), version } },
        }),
      })
    },
  },
  'old-root-as-next': {
    usage: 'old-root-as-next: serves the first root under the number that comes next',
    async run(attacker) {
      const { artifacts } = attacker
      const { version } = attacker.current('root')
      artifacts.metadata.set(`${version + 1}.root.json`, artifacts.metadata.get('1.root.json')!)
    },
  },
  'fast-forward': {
    usage: 'fast-forward: with the online keys, the highest version numbers there are',
    async run(attacker) {
      const forward = <S extends { version: number }>(signed: S): S => ({
        ...signed,
        version: versionMax,
      })
      await attacker.publish({ snapshot: forward, timestamp: forward })
    },
  },
  'mix-and-match': {
    usage:
      'mix-and-match ROLE VERSION: with the online keys, an older file named as the newest version',
    async run(attacker, given) {
      const role = given.next('role')
      const older = attacker.artifacts.metadata.get(`${given.count('version')}.${role}.json`)
      if (older === undefined) throw new Error('there is no such version')
      const version = attacker.current(role).version + 1
      attacker.artifacts.metadata.set(`${version}.${role}.json`, older)
      await attacker.publish()
    },
  },
  swap: {
    usage: 'swap FILE OTHER: serves one metadata file under the name of another',
    async run({ artifacts }, given) {
      const file = given.next('file')
      artifacts.metadata.set(file, artifacts.metadata.get(given.next('other file'))!)
    },
  },
  hide: {
    usage: 'hide FILE: answers 404 for a metadata file',
    async run({ artifacts }, given) {
      const file = given.next('file')
      if (!artifacts.metadata.delete(file)) throw new Error(`nobody serves ${file}`)
    },
  },
  oversize: {
    usage: 'oversize FILE BYTES: a metadata file of that many bytes, most of them blanks',
    async run({ artifacts }, given) {
      const file = given.next('file')
      const bytes = new Uint8Array(given.count('bytes')).fill(0x20)
      bytes.set(artifacts.metadata.get(file) ?? [])
      artifacts.metadata.set(file, bytes)
    },
  },
  'duplicate-member': {
    usage: 'duplicate-member: with the online keys, a timestamp with two different versions in it',
    async run(attacker) {
      await attacker.publish()
      const text = utf8Decode(attacker.artifacts.metadata.get('timestamp.json')!)
      const twice = text.replace(/"version":(\d+)\}\}$/, '"version":1,"version":$1}}')
      if (twice === text) throw new Error('the timestamp does not end with its version')
      attacker.artifacts.metadata.set('timestamp.json', utf8Encode(twice))
    },
  },
  'deep-json': {
    usage: 'deep-json: a timestamp that is 5000 arrays deep',
    async run({ artifacts }) {
      const text = `{"signatures":${'['.repeat(5000)}${']'.repeat(5000)},"signed":{}}`
      artifacts.metadata.set('timestamp.json', utf8Encode(text))
    },
  },
  'empty-hashes': {
    usage: 'empty-hashes: with the online keys, a timestamp that names its snapshot without a hash',
    run: (attacker) =>
      attacker.publish({
        timestamp: (signed) => ({
          ...signed,
          meta: { 'snapshot.json': { ...signed.meta['snapshot.json'], hashes: {} } },
        }),
      }),
  },
  'weak-hashes': {
    usage: 'weak-hashes: with the online keys, a snapshot that names targets by MD5 alone',
    run: (attacker) =>
      attacker.publish({
        snapshot: (signed) => ({
          ...signed,
          meta: {
            ...signed.meta,
            'targets.json': { ...signed.meta['targets.json']!, hashes: { md5: '0'.repeat(32) } },
          },
        }),
      }),
  },
  'claim-time': {
    usage:
      'claim-time INSTANT: with the online keys, a snapshot and a timestamp signed then and valid as long as they may',
    async run(attacker, given) {
      const signedAt = given.next('instant')
      const expires = (role: string) => formatInstant(expiryOf(role, parseInstant(signedAt)))
      await attacker.publish({
        snapshot: (signed) => ({ ...signed, expires: expires('snapshot') }),
        timestamp: (signed): TimestampSigned => ({
          ...signed,
          expires: expires('timestamp'),
          seaworthy: { signedAt },
        }),
      })
    },
  },
  'outlive-keys': {
    usage:
      'outlive-keys: with the online keys, a timestamp that says nothing of its time and is valid for a year',
    run: (attacker) =>
      attacker.publish({
        timestamp: ({ seaworthy: _unsaid, ...signed }): TimestampSigned => ({
          ...signed,
          expires: formatInstant(expiryOf('root', attacker.world.time.now())),
        }),
      }),
  },
}
