/**
 * GitHub on loopback, as its documentation says that it speaks (GitHub Enterprise Server, whose API
 * is below `/api/v3`): errors of the token endpoint come with status 200, lists come in pages, and
 * accounts, organisations and teams have numbers. Every visitor is the account that the test names.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { base64UrlEncode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { systemClock } from '@seaworthy/std/time'
import { createCertificates } from '../app/trust/make-certificate.ts'
import { keyHashOf } from './identity-provider.ts'

export interface GitHubAccount {
  readonly id: number
  readonly orgs?: readonly number[]
  readonly teams?: readonly number[]
}

export interface TestGitHub {
  readonly issuer: string
  readonly caPem: string
  /** SHA-256 of its public key in base64, as Chromium takes it. */
  readonly keyHash: string
  readonly clientId: string
  readonly clientSecret: string
  /** Accounts by the names that they have now. */
  readonly accounts: Map<string, GitHubAccount>
  /** Answers in the place of its own, by method and path. */
  readonly lies: Map<string, { readonly status: number; readonly body: string }>
  /** Scopes that people agree to, whatever was asked. */
  agreed: string | undefined
  /** The account that a browser is signed in as, which agrees to whatever is asked. */
  visitor: string | undefined
  /** Lets somebody sign in, as a browser does. Returns the address that it is sent back to. */
  readonly visit: (url: string, account: string) => URL
  readonly stop: () => Promise<void>
}

interface Visit {
  readonly account: string
  readonly redirectUri: string
  readonly challenge: string
  readonly scope: string
}

export async function startGitHub(redirectUri: string): Promise<TestGitHub> {
  const { keyPem, certificatePem, caPem } = await createCertificates({
    ...{ names: ['localhost'], now: systemClock.now(), random: systemRandom },
  })
  const newText = () => base64UrlEncode(systemRandom.bytes(20))
  const codes = new Map<string, Visit>()
  const tokens = new Map<string, Visit>()
  const server = createServer({ key: keyPem, cert: certificatePem }, (req, res) => {
    void answer(req, res)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const made: TestGitHub = {
    ...{ issuer: `https://localhost:${(server.address() as AddressInfo).port}`, caPem },
    keyHash: keyHashOf(certificatePem),
    ...{ clientId: 'Iv1.c0ffee', clientSecret: newText(), agreed: undefined, visitor: undefined },
    ...{ accounts: new Map(), lies: new Map() },
    visit(address, account) {
      const { origin, pathname, searchParams: asked } = new URL(address)
      const member = (name: string) => asked.get(name) ?? ''
      if (origin !== made.issuer || pathname !== '/login/oauth/authorize') {
        throw new Error(`${address} is no address where people sign in`)
      }
      if (member('client_id') !== made.clientId || member('code_challenge_method') !== 'S256') {
        throw new Error(`GitHub does not take the question ${address}`)
      }
      const back = new URL(redirectUri)
      back.searchParams.set('state', member('state'))
      if (member('redirect_uri') !== redirectUri) {
        back.searchParams.set('error', 'redirect_uri_mismatch')
        return back
      }
      const code = newText()
      const scope = made.agreed ?? member('scope')
      codes.set(code, { account, redirectUri, challenge: member('code_challenge'), scope })
      back.searchParams.set('code', code)
      return back
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }

  function trade(given: URLSearchParams): unknown {
    const refuse = (error: string) => ({
      error,
      error_description: 'words',
      error_uri: 'https://x',
    })
    const isClient =
      given.get('client_id') === made.clientId && given.get('client_secret') === made.clientSecret
    if (!isClient) return refuse('incorrect_client_credentials')
    const code = given.get('code') ?? ''
    const visit = codes.get(code)
    codes.delete(code)
    if (visit === undefined) return refuse('bad_verification_code')
    if (given.get('redirect_uri') !== visit.redirectUri) return refuse('redirect_uri_mismatch')
    const verifier = given.get('code_verifier') ?? ''
    const challenge = createHash('sha256').update(verifier).digest('base64url')
    if (challenge !== visit.challenge) return refuse('bad_verification_code')
    const token = `gho_${newText()}`
    tokens.set(token, visit)
    return { access_token: token, scope: visit.scope, token_type: 'bearer' }
  }

  function tell(path: string, page: { first: number; size: number }, visit: Visit): unknown {
    const { id, orgs = [], teams = [] } = made.accounts.get(visit.account)!
    const shown = (ids: readonly number[]) =>
      ids.slice(page.first, page.first + page.size).map((one) => ({ id: one, login: 'a-name' }))
    if (path === '/api/v3/user') return { login: visit.account, id, type: 'User', name: null }
    const isReadable = visit.scope.split(',').includes('read:org')
    if (path === '/api/v3/user/orgs') return shown(isReadable ? orgs : [])
    return path === '/api/v3/user/teams' && isReadable ? shown(teams) : undefined
  }

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await text(req)
    const { pathname, searchParams } = new URL(req.url ?? '', made.issuer)
    const send = (status: number, value: unknown) => {
      res.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
      res.end(typeof value === 'string' ? value : JSON.stringify(value))
    }
    const lie = made.lies.get(`${req.method} ${pathname}`)
    if (lie !== undefined) return send(lie.status, lie.body)
    if (req.headers['user-agent'] === undefined) return send(403, { message: 'no user agent' })
    if (pathname === '/login/oauth/authorize' && made.visitor !== undefined) {
      const back = made.visit(new URL(req.url ?? '', made.issuer).href, made.visitor)
      res.writeHead(302, { location: back.href }).end()
      return
    }
    if (pathname === '/login/oauth/access_token') {
      // Without this header, GitHub answers with a form.
      const isJson = req.headers.accept === 'application/json'
      return send(200, isJson ? trade(new URLSearchParams(body)) : 'access_token=x')
    }
    if (pathname === `/api/v3/applications/${made.clientId}/token`) {
      const basic = `Basic ${btoa(`${made.clientId}:${made.clientSecret}`)}`
      return send(req.headers.authorization === basic ? 404 : 401, { message: 'Not Found' })
    }
    const visit = tokens.get(req.headers.authorization?.replace(/^Bearer /, '') ?? '')
    if (visit === undefined) return send(401, { message: 'Bad credentials' })
    const size = Number(searchParams.get('per_page') ?? 30)
    const first = (Number(searchParams.get('page') ?? 1) - 1) * size
    const told = tell(pathname, { first, size }, visit)
    return told === undefined ? send(403, { message: 'Forbidden' }) : send(200, told)
  }
  return made
}
