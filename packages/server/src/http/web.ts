/**
 * The pages that browsers get, from memory: `index.html` at every address of a page, and below
 * `/assets/` what it names. They are read, and compared with their digests, when the server starts.
 * The manifest that the build of `packages/web` wrote names the files.
 */
import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { WebCoding } from '@seaworthy/api/web-manifest'
import { webManifest } from '@seaworthy/api/web-manifest'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { chooseCoding } from './content-codings.ts'
import { HttpError } from './problems.ts'
import type { RawHandler } from './endpoint.ts'
import { sendBytes } from './request.ts'

interface WebFile {
  readonly type: string
  readonly etag: string
  readonly plain: Uint8Array
  readonly coded: ReadonlyMap<WebCoding, Uint8Array>
}

export interface WebFiles {
  /** Whether the path is the address of a page. */
  readonly isPage: (path: string) => boolean
  readonly files: ReadonlyMap<string, WebFile>
}

/** The folder does not hold whole pages. The message names the way out. */
export class WebFilesError extends Error {
  override readonly name = 'WebFilesError'
}

/** Throws `WebFilesError`. */
export async function loadWebFiles(folder: string): Promise<WebFiles> {
  try {
    const text = await readFile(join(folder, 'manifest.json'), 'utf8')
    const manifest = webManifest.parse(parseAnyJsonText(text))
    const files = new Map<string, WebFile>()
    for (const { path, type, sha256, codings } of manifest.files) {
      const plain = await readFile(join(folder, path))
      if (hash('sha256', plain) !== sha256) throw new Error(`${path} is not what was built`)
      const coded = new Map<WebCoding, Uint8Array>()
      for (const coding of codings) {
        coded.set(coding, await readFile(join(folder, `${path}.${coding}`)))
      }
      files.set(path, { type, etag: sha256, plain, coded })
    }
    if (!files.has('/index.html')) throw new Error('there is no index.html')
    return { isPage: createPageMatcher(manifest.pages), files }
  } catch (cause) {
    throw new WebFilesError(
      `the pages in ${folder} cannot be served: ${cause instanceof Error ? cause.message : 'they cannot be read'}. Build them again with “node packages/web/build/main.ts”, or start without --web-folder.`,
      { cause },
    )
  }
}

/**
 * What a page may do (RFD 26): load scripts, styles and pictures from this server, speak to this
 * server, and use passkeys and the clipboard. No text becomes script or markup (Trusted Types
 * without any policy), no form is sent by the browser itself, and no other page shows it in a
 * frame.
 */
const pageHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'x-frame-options': 'DENY',
  'permissions-policy':
    'publickey-credentials-create=(self), publickey-credentials-get=(self), clipboard-write=(self), camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=(), serial=(), hid=(), midi=()',
  'cache-control': 'no-cache',
} as const

const immutable = 'public, max-age=31536000, immutable'
const methods = ['GET', 'HEAD'] as const
const pathLengthMax = 512

export function createWebHandlers({ isPage, files }: WebFiles): readonly RawHandler[] {
  const index = files.get('/index.html')!
  return [
    {
      prefix: '/',
      matches: isPage,
      methods,
      answer: async (req, res) => sendFile(req, res, index, pageHeaders),
    },
    {
      prefix: '/assets/',
      methods,
      async answer(req, res, path) {
        const file = files.get(path)
        if (file === undefined) throw new HttpError('route_not_found', 'there is no such asset')
        // Only a name with a digest in it always means the same bytes.
        const hasDigest = /-[A-Za-z0-9]{8}\.\w+$/.test(path)
        sendFile(req, res, file, { 'cache-control': hasDigest ? immutable : 'no-cache' })
      },
    },
  ]
}

/** A part of an address that begins with `$` stands for a name, a version or an identifier. */
function createPageMatcher(pages: readonly string[]): (path: string) => boolean {
  const exact = new Set(pages)
  const patterns = pages
    .filter((page) => page.includes('$'))
    .map(
      (page) => new RegExp(`^${page.replaceAll(/\$[a-zA-Z]+/g, '[A-Za-z0-9][\\w.%+-]{0,255}')}$`),
    )
  return (path) =>
    path.length <= pathLengthMax &&
    (exact.has(path) || patterns.some((pattern) => pattern.test(path)))
}

function sendFile(
  req: IncomingMessage,
  res: ServerResponse,
  { type, etag: digest, plain, coded }: WebFile,
  headers: Readonly<Record<string, string>>,
): void {
  const coding = chooseCoding(req.headers['accept-encoding'] ?? '', [...coded.keys()])
  // Each coding is a representation of its own (RFC 9110, 8.8.3.3).
  const etag = `"${digest}${coding === undefined ? '' : `-${coding}`}"`
  const all = { ...headers, etag, vary: 'accept-encoding' }
  const asked = (req.headers['if-none-match'] ?? '').split(',').map((tag) => tag.trim())
  if (asked.some((tag) => tag.replace(/^W\//, '') === etag)) {
    res.writeHead(304, all)
    res.end()
    return
  }
  const body = coding === undefined ? plain : coded.get(coding)!
  const codingHeader = coding === undefined ? {} : { 'content-encoding': coding }
  sendBytes(res, 200, { ...all, ...codingHeader, 'content-type': type }, body)
}
