/**
 * The rules of approval: set by an owner, and from then on by two. Whether a call needs an approval
 * by them is decided in `fleet/access/approvals.ts`.
 */
import type { ApprovalRefusal, ApprovalRules } from '@seaworthy/fleet/access'
import { hasApprovalRules, noApprovalRules } from '@seaworthy/fleet/access'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import * as db from '../../db/approvals.ts'
import type { ReadTx } from '../../db/connection.ts'
import type { RightsTx } from '../../db/rights.ts'
import { countOwners } from '../../db/people.ts'
import type { Actor } from '../access/index.ts'
import type { GuardedEffect } from './gate.ts'

interface PolicyView {
  readonly rules: ApprovalRules
  readonly since: string | null
  readonly setBy: string | null
}

export async function showPolicy(tx: ReadTx): Promise<PolicyView> {
  const row = await db.readApprovalPolicy(tx)
  if (row === undefined) return { rules: noApprovalRules, since: null, setBy: null }
  return { rules: rulesOf(row), since: formatInstant(row.setAt), setBy: row.setBy }
}

const rulesOf = (of: ApprovalRules): ApprovalRules => {
  const { releaseDevicesAbove, deviceRemoval, credentialLease } = of
  return { releaseDevicesAbove, deviceRemoval, credentialLease }
}

/**
 * Sets the rules. Everybody counts as a person of their own from then on, which is part of what
 * another owner agrees to. Throws `approvers_too_few`.
 */
export async function setPolicy(
  tx: RightsTx,
  actor: Actor,
  rules: ApprovalRules,
): Promise<PolicyView> {
  const now = await tx.now()
  for (const { id } of await db.listCountedAs(tx)) await db.setCountsAs(tx, id, null)
  if (!hasApprovalRules(rules)) {
    await db.deleteApprovalPolicy(tx)
    return showPolicy(tx)
  }
  if ((await countOwners(tx)) < 2) {
    throw new Refusal<ApprovalRefusal>(
      'approvers_too_few',
      'there is one owner, so that nobody else could approve: invite another owner first (`seaworthy person invite --role owner`, or the page of people)',
    )
  }
  await db.writeApprovalPolicy(tx, { ...rules, setAt: now, setBy: actor.id })
  return showPolicy(tx)
}

/** What a change of the rules would do. */
export async function policyEffect(
  tx: ReadTx,
  rules: ApprovalRules,
): Promise<GuardedEffect<'approval-rules'>> {
  const before = (await db.readApprovalPolicy(tx)) ?? noApprovalRules
  const joining = await db.listCountedAs(tx)
  return {
    kind: 'approval-rules',
    devicesMax: null,
    words: [
      'Would change what needs another person’s approval.',
      ...describeRules(before).map((line) => `Until now: ${line}`),
      ...describeRules(rules).map((line) => `From then on: ${line}`),
      ...joining.map(
        ({ id, name }) => `${name} (${id}) counts as a person of their own from then on.`,
      ),
    ],
    inputs: { before: { ...rulesOf(before) }, joining: joining.map(({ id }) => id) },
    needs: { permission: 'owner:write', fleet: null },
  }
}

function describeRules(rules: ApprovalRules): string[] {
  const { releaseDevicesAbove, deviceRemoval, credentialLease } = rules
  const lines = [
    ...(releaseDevicesAbove === null
      ? []
      : [
          `another release for more than ${releaseDevicesAbove} devices by one person within 24 hours`,
        ]),
    ...(deviceRemoval ? ['the removal of a device, or what else cuts it off'] : []),
    ...(credentialLease ? ['each lease of a stored credential'] : []),
    'a change of these rules',
  ]
  return lines.length === 1 ? ['nothing needs an approval.'] : lines.map((line) => `${line}.`)
}
