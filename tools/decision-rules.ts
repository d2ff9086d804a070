/** What `fleet` decides is decided nowhere else. */
import type { Rule } from './rule.ts'
import { banCalls } from './rule.ts'
import { lineAt } from './source-scan.ts'
import type { SourceFile } from './source-tree.ts'

/** Who decides what should run where; `trust` and `agent` judge for themselves, on purpose. */
const decidesByFleet = (file: SourceFile) =>
  /^packages\/(?:fleet|server|cli|web)\/src\//.test(file.path) &&
  file.path !== 'packages/fleet/src/releases/order.ts' &&
  !file.isTest

/** Lists of states and pairs of comparisons that say which ends of an update are failures. */
const endsOfAnUpdate = [
  /\[[^[\]]*'rolled_back'[^[\]]*\]/g,
  /\b\w*[sS]tate [!=]== '(?:rolled_back|failed)'\s*(?:\|\||&&)\s*[\w.]*[sS]tate [!=]== '(?:rolled_back|failed)'/g,
]

export const decisionRules: Rule[] = [
  banCalls(
    'which release is newer is judged in fleet/src/releases/order.ts',
    [
      {
        pattern: /\bcounter\s*(?:<=?|>=?|-)\s*[\w(]|(?<!=)(?:<=?|>=?|-)\s*[\w.?!]+\.counter\b/g,
        instead: 'use isNewer, newestFirst, standingOf, … of @seaworthy/fleet/releases',
      },
    ],
    {
      caught: [
        ['packages/server/src/app/a.ts', 'const is = release.counter > baseline.counter'],
        ['packages/fleet/src/rollouts/a.ts', 'const is = counter <= reached'],
        ['packages/fleet/src/rollouts/a.ts', 'const is = floor <= rollout.counter'],
        ['packages/cli/src/a.ts', 'all.toSorted((a, b) => b.counter - a.counter)'],
      ],
      passes: [
        ['packages/fleet/src/releases/order.ts', 'return release.counter > than.counter'],
        ['packages/trust/src/tuf/a.ts', 'const is = release.counter < device.floor'],
        ['packages/server/src/app/a.ts', 'const f = (a) => a.counter'],
        ['packages/server/src/app/a.ts', 'const is = a.counter === b.counter'],
      ],
    },
    decidesByFleet,
  ),
  {
    name: 'the ends of an update are listed in fleet/src/rollouts',
    appliesTo: (file) =>
      /^packages\/(?:fleet|server|cli|web)\/src\//.test(file.path) &&
      !/^packages\/fleet\/src\/rollouts\/(?:rollout|update-(?:ends|states))\.ts$/.test(file.path) &&
      !file.isTest,
    check: (file) =>
      endsOfAnUpdate.flatMap((pattern) =>
        [...file.source.matchAll(pattern)].map(({ index }) => ({
          line: lineAt(file.source, index),
          text: 'use isEnd, isToldFailure, counterOf or updateStates of @seaworthy/fleet/rollouts',
        })),
      ),
    caught: [
      [
        'packages/server/src/app/a.ts',
        "if (['committed', 'rolled_back', 'failed'].includes(state)) f()",
      ],
      ['packages/cli/src/a.ts', "const is = a.state === 'failed' || a.state === 'rolled_back'"],
    ],
    passes: [
      [
        'packages/fleet/src/rollouts/update-ends.ts',
        "const ends = ['committed', 'rolled_back'] as const",
      ],
      ['packages/server/src/app/a.ts', "if (state === 'rolled_back') f(codes[0])"],
      ['packages/server/src/app/a.test.ts', "const states = ['rolled_back', 'failed']"],
    ],
  },
]
