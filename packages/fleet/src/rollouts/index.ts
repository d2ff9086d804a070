/**
 * Rollouts: which device of a fleet gets a release, when, and why not yet. Pure rules over values,
 * which read no clock, no row and no signature. The caller hands in verified releases and, for
 * whatever is written, rows under lock.
 */
export { waveOf } from './waves.ts'
export { nextBaseline } from './baseline.ts'
export { decideUpdate, findRelease, rankRollouts } from './decision.ts'
export type { Answer } from './decision.ts'
export { checkNewer, checkRelease } from './release-checks.ts'
export { hear, isCountCurrent, silenceOf } from './hearing.ts'
export type { Hearing, Silence } from './hearing.ts'
export { createMemberCounter } from './members.ts'
export type { MemberCounter, MemberCounts, MemberFacts } from './members.ts'
export { describeNext } from './outlook.ts'
export type { Values } from './outlook.ts'
export { formatWhen } from './words.ts'
export { placeOf } from './place.ts'
export { applyStep, isCountMissing, planRollout, successOf } from './planner.ts'
export type { Step } from './planner.ts'
export { checkPolicy, policyDefaults, reachesAll } from './policy.ts'
export { changePolicy, isOnlyStricter } from './policy-change.ts'
export type { WantedPolicy } from './policy-change.ts'
export { describePolicyChange } from './policy-change-words.ts'
export { describeMembers, describePolicy, describeWindows } from './policy-words.ts'
export { checkRebootPolicy, mayRestart } from './reboot.ts'
export type { RestartReason } from './reboot.ts'
export type { RolloutRefusal } from './refusals.ts'
export { isOver, isDone, updateStates, weekdays } from './rollout.ts'
export type {
  CheckInFacts,
  Gate,
  HeldBack,
  RolloutChange,
  Rate,
  Rollout,
  RolloutPolicy,
  RolloutState,
  Update,
  UpdateState,
  Wave,
  WaveMembers,
  WaveProgress,
  Weekday,
  Windows,
  WindowSpan,
} from './rollout.ts'
export { endUpdates, settleRollouts } from './settle.ts'
export type { Settled, UpdateChange } from './settle.ts'
export type { FleetRollout } from './situation.ts'
export { abort, approveWave, createRollout, pause, resume } from './transitions.ts'
export { failedStates, isEnd, isToldFailure } from './update-ends.ts'
export { isUnderWay, isWaitingForRestart, isWork, readActivity } from './update-states.ts'
export type { SupersedeCode } from './updates.ts'
export { contradictionOf, membersOf, needsPerson } from './wave-counts.ts'
export { explain, explainRollout } from './why.ts'
export type { Heard, Why } from './why.ts'
export { windowAt } from './windows.ts'
export { createZones } from './zones.ts'
export type { Zones } from './zones.ts'
