/**
 * Requests of browsers: cookies, and where a request comes from. Any page that a person opens can
 * send requests here with the person's cookies; only requests of our own pages are carried out.
 */
import { cutText } from '@seaworthy/std/printable'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { Refusal } from '@seaworthy/std/refusal'
import { secondMs } from '@seaworthy/std/time'
import { sessionLimits } from '../app/access/index.ts'
import type { Site } from '../app/people/index.ts'
import { ceremonyMs, knownBrowserMs } from '../app/people/index.ts'
import type { App } from '../app/app.ts'
import type { PersonRefusal } from '../app/refusals.ts'
import { isNamedBy, namesOf } from '../app/trust/index.ts'
import { HttpError } from './problems.ts'
import { originOf } from './request.ts'

/** `__Host-`: browsers take it from this host alone, by HTTPS alone, for every path. */
const names = {
  session: '__Host-seaworthy',
  ceremony: '__Host-seaworthy-ceremony',
  known: '__Host-seaworthy-known',
} as const

/** What a reply tells the browser to keep; `null` tells it to forget it. */
export interface Cookie {
  readonly name: keyof typeof names
  readonly value: string | null
}

const lifetimesMs = {
  session: sessionLimits.lifetimeMs,
  ceremony: ceremonyMs,
  known: knownBrowserMs,
} as const

export function formatCookie({ name, value }: Cookie): string {
  const seconds = value === null ? 0 : lifetimesMs[name] / secondMs
  return `${names[name]}=${value ?? ''}; Path=/; Max-Age=${seconds}; Secure; HttpOnly; SameSite=Strict`
}

/** The value of a cookie. Throws `two_credentials` when the request has it twice. */
export function cookieOf(req: IncomingMessage, name: Cookie['name']): string | undefined {
  const header = req.headers.cookie
  if (header === undefined) return undefined
  const given = header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${names[name]}=`))
  if (given.length > 1) throw new HttpError('two_credentials', 'send one cookie of each name')
  return given[0]?.slice(names[name].length + 1) || undefined
}

/**
 * Guards requests that act with a cookie, and sign-in itself: a foreign page must not sign a person
 * in as somebody else either. Browsers set both headers, and no page can change them. Throws
 * `request_cross_site`.
 */
export function requireOwnPage(req: IncomingMessage): void {
  const { origin, host = '' } = req.headers
  const site = req.headers['sec-fetch-site']
  if (origin === originOfHost(host) && site === 'same-origin') return
  throw new HttpError(
    'request_cross_site',
    'only a page of this server may ask for this: Origin must be the address of this server and Sec-Fetch-Site same-origin',
  )
}

/**
 * Guards requests that read with a cookie: browsers say when another site asks. Throws
 * `request_cross_site`.
 */
export function requireNoForeignPage(req: IncomingMessage): void {
  const site = req.headers['sec-fetch-site'] ?? 'none'
  if (site === 'same-origin' || site === 'none') return
  throw new HttpError('request_cross_site', 'only a page of this server may ask for this')
}

/** Browsers leave out the default port of HTTPS. */
function originOfHost(host: string): string {
  return `https://${host.toLowerCase().replace(/:443$/, '')}`
}

/** What a route for browsers knows of the browser that asks. */
export interface Browser {
  readonly address: string
  readonly userAgent: string
  /** The text that `beginCeremony` made, from the cookie. */
  readonly kept: string | undefined
  /** The text that shows that somebody has signed in here by password. */
  readonly knownAs: string | undefined
  /** Where links for people lead: the address of the request, if passkeys work there. */
  readonly linkOrigin: () => string
  /** Throws `host_unnamed`. */
  readonly site: () => Site
  /** Cookies that the reply sets, in addition to its body. */
  readonly setCookie: (cookie: Cookie) => void
  readonly cookies: () => readonly Cookie[]
}

/** Routes of devices are not for browsers. */
export const noBrowser: Browser = {
  address: '',
  userAgent: '',
  kept: undefined,
  knownAs: undefined,
  linkOrigin: noWay,
  site: noWay,
  setCookie: noWay,
  cookies: () => [],
}

function noWay(): never {
  throw new Error('this route is not for browsers')
}

const userAgentLengthMax = 200

export function browserOf(
  { certificate }: Pick<App, 'certificate'>,
  req: IncomingMessage,
): Browser {
  const cookies: Cookie[] = []
  return {
    address: req.socket.remoteAddress ?? '',
    userAgent: cutText(req.headers['user-agent'] ?? '', userAgentLengthMax),
    get kept() {
      return cookieOf(req, 'ceremony')
    },
    get knownAs() {
      return cookieOf(req, 'known')
    },
    linkOrigin: () => linkOriginOf(certificate.current.namedByPem, req),
    site: () => siteOf(certificate.current.namedByPem, req.headers.host ?? ''),
    setCookie: (cookie) => cookies.push(cookie),
    cookies: () => cookies,
  }
}

/** An origin with a name that the server has, at the port of the request. */
function linkOriginOf(certificatePem: string, req: IncomingMessage): string {
  const url = new URL(originOf(req))
  if (!isPasskeyHost(certificatePem, url.hostname)) {
    url.hostname = passkeyHosts(certificatePem).find((name) => name !== 'localhost') ?? 'localhost'
  }
  return url.origin
}

function passkeyHosts(certificatePem: string): string[] {
  return namesOf(certificatePem).filter((name) => isIP(name) === 0)
}

function isPasskeyHost(certificatePem: string, host: string): boolean {
  const isAddress = host.startsWith('[') || isIP(host) !== 0
  return host !== '' && !isAddress && isNamedBy(certificatePem, host)
}

/**
 * Passkeys belong to a name that this server has, as its certificate says. Throws `host_unnamed`.
 */
function siteOf(certificatePem: string, host: string): Site {
  const origin = originOfHost(host)
  const name = URL.parse(origin)?.hostname ?? ''
  if (isPasskeyHost(certificatePem, name)) return { rpId: name, origin }
  const usable = passkeyHosts(certificatePem)
  throw new Refusal<PersonRefusal>(
    'host_unnamed',
    `browsers allow passkeys only at a name of the server, and ${name || 'this address'} is not one: ` +
      `open it as ${usable.join(' or ')}, or give it a name with \`seaworthy server name add NAME\``,
  )
}
