/**
 * A line of the log file that a caller can cause is written by the limited log: a warning for each
 * request fills the disk, and hides what people look for.
 */
import type { Rule } from './rule.ts'
import { findPattern } from './rule.ts'

/** What only time, a start, or a task causes, and what happens once until a person acts. */
const causedByNobody = [
  'app/acme/renewal.ts',
  'app/devices/identity-sharing.ts',
  'app/restarts/reboot-locks.ts',
  'app/rollouts/rollout-members.ts',
  'app/traces/export.ts',
  'app/trust/first-start.ts',
  'app/trust/lifetime-alarms.ts',
  'app/trust/publication.ts',
  'app/worker/caller-log.ts',
  'app/worker/database-clock.ts',
  'app/worker/reloads.ts',
  // Its port is given the limited log.
  'http/registry/index.ts',
].map((path) => `packages/server/src/${path}`)

const at = (source: string): readonly [string, string] => ['packages/server/src/http/a.ts', source]

export const logRule: Rule = {
  name: 'what a caller can cause is logged within an allowance',
  appliesTo: (file) =>
    /^packages\/server\/src\/(?:app|http)\//.test(file.path) &&
    !file.isTest &&
    !causedByNobody.includes(file.path),
  check: (file) =>
    findPattern(
      file,
      /\blog\s*(?:\.\s*(?:info|warn|error)\s*\(|\[)/g,
      (match) => `${match}: take app.callerLog, which each caller has an allowance of`,
    ),
  caught: [
    at("app.log.warn('request.refused', { actor })"),
    at("log.error('a', { error })"),
    at("ports.log\n  .info('a')"),
    at("log[level]('a')"),
    ['packages/server/src/app/access/a.ts', "app.log.warn('a')"],
  ],
  passes: [
    at("app.callerLog.warn(actor, 'request.refused')"),
    at("log.debug('a')"),
    at('// log.warn(a)'),
    ['packages/server/src/tasks/a.ts', "app.log.warn('a')"],
    ['packages/server/src/app/trust/first-start.ts', "log.info('a')"],
    ['packages/server/src/http/a.test.ts', "log.warn('a')"],
  ],
}
