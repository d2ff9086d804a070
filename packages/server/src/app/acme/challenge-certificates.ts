/**
 * The certificates by which a worker proves to an ACME authority, on the port for TLS, that a name
 * leads here (tls-alpn-01, RFC 8737). They are in memory while an order is open.
 */
import { createSecureContext } from 'node:tls'
import type { SecureContext } from 'node:tls'
import { listChallenges } from '../../db/acme-challenges.ts'
import type { App } from '../app.ts'
import { makeChallengeCertificate } from '../trust/index.ts'
import type { Singleflight } from '../worker/index.ts'
import { createSingleflight } from '../worker/index.ts'

/** The protocol that an authority names in its handshake, and no other client does. */
export const challengeProtocol = 'acme-tls/1'

export interface ChallengeCertificates {
  /** The authority checks what stands in the certificate, and sends nothing over the connection. */
  find(name: string): SecureContext | undefined
  readonly reload: Singleflight<void>
}

export function createChallengeCertificates(
  app: Pick<App, 'clock' | 'db' | 'random'>,
): ChallengeCertificates {
  let open: ReadonlyMap<string, SecureContext> = new Map()
  return {
    find: (name) => open.get(name),
    reload: createSingleflight(async () => {
      const found = new Map<string, SecureContext>()
      for (const { name, answer } of await listChallenges(app.db.reader)) {
        const now = app.clock.now()
        const made = await makeChallengeCertificate(name, answer, { now, random: app.random })
        found.set(name, createSecureContext({ key: made.keyPem, cert: made.certificatePem }))
      }
      open = found
    }),
  }
}
