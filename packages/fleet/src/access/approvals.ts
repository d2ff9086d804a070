/** What needs another person's approval, and who may give it. */
import { Refusal } from '@seaworthy/std/refusal'
import type { Permission } from './permission-names.ts'
import { permissionsOf } from './roles.ts'
import type { AccessRefusal, Grant } from './scopes.ts'
import { reachesEverything, reachesFleet } from './scopes.ts'

export interface ApprovalRules {
  /** What may bring another release to more devices than this; `null`: never. */
  readonly releaseDevicesAbove: number | null
  readonly deviceRemoval: boolean
  /** Whether a stored credential is handed out only after another person has agreed. */
  readonly credentialLease: boolean
}

export const noApprovalRules: ApprovalRules = {
  releaseDevicesAbove: null,
  deviceRemoval: false,
  credentialLease: false,
}

export type GuardedKind = 'release' | 'device-removal' | 'credential-lease' | 'approval-rules'

/** What is asked of the rules about one call. */
export interface Guarded {
  readonly kind: GuardedKind
  /** How many devices it may reach at most. */
  readonly devicesMax: number | null
}

/** Whether there are rules: then a change of them needs an approval, too. */
export function hasApprovalRules({
  releaseDevicesAbove,
  deviceRemoval,
  credentialLease,
}: ApprovalRules): boolean {
  return releaseDevicesAbove !== null || deviceRemoval || credentialLease
}

/**
 * `releasedBefore` is the number of devices that the same person has brought another release
 * without an approval lately: few at a time are not few.
 */
export function needsApproval(
  rules: ApprovalRules,
  { kind, devicesMax }: Guarded,
  releasedBefore: number,
): boolean {
  switch (kind) {
    case 'release': {
      const { releaseDevicesAbove: above } = rules
      if (above === null || devicesMax === 0) return false
      return devicesMax === null || devicesMax + releasedBefore > above
    }
    case 'device-removal':
      return rules.deviceRemoval
    case 'credential-lease':
      return rules.credentialLease
    case 'approval-rules':
      return hasApprovalRules(rules)
  }
}

/** The right to do oneself what is asked for. */
export interface NeededRight {
  readonly permission: Permission
  /** `null` for what concerns the whole installation. */
  readonly fleet: NeededFleet | null
}

interface NeededFleet {
  readonly name: string
  readonly product: string
  /** The fleet of the same product that a device would leave, which must be reached, too. */
  readonly from?: string | undefined
}

/**
 * Whether the grant has the permission, and reaches the fleet or, where none is named, everything.
 */
export function hasRight(grant: Grant, { permission, fleet }: NeededRight): boolean {
  if (!permissionsOf(grant).includes(permission)) return false
  if (fleet === null) return reachesEverything(grant)
  const names = fleet.from === undefined ? [fleet.name] : [fleet.name, fleet.from]
  return names.every((name) => reachesFleet(grant, { name, product: fleet.product }))
}

export type ApprovalState =
  | 'pending'
  | 'approved'
  | 'rejected'
  | 'withdrawn'
  | 'void'
  | 'expired'
  | 'done'

export type ApprovalRefusal =
  | 'approval_required'
  | 'approval_void'
  | 'approval_not_found'
  | 'approval_own'
  | 'approval_not_own'
  | 'approval_closed'
  | 'approval_needs_person'
  | 'approvals_too_many'
  | 'approvers_too_few'

/** A request as it stands, in what decides about it. */
export interface StandingRequest {
  readonly state: ApprovalState
  readonly expiresAt: Date
  /** The person who asks, at however many removes. */
  readonly principal: string
  readonly needs: NeededRight
}

/** The state of a request now: one that is open when its time is over has expired. */
export function stateOf(
  { state, expiresAt }: Pick<StandingRequest, 'state' | 'expiresAt'>,
  now: Date,
): ApprovalState {
  const isOpen = state === 'pending' || state === 'approved'
  return isOpen && expiresAt.getTime() <= now.getTime() ? 'expired' : state
}

/** Who decides, and whom what they do counts as. */
export interface Decider {
  readonly principal: string | undefined
  readonly grant: Grant
}

/** Whether somebody else asks, for what the decider may do themselves. */
export function mayDecide(request: Omit<StandingRequest, 'state' | 'expiresAt'>, decider: Decider) {
  return (
    decider.principal !== undefined &&
    decider.principal !== request.principal &&
    hasRight(decider.grant, request.needs)
  )
}

/** Guards an approval. Throws `approval_own`, `permission_denied`. */
export function requireApprover(
  request: Omit<StandingRequest, 'state' | 'expiresAt'>,
  decider: Decider,
): void {
  if (decider.principal === undefined) throw isOwn()
  requireRejecter(request, decider)
}

/**
 * Guards a rejection, which a credential that goes back to no person may say, too. Throws
 * `approval_own`, `permission_denied`.
 */
export function requireRejecter(
  request: Omit<StandingRequest, 'state' | 'expiresAt'>,
  decider: Decider,
): void {
  if (decider.principal === request.principal) throw isOwn()
  if (hasRight(decider.grant, request.needs)) return
  throw new Refusal<AccessRefusal>(
    'permission_denied',
    `whoever decides about this needs the right to do it themselves: ${request.needs.permission}${request.needs.fleet === null ? ', for the whole installation' : ` in ${request.needs.fleet.name}`}`,
  )
}

function isOwn(): Refusal<ApprovalRefusal> {
  return new Refusal<ApprovalRefusal>(
    'approval_own',
    'whoever asks does not decide: nor does a credential that they handed out, or an account that they let in since the rules were set; another person must, and whoever asked may withdraw it',
  )
}

/** What would happen by a call, as far as it tells one outcome from another. */
export interface ShownOutcome {
  readonly effectSha256: string
  readonly devicesMax: number | null
}

/**
 * Whether what would happen is what was shown: the same, and to no more devices. Devices come and
 * go; fewer are within what was approved.
 */
export function isAsShown(shown: ShownOutcome, now: ShownOutcome): boolean {
  if (shown.effectSha256 !== now.effectSha256) return false
  if (shown.devicesMax === null || now.devicesMax === null) {
    return shown.devicesMax === now.devicesMax
  }
  return now.devicesMax <= shown.devicesMax
}
