/** Keeps the online roles fresh, and tells people in time when an offline one runs out. */
import { minuteMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { renewOnlineRoles } from '../app/publication.ts'
import { loadTrustState } from '../app/trust-plane.ts'
import { viewRoles } from '../app/trust-status.ts'
import { appendAudit } from '../db/audit.ts'
import { insertLifetimeAlarm, lockPublication } from '../db/metadata.ts'
import type { Task } from './leader.ts'

const levels = { none: 0, notice: 50, warning: 80, critical: 95, expired: 100 } as const

/** Timestamp hourly, snapshot before half of its lifetime has passed. Does nothing while the stored metadata does not verify. */
export function createMetadataRenewal(app: App): Task {
  return {
    name: 'metadata-renewal',
    everyMs: minuteMs,
    async run() {
      if ((await app.trust.freshState()) === undefined) return
      const now = app.clock.now()
      const renewed = await app.db.write(async (tx) => {
        await lockPublication(tx)
        const state = await loadTrustState(tx, app.masterKey)
        return state === undefined ? [] : renewOnlineRoles(tx, app, state, now)
      })
      if (renewed.length === 0) return
      app.log.info('metadata.renewed', { roles: renewed })
      await app.trust.reload()
    },
  }
}

/** Each level of each version once: in the log file, in the audit log, and in `/v1/trust/status` for as long as it lasts. */
export function createLifetimeAlarms(app: App): Task {
  return {
    name: 'lifetime-alarms',
    everyMs: 10 * minuteMs,
    async run() {
      const state = await app.trust.freshState()
      if (state === undefined) return
      const now = app.clock.now()
      for (const { role, version, alarm, expiresAt, usedPercent } of viewRoles(state, now)) {
        const level = levels[alarm]
        if (level === 0) continue
        const isNew = await app.db.write(async (tx) => {
          if (!(await insertLifetimeAlarm(tx, { role, version, level, at: now }))) return false
          await appendAudit(tx, {
            at: now,
            actor: 'server',
            action: 'trust.lifetime-alarm',
            subject: `${role}/${version}`,
            outcome: 'alarm',
            detail: { level, alarm, expiresAt },
          })
          return true
        })
        if (!isNew) continue
        const fields = { role, version, alarm, expiresAt, usedPercent }
        if (level >= 95) app.log.error('trust.lifetime-alarm', fields)
        else app.log.warn('trust.lifetime-alarm', fields)
      }
    },
  }
}
