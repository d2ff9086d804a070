/** `/log/`: the audit log as C2SP tlog-tiles. Who did what is for those who may read it; hashes and checkpoint are for all. */
import { utf8Encode } from '@seaworthy/std/bytes'
import { requirePermission } from '../app/actors.ts'
import type { App } from '../app/app.ts'
import { readCheckpoint, readLogTile } from '../app/audit-log.ts'
import type { AttemptLimiter } from './authenticate.ts'
import { authenticate } from './authenticate.ts'
import type { RawHandler } from './dispatch.ts'
import { HttpError } from './problems.ts'
import { sendBytes } from './request.ts'
import { sendCached } from './tuf.ts'

export function createLogHandler(app: App, limiter: AttemptLimiter): RawHandler {
  return {
    prefix: '/log/',
    methods: ['GET', 'HEAD'],
    async answer(req, res, path) {
      if (path === '/log/checkpoint') {
        const { checkpoint } = await readCheckpoint(app.db.reader)
        const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' }
        return sendBytes(res, 200, headers, utf8Encode(checkpoint))
      }
      const tilePath = path.slice('/log/'.length)
      const isEntries = tilePath.startsWith('tile/entries/')
      if (isEntries) {
        const actor = await authenticate(app, req, 'actor', limiter, app.clock.now())
        requirePermission(actor, 'log:read')
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
