/**
 * An identity provider on loopback: a real one (oidc-provider), except that every visitor is signed
 * in as the account that the test names, and that it can be made to lie.
 */
import { createHash, generateKeyPairSync, sign, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { httpsTransport } from '@seaworthy/oci/transport'
import { base64UrlEncode, utf8Encode } from '@seaworthy/std/bytes'
import { isRedirect, readBody } from '@seaworthy/std/http'
import { systemRandom } from '@seaworthy/std/random'
import { systemClock } from '@seaworthy/std/time'
import { createCertificates } from '../app/trust/make-certificate.ts'

type Json = Record<string, unknown>

/** What a provider that lies changes. */
export interface ProviderLies {
  /** Members of the ID token’s claims. */
  readonly claims?: Json
  /** Members of its header; with `alg: 'none'` the signature is left out. */
  readonly header?: Json
  /** Whether it is signed with a key that the provider does not publish. */
  readonly isForged?: boolean
  /** Members of what is published about the provider. */
  readonly published?: Json
}

export interface TestIdentityProvider {
  readonly issuer: string
  readonly caPem: string
  /** SHA-256 of its public key in base64, as Chromium takes it. */
  readonly keyHash: string
  readonly clientId: string
  readonly clientSecret: string
  /** Groups by account; whoever is in it has an account. */
  readonly accounts: Map<string, readonly string[]>
  /** Whoever comes from now on is this account. */
  readonly enterAs: (account: string) => void
  /** Lets somebody sign in, as a browser does. Returns the address that it is sent back to. */
  readonly visit: (url: string, account: string) => Promise<URL>
  lies: ProviderLies
  readonly stop: () => Promise<void>
}

export async function startIdentityProvider(redirectUri: string): Promise<TestIdentityProvider> {
  // It prints warnings when it is loaded, which other tests must not find.
  const { default: Provider } = await import('oidc-provider')
  const now = systemClock.now()
  const { keyPem, certificatePem, caPem } = await createCertificates({
    ...{ names: ['localhost'], now, random: systemRandom },
  })
  const listener: { answer?: (req: IncomingMessage, res: ServerResponse) => Promise<void> } = {}
  const server = createServer({ key: keyPem, cert: certificatePem }, (req, res) => {
    void listener.answer?.(req, res)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `https://localhost:${(server.address() as AddressInfo).port}`
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const accounts = new Map<string, readonly string[]>()
  const client = { clientId: 'seaworthy', clientSecret: base64UrlEncode(systemRandom.bytes(32)) }
  let account = ''
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: client.clientId,
        client_secret: client.clientSecret,
        redirect_uris: [redirectUri],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: [{ ...key.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'ES256' }] },
    cookies: { keys: [base64UrlEncode(systemRandom.bytes(32))] },
    claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
    features: { devInteractions: { enabled: false } },
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, groups: [...(accounts.get(id) ?? [])] }),
    }),
    interactions: { url: () => '/enter' },
    ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
    async loadExistingGrant(context: { oidc: { session: { accountId: string } } }) {
      const { accountId } = context.oidc.session
      const grant = new provider.Grant({ accountId, clientId: client.clientId })
      grant.addOIDCScope('openid profile groups')
      await grant.save()
      return grant
    },
  })
  const answer = provider.callback()
  const made: TestIdentityProvider = {
    ...{ issuer, caPem, keyHash: keyHashOf(certificatePem), accounts, ...client, lies: {} },
    enterAs(who) {
      account = who
    },
    async visit(url, who) {
      account = who
      return follow(url, caPem, redirectUri)
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  listener.answer = async (req, res) => {
    if (req.url === '/enter') {
      return provider.interactionFinished(req, res, { login: { accountId: account } })
    }
    return answer(req, lyingResponse(req, res, key, made))
  }
  return made
}

/** SHA-256 of the certificate's public key in base64, as Chromium takes it. */
export function keyHashOf(certificatePem: string): string {
  const spki = new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('base64')
}

/** Follows redirects with cookies until the browser would leave the provider. */
async function follow(url: string, ca: string, redirectUri: string): Promise<URL> {
  const { transport, close } = httpsTransport({ ca, idleTimeoutMs: 60_000 })
  const cookies = new Map<string, string>()
  try {
    let next = new URL(url)
    for (let hops = 0; hops < 10; hops++) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const response = await transport({ method: 'GET', url: next.href, headers: { cookie } })
      const body = Buffer.from(await readBody(response, 100_000)).toString()
      const given = response.headers['set-cookie'] ?? ''
      for (const [, name, value] of given.matchAll(/(?:^|, )([A-Za-z0-9_.-]+)=([^;]*);/g)) {
        cookies.set(name!, value!)
      }
      if (!isRedirect(response.status)) {
        throw new Error(`the provider answered ${response.status}: ${body.slice(0, 500)}`)
      }
      next = new URL(response.headers['location']!, next)
      if (next.href.startsWith(redirectUri)) return next
    }
    throw new Error('the provider redirects without end')
  } finally {
    close()
  }
}

/** Changes what goes out, where the test wants a lie. */
function lyingResponse(
  req: IncomingMessage,
  res: ServerResponse,
  key: KeyObject,
  { lies }: TestIdentityProvider,
): ServerResponse {
  const isToken = req.url === '/token'
  if (!isToken && req.url !== '/.well-known/openid-configuration') return res
  const end = res.end.bind(res) as (text?: unknown) => ServerResponse
  res.end = ((text?: unknown) => {
    if (typeof text !== 'string' || !text.startsWith('{')) return end(text)
    const body = JSON.parse(text) as Json
    if (!isToken) Object.assign(body, lies.published)
    else if (typeof body['id_token'] === 'string') {
      body['id_token'] = resign(body['id_token'], key, lies)
    }
    const changed = JSON.stringify(body)
    res.setHeader('content-length', Buffer.byteLength(changed))
    return end(changed)
  }) as typeof res.end
  return res
}

function resign(token: string, key: KeyObject, lies: ProviderLies): string {
  const [header, claims] = token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Json)
  const encode = (value: Json) => base64UrlEncode(utf8Encode(JSON.stringify(value)))
  const signed = `${encode({ ...header, ...lies.header })}.${encode({ ...claims, ...lies.claims })}`
  if (lies.header?.['alg'] === 'none') return `${signed}.`
  const used =
    lies.isForged === true ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey : key
  const signature = sign('sha256', utf8Encode(signed), { key: used, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${base64UrlEncode(signature)}`
}
