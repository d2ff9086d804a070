/** What ends with somebody's rights, and what of what they have handed out goes on working. */
import { z } from 'zod'
import { idField, nameField } from './fields.ts'

const listMax = 100
const idsOf = (kind: Parameters<typeof idField>[0]) => z.array(idField(kind)).max(listMax)
const inFleetsOf = (kind: Parameters<typeof idField>[0]) =>
  z.array(z.object({ id: idField(kind), fleet: nameField })).max(listMax)

const ends = z.object({
  tokens: idsOf('token'),
  invitations: idsOf('invitation'),
  provisioningKeys: idsOf('provisioning'),
  sessionsCount: z.number().int().min(0),
  passkeysCount: z.number().int().min(0),
})

const stays = z.object({
  tokens: idsOf('token'),
  invitations: idsOf('invitation'),
  provisioningKeys: idsOf('provisioning'),
  sessionsCount: z.number().int().min(0),
  /** Their requests for approval that are open. */
  approvals: idsOf('approval'),
  fleetLockKeys: inFleetsOf('fleetlock'),
  gatewayTokens: inFleetsOf('gateway'),
  /** Devices of other protocols whose token they made, unless it is from before that was stored. */
  foreignDevices: inFleetsOf('device'),
})

/** Lists have at most the first 100 of each. */
export const rightsOutcome = {
  isDryRun: z.boolean(),
  ends,
  stays,
}
export type RightsOutcome = z.output<z.ZodObject<typeof rightsOutcome>>

/** `dryRun=yes` has everything done and undone at once: the answer says what would end. */
export const dryRunQuery = z.strictObject({ dryRun: z.enum(['yes']).optional() })
