/** SSH public keys of people. */
import { generateKeyPairSync } from 'node:crypto'

export function makeSshKey(): string {
  const { x } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
  const part = (bytes: Uint8Array) => [Buffer.of(0, 0, 0, bytes.length), bytes]
  const parts = [...part(Buffer.from('ssh-ed25519')), ...part(Buffer.from(x!, 'base64url'))]
  return `ssh-ed25519 ${Buffer.concat(parts).toString('base64')}`
}
