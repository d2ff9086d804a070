/** How pages for the public are sent: they run nothing, load nothing, and stand in no frame. */
import { hash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Markup } from '@seaworthy/response/pages'
import { pageStyle, renderPage } from '@seaworthy/response/pages'
import { utf8Encode } from '@seaworthy/std/bytes'
import { sendBytes } from './request.ts'

const styleSha256 = hash('sha256', pageStyle, 'base64')

export const publicPageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${styleSha256}'`,
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; '),
  'x-frame-options': 'DENY',
} as const

/** Sends a page about one report, which nobody keeps. */
export function sendPrivatePage(
  res: ServerResponse,
  status: number,
  page: { readonly title: string; readonly body: Markup },
  headers: Readonly<Record<string, string>> = {},
): void {
  const kept = { 'cache-control': 'no-store', 'x-robots-tag': 'noindex' }
  const all = { ...publicPageHeaders, ...kept, ...headers }
  sendBytes(res, status, all, utf8Encode(renderPage(page)))
}
