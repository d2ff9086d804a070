/**
 * Releases: made, looked at, compared, checked and taken out, and what channels list of them.
 * Signing is in `../../trust`.
 */
export { addPublishCommands } from './publish.ts'
export { addReleaseCommands } from './release.ts'
