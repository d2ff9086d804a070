/**
 * Shows an ACME authority on the port for TLS that a name leads here (tls-alpn-01): a handshake
 * with a certificate made for that, after which the connection closes.
 */
import type { Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { ChallengeCertificates } from '../app/acme/index.ts'
import { challengeProtocol } from '../app/acme/index.ts'

/**
 * Chooses the protocol of a connection: a client that offers only the proof’s protocol gets the
 * proof.
 */
export function proveNames(challenges: ChallengeCertificates) {
  return function choose(
    this: TLSSocket,
    // Node gives no name where the client sent none.
    { servername, protocols }: { servername: string | false | undefined; protocols: string[] },
  ): string | undefined {
    const [asked, ...others] = protocols
    if (asked !== challengeProtocol || others.length > 0) {
      return protocols.find((protocol) => protocol === 'http/1.1')
    }
    if (typeof servername !== 'string') return undefined
    const proof = challenges.find(servername.toLowerCase())
    if (proof === undefined) return undefined
    this.setKeyCert(proof)
    return challengeProtocol
  }
}

type SecureListener = (this: Server, socket: TLSSocket) => void

/** A connection that proves a name ends with its handshake. */
export function endProofs(server: Server): void {
  const listeners = server.listeners('secureConnection') as SecureListener[]
  server.removeAllListeners('secureConnection')
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === challengeProtocol) socket.destroySoon()
    else for (const listener of listeners) listener.call(server, socket)
  })
}
