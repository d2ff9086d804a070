/**
 * `/advisories/`, `/.well-known/csaf/` and `/.well-known/security.txt`: what the public is told of
 * flaws. It is the same for everybody, needs no script, and may be kept by caches and copied to
 * another host.
 */
import { utf8Encode } from '@seaworthy/std/bytes'
import type { App } from '../app/app.ts'
import { createPublicSite } from '../app/advisories/index.ts'
import { poolOf } from './address-pools.ts'
import type { RawHandler } from './endpoint.ts'
import { HttpError } from './problems.ts'
import { publicPageHeaders } from './public-pages.ts'
import { requireBudget } from './request-budgets.ts'
import { sendCached } from './tuf.ts'

export function createAdvisorySiteHandlers(
  app: App,
  hasReportForm: boolean,
): readonly RawHandler[] {
  const site = createPublicSite(app, hasReportForm)
  const answer: RawHandler['answer'] = async (req, res, path) => {
    await requireBudget(app, 'advisory-pages', poolOf(req.socket.remoteAddress ?? ''))
    const file = await site.read(path)
    if (file === undefined) {
      throw new HttpError('route_not_found', 'nothing is published at this address')
    }
    for (const [name, value] of Object.entries(publicPageHeaders)) res.setHeader(name, value)
    res.setHeader('access-control-allow-origin', '*')
    sendCached(req, res, {
      ...{ bytes: utf8Encode(file.text), contentType: file.mediaType },
      cacheControl: 'public, max-age=60',
    })
  }
  return ['/advisories/', '/.well-known/csaf/', '/.well-known/security.txt'].map((prefix) => ({
    ...{ prefix, methods: ['GET', 'HEAD'] as const, answer },
  }))
}
