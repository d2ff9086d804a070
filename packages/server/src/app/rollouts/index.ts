/**
 * Which device is offered which release, and when (RFD 12, 20). Promises: an answer is sent only
 * after what follows from it was written, under the locks of the fleet's rollouts; counters are
 * right after `kill -9` at any moment; a release that was changed in the database to one that
 * nobody signed is offered to nobody. The rules themselves are pure and in `fleet/rollouts`.
 */
export { createHearingNotes } from './hearing.ts'
export { describeEdit, editEffect, editRollout } from './edits.ts'
export type { CountingTimes } from './rollout-members.ts'
export { countDueMembers } from './rollout-members.ts'
export { moveRollouts } from './rollout-progress.ts'
export { createReleaseTable, createRolloutTable } from './rollout-table.ts'
export { describeProgress, viewRollout } from './rollout-views.ts'
export {
  abortRollout,
  approveWave,
  checkRollout,
  createRollout,
  findRollout,
  listRollouts,
  pauseRollout,
  resumeEffect,
  resumeRollout,
  rolloutEffect,
  waveEffect,
} from './rollouts.ts'
export type { WantedRollout } from './rollouts.ts'
export { takeSamples, thinOldSamples } from './history.ts'
export { createSettlements, decideFor } from './settlements.ts'
export { parseUpdates, writeWorked } from './update-changes.ts'
export {
  listDeviceUpdates,
  listRolloutUpdates,
  showFleetVersions,
  showRolloutHistory,
} from './updates.ts'
