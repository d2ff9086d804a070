import { showOnlineKeys, showTrustStatus } from '@seaworthy/api/trust'
import { viewTrustStatus } from '../app/trust-status.ts'
import { read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const trustEndpoints: readonly Endpoint[] = [
  read(showOnlineKeys, 'trust:read', async ({ secrets }) => ({
    snapshot: [secrets.snapshotSigner.key],
    timestamp: [secrets.timestampSigner.key],
  })),
  read(showTrustStatus, 'trust:read', async (app, { now }) =>
    viewTrustStatus(await app.trust.freshState(), now),
  ),
]
