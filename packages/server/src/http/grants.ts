import { listGrants } from '@seaworthy/api/grants'
import * as access from '../app/access/index.ts'
import { read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const grantEndpoints: readonly Endpoint[] = [
  read(listGrants, 'token:read', (app, { actor, query, now }) =>
    access.listGrants(app.db.reader, actor, query, now),
  ),
]
