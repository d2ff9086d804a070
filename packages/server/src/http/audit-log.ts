/**
 * `/log/`: the audit log as C2SP tlog-tiles. Everybody may read hashes and the checkpoint. Only a
 * token that may read the audit log and has no scope gets the entries, which say who did what:
 * entries are verified by the bundle, so a log with entries left out would verify for nobody.
 */
import { utf8Encode } from '@seaworthy/std/bytes'
import {
  requirePermission,
  requireUnscoped,
  readCheckpoint,
  readLogTile,
} from '../app/access/index.ts'
import type { App } from '../app/app.ts'
import { createSingleflight } from '../app/worker/index.ts'
import type { AttemptLimiter } from './authenticate.ts'
import { authenticate } from './authenticate.ts'
import { HttpError } from './problems.ts'
import { sendCached } from './tuf.ts'
import type { RawHandler } from './endpoint.ts'

export function createLogHandler(app: App, limiter: AttemptLimiter): RawHandler {
  const readNewest = createSingleflight(() => readCheckpoint(app.db.reader))
  return {
    prefix: '/log/',
    methods: ['GET', 'HEAD'],
    async answer(req, res, path) {
      if (path === '/log/checkpoint') {
        const { checkpoint } = await readNewest()
        return sendCached(req, res, {
          bytes: utf8Encode(checkpoint),
          contentType: 'text/plain; charset=utf-8',
          cacheControl: 'no-cache',
        })
      }
      const tilePath = path.slice('/log/'.length)
      const isEntries = tilePath.startsWith('tile/entries/')
      if (isEntries) {
        const actor = await authenticate(app, req, 'actor', limiter, app.clock.now())
        requirePermission(actor, 'log:read')
        requireUnscoped(actor, 'the audit log is of')
      }
      const bytes = await readLogTile(app.db.reader, tilePath)
      if (bytes === undefined) throw new HttpError('route_not_found', 'the log has no such tile')
      sendCached(req, res, {
        bytes,
        contentType: 'application/octet-stream',
        cacheControl: `${isEntries ? 'private' : 'public'}, max-age=31536000, immutable`,
      })
    },
  }
}
