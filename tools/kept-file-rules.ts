/** The files that the command line keeps are read and changed in one way. */
import { posix } from 'node:path'
import { keptFiles } from '../packages/cli/src/state/kept-files.ts'
import type { Rule } from './rule.ts'

const names = Object.keys(keptFiles).map((path) => RegExp.escape(posix.basename(path)))
/** The path of such a file, made by hand: its last part is the name. */
const madeByHand = new RegExp(
  `\\bjoin\\([^()]*['"\`](?:${names.join('|')})['"\`]\\s*,?\\s*\\)|/(?:${names.join('|')})\``,
  'g',
)

const inCli = 'packages/cli/src/state/a.ts'

export const keptFileRule: Rule = {
  name: 'a file that the command line keeps is named by keptFile alone',
  appliesTo: ({ path, isTest }) =>
    path.startsWith('packages/cli/src/') &&
    !isTest &&
    !/^packages\/cli\/src\/(?:testing|commands\/demo)\//.test(path) &&
    path !== 'packages/cli/src/state/kept-files.ts',
  check: ({ source }) =>
    [...source.matchAll(madeByHand)].map((match) => ({
      line: source.slice(0, match.index).split('\n').length,
      text: `${match[0]}: keptFile(folder, NAME), then readKept and changeKept`,
    })),
  caught: [
    [inCli, "const path = join(folder, 'config.json')"],
    [inCli, "const path = join(\n  folder,\n  'trust',\n  'anchor.json',\n)"],
    [inCli, 'const path = `${folder}/token`'],
  ],
  passes: [
    [inCli, "const file = keptFile(folder, 'config.json')"],
    [inCli, "const note = await fetch('checkpoint', noteBytesMax)"],
    ['packages/cli/src/state/a.test.ts', "const path = join(folder, 'config.json')"],
  ],
}
