/** Tells people in time before a role of the metadata expires. */
import { appendAudit } from '../../db/audit-log.ts'
import { insertLifetimeAlarm } from '../../db/metadata.ts'
import type { App } from '../app.ts'
import { viewRoles } from './trust-status.ts'

const levels = { none: 0, notice: 50, warning: 80, critical: 95, expired: 100 } as const

/** Raises each level of alarm once for each version, in the log file and in the audit log. */
export async function raiseLifetimeAlarms(
  app: Pick<App, 'clock' | 'db' | 'log' | 'trust'>,
): Promise<void> {
  const state = await app.trust.freshState()
  if (state === undefined) return
  const now = app.clock.now()
  for (const { role, version, alarm, expiresAt, usedPercent } of viewRoles(state, now)) {
    const level = levels[alarm]
    if (level === 0) continue
    const isNew = await app.db.write(async (tx) => {
      const at = await tx.now()
      if (!(await insertLifetimeAlarm(tx, { role, version, level, at }))) return false
      await appendAudit(tx, {
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
}
