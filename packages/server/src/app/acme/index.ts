/**
 * Certificates from an ACME authority (RFC 8555) for the key of the server. Promises: the key that
 * clients have pinned stays; what is served was judged as a strict client would; a failure changes
 * nothing but what is shown of it. Not handled here: which certificate is served (`app/trust`), and
 * who answers on port 80 (`http/plain-http.ts`).
 */
export type { ChallengeCertificates } from './challenge-certificates.ts'
export { challengeProtocol, createChallengeCertificates } from './challenge-certificates.ts'
export type { AcmeSettings } from './renewal.ts'
export { findAnswer, renewByAcme } from './renewal.ts'
