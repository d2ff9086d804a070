/**
 * Rollouts: moving a fleet to a release wave by wave, watching it, and the signed rollback. The
 * rules are `@seaworthy/fleet`'s.
 */
export { addRolloutCommands } from './rollout.ts'
export { describeWhy } from './why.ts'
