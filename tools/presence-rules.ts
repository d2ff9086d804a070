/**
 * Online, late and silent have one definition, in `fleet/devices/presence.ts`, and one form
 * in SQL. A query that compares the times itself soon says something else than the lists beside it.
 */
import type { Rule } from './rule.ts'
import { lineAt } from './source-scan.ts'

const bans = [
  {
    pattern: /\bseen_at\b[^\n]{0,40}?(?:[<>]=?|between)|[<>]=? *(?:\w\.)?seen_at\b/g,
    instead: 'isPresence, isHeardBefore or isHeardSince (server/src/db/presence.ts)',
  },
] as const

const at = (source: string): readonly [string, string] => ['packages/server/src/db/a.ts', source]

export const presenceRule: Rule = {
  name: 'online, late and silent have one definition',
  appliesTo: (file) =>
    file.path.startsWith('packages/server/src/') &&
    file.path !== 'packages/server/src/db/presence.ts' &&
    !file.isTest,
  check: (file) =>
    bans.flatMap(({ pattern, instead }) =>
      [...file.source.matchAll(pattern)].map((match) => ({
        line: lineAt(file.source, match.index),
        text: `${match[0].trim()}: ${instead}`,
      })),
    ),
  bans,
  caught: [
    at('count(*) filter (where s.seen_at >= ${since})'),
    at('where coalesce(s.seen_at, d.registered_at) < ${before}'),
    at('where ${since} <= s.seen_at'),
  ],
  passes: [
    at('select s.seen_at as "seenAt"'),
    at('update device_states set seen_at = ${at}'),
    ['packages/server/src/db/presence.ts', 'coalesce(s.seen_at, d.registered_at) < ${at}'],
  ],
}
