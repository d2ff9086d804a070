/**
 * An authenticator in software, and a browser that carries cookies: what a person has in front of
 * them. Both can be made to lie, as an attacker’s would.
 */
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type {
  CreationOptions,
  NewPasskey,
  PasskeyProof,
  RequestOptions,
} from '@seaworthy/api/ceremonies'
import type { ApiClient } from '@seaworthy/api/client'
import { createClient } from '@seaworthy/api/client'
import {
  acceptInvitation,
  askFirstOwner,
  askInvitation,
  becomeFirstOwner,
} from '@seaworthy/api/invitations'
import { askSignIn, askStepUp, signIn, stepUp } from '@seaworthy/api/sessions'
import type { SelfView } from '@seaworthy/api/sessions'
import { base64UrlEncode, concatBytes, joinBytes, utf8Encode } from '@seaworthy/std/bytes'
import type { HttpRequest } from '@seaworthy/std/http'
import { systemRandom } from '@seaworthy/std/random'
import { holdToDescription } from './listed-problems.ts'
import type { TestClient } from './people.ts'
import type { TestServer } from './server.ts'

interface HeldPasskey {
  readonly id: string
  readonly rpId: string
  readonly key: KeyObject
  count: number
}

/** What an attacker changes about an answer. */
export interface Lies {
  readonly origin?: string
  readonly rpId?: string
  readonly challenge?: string
  readonly type?: string
  readonly isUserVerified?: boolean
  readonly count?: number
  /** Answers with this credential’s id, whoever’s key signs. */
  readonly id?: string
}

export interface Authenticator {
  readonly create: (options: CreationOptions, lies?: Lies) => NewPasskey
  readonly get: (options: RequestOptions, lies?: Lies) => PasskeyProof
}

export type TestAlgorithm = 'ed25519' | 'es256'

/** An authenticator that is asked by pages of `origin`. */
export function createAuthenticator(
  origin: string,
  algorithm: TestAlgorithm = 'ed25519',
): Authenticator {
  const held: HeldPasskey[] = []
  const clientData = (type: string, challenge: string, lies: Lies) =>
    utf8Encode(
      JSON.stringify({
        type: lies.type ?? type,
        challenge: lies.challenge ?? challenge,
        origin: lies.origin ?? origin,
        crossOrigin: false,
      }),
    )
  return {
    create(options, lies = {}) {
      const { publicKey, privateKey } =
        algorithm === 'ed25519'
          ? generateKeyPairSync('ed25519')
          : generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const id = systemRandom.bytes(32)
      held.push({
        id: base64UrlEncode(id),
        rpId: options.rp.id,
        key: privateKey,
        count: 0,
      })
      const attested = concatBytes(new Uint8Array(16), uint16(id.length), id, coseKey(publicKey))
      const authData = concatBytes(
        authenticatorData(lies.rpId ?? options.rp.id, 0x40, 0, lies),
        attested,
      )
      const attestation = cborMap([
        [cborText('fmt'), cborText('none')],
        [cborText('attStmt'), cborMap([])],
        [cborText('authData'), cborBytes(authData)],
      ])
      return {
        id: base64UrlEncode(id),
        clientDataJSON: base64UrlEncode(clientData('webauthn.create', options.challenge, lies)),
        attestationObject: base64UrlEncode(attestation),
        transports: ['internal'],
      }
    },
    get(options, lies = {}) {
      const ids = options.allowCredentials.map(({ id }) => id)
      const passkey = held.findLast(
        ({ id, rpId }) => rpId === options.rpId && (ids.length === 0 || ids.includes(id)),
      )
      if (passkey === undefined) throw new Error('the authenticator has no passkey for this site')
      passkey.count += 1
      const data = clientData('webauthn.get', options.challenge, lies)
      const count = lies.count ?? passkey.count
      const authData = authenticatorData(lies.rpId ?? options.rpId, 0, count, lies)
      const signed = concatBytes(authData, createHash('sha256').update(data).digest())
      const signature = sign(algorithm === 'ed25519' ? null : 'sha256', signed, passkey.key)
      return {
        id: lies.id ?? passkey.id,
        clientDataJSON: base64UrlEncode(data),
        authenticatorData: base64UrlEncode(authData),
        signature: base64UrlEncode(signature),
      }
    },
  }
}

/** Flags: the user was present, and verified unless the authenticator lies. */
function authenticatorData(rpId: string, flags: number, count: number, lies: Lies): Uint8Array {
  const verified = (lies.isUserVerified ?? true) ? 0x04 : 0
  const counter = Buffer.alloc(4)
  counter.writeUInt32BE(count)
  return concatBytes(
    createHash('sha256').update(rpId).digest(),
    Uint8Array.of(0x01 | verified | flags),
    counter,
  )
}

function coseKey(key: KeyObject): Uint8Array {
  const { kty, x, y } = key.export({ format: 'jwk' })
  const coordinate = (text: string) => cborBytes(Buffer.from(text, 'base64url'))
  return kty === 'OKP'
    ? cborMap([
        [cborInt(1), cborInt(1)],
        [cborInt(3), cborInt(-8)],
        [cborInt(-1), cborInt(6)],
        [cborInt(-2), coordinate(x!)],
      ])
    : cborMap([
        [cborInt(1), cborInt(2)],
        [cborInt(3), cborInt(-7)],
        [cborInt(-1), cborInt(1)],
        [cborInt(-2), coordinate(x!)],
        [cborInt(-3), coordinate(y!)],
      ])
}

/** The little of CBOR (RFC 8949) that an authenticator writes. */
function cborHead(major: number, value: number): Uint8Array {
  if (value < 24) return Uint8Array.of((major << 5) | value)
  if (value < 256) return Uint8Array.of((major << 5) | 24, value)
  return Uint8Array.of((major << 5) | 25, value >> 8, value & 255)
}
const cborInt = (value: number) => (value < 0 ? cborHead(1, -1 - value) : cborHead(0, value))
const cborBytes = (bytes: Uint8Array) => concatBytes(cborHead(2, bytes.length), bytes)
const cborText = (text: string) => concatBytes(cborHead(3, text.length), utf8Encode(text))
const cborMap = (pairs: readonly (readonly [Uint8Array, Uint8Array])[]) =>
  joinBytes([cborHead(5, pairs.length), ...pairs.flat()])

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255)
}

/** A browser on a page of the server, with its own cookies. */
export interface TestBrowser {
  readonly origin: string
  readonly api: ApiClient
  /** The cookies, which a test may take away, put back and carry elsewhere. */
  readonly cookies: Map<string, string>
  /** Headers of every request, beyond those of a page of ours; `null` leaves one out. */
  readonly headers: Record<string, string | null>
  readonly authenticator: Authenticator
  readonly signIn: () => Promise<SelfView>
  readonly stepUp: () => Promise<SelfView>
}

export function createTestBrowser(
  server: Pick<TestServer, 'url'>,
  client: Pick<TestClient, 'transport'>,
  options: { host?: string; authenticator?: Authenticator; algorithm?: TestAlgorithm } = {},
): TestBrowser {
  const host = options.host ?? `localhost:${new URL(server.url).port}`
  const origin = `https://${host}`
  const cookies = new Map<string, string>()
  const headers: Record<string, string | null> = {}
  const transport = async (request: HttpRequest) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const ofPage = {
      host,
      origin,
      'sec-fetch-site': 'same-origin',
      'user-agent': 'Test Browser',
      ...(cookie === '' ? {} : { cookie }),
      ...headers,
    }
    const sent = Object.entries({ ...request.headers, ...ofPage }).filter(
      (pair): pair is [string, string] => pair[1] !== null,
    )
    const response = await client.transport({ ...request, headers: Object.fromEntries(sent) })
    const given = response.headers['set-cookie'] ?? ''
    for (const [, name, value, age] of given.matchAll(
      /(__Host-[a-z-]+)=([^;]*);[^,]*?Max-Age=(\d+)/g,
    )) {
      if (age === '0') cookies.delete(name!)
      else cookies.set(name!, value!)
    }
    return response
  }
  const api = holdToDescription(createClient({ baseUrl: server.url, transport }))
  const authenticator = options.authenticator ?? createAuthenticator(origin, options.algorithm)
  return {
    ...{ origin, api, cookies, headers, authenticator },
    async signIn() {
      const asked = await api.call(askSignIn, {})
      return api.call(signIn, { body: authenticator.get(asked) })
    },
    async stepUp() {
      const asked = await api.call(askStepUp, {})
      return api.call(stepUp, { body: authenticator.get(asked) })
    },
  }
}

/** Becomes the first owner by the link that the server printed. */
export async function becomeOwner(
  server: Pick<TestServer, 'ownerLink'>,
  browser: TestBrowser,
  name = 'Olive Owner',
): Promise<SelfView> {
  const code = new URL(server.ownerLink).hash.slice(1)
  const asked = await browser.api.call(askFirstOwner, { body: { code, name } })
  const passkey = browser.authenticator.create(asked)
  return browser.api.call(becomeFirstOwner, { body: { code, name, passkey } })
}

/** Accepts an invitation by its link. */
export async function acceptLink(
  browser: TestBrowser,
  link: string,
  name: string,
): Promise<SelfView> {
  const code = new URL(link).hash.slice(1)
  const asked = await browser.api.call(askInvitation, { body: { code, name } })
  const passkey = browser.authenticator.create(asked)
  return browser.api.call(acceptInvitation, { body: { code, name, passkey } })
}
