/** Names of files, and how long they are. */
import { posix } from 'node:path'
import type { Rule } from './rule.ts'
import { at, findPattern } from './rule.ts'

const linesMax = 500
const longest = 'a\n'.repeat(linesMax)

/** Words for which the glossary has another one, and that name nothing else here. */
const otherWords: Readonly<Record<string, string>> = {
  updater: 'installer',
  downloader: 'fetcher',
  configuration: 'settings, or config for the program itself',
  campaign: 'rollout',
  cohort: 'wave',
  hotfix: 'emergency',
  recipient: 'reader',
  semaphore: 'reboot lock',
}

export const fileRules: Rule[] = [
  {
    name: 'names say what a thing is',
    appliesTo: (file) =>
      file.path.startsWith('packages/') || /^(?:sim|bench|tools)\//.test(file.path),
    check: (file) => {
      const stem = posix.basename(file.path).split('.')[0]!
      const words = stem.split('-')
      const bad =
        words.find((w) => /^(?:utils?|helpers?|managers?|common|misc|shared|stuff)$/.test(w)) ??
        [stem].find((s) => /^(?:data|info|handle|types|constants|main-\d)$/.test(s))
      const findings = bad ? [{ line: 1, text: `"${bad}" in a file name says nothing` }] : []
      if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(stem)) {
        findings.push({ line: 1, text: `${stem}: file names are kebab-case` })
      }
      return [
        ...findings,
        ...findPattern(
          file,
          /\b(?:function|class|interface|type)\s+\w*(?:Manager|Helper|Util|Utils|Misc)\b/g,
          (match) => `${match}: name it after what it does`,
        ),
        ...findPattern(file, /\bfunction\s+handle\s*[(<]/g, () => 'handle what? verb and noun'),
      ]
    },
    caught: [
      ['packages/oci/src/utils.ts', ''],
      ['packages/oci/src/tar-helpers.ts', ''],
      ['packages/oci/src/types.ts', ''],
      ['packages/oci/src/blobStore.ts', ''],
      at('class BlobManager {}'),
      at('function handle() {}'),
    ],
    passes: [['packages/oci/src/blob-store.ts', 'function handleUpload() {}']],
  },
  {
    name: 'files and folders are named by the words of the glossary',
    appliesTo: (file) =>
      file.path.startsWith('packages/') || /^(?:sim|bench|tools)\//.test(file.path),
    check: (file) =>
      file.path
        .split(/[/.-]/)
        .filter((word) => Object.hasOwn(otherWords, word))
        .map((word) => ({ line: 1, text: `"${word}" is here: ${otherWords[word]}` })),
    caught: [
      ['packages/agent/src/installer/updater.ts', ''],
      ['packages/server/src/app/configuration/index.ts', '/** Settings. */'],
    ],
    passes: [['packages/agent/src/installer/start-update.ts', '']],
  },
  {
    name: 'an index opens with what its folder is for',
    appliesTo: (file) => /^packages\/.*\/index\.ts$/.test(file.path),
    check: (file) =>
      /^\/\*\*[\s\S]*?\*\//.test(file.source)
        ? []
        : [{ line: 1, text: 'the first thing is a /** comment */' }],
    caught: [['packages/oci/src/tar/index.ts', "export { a } from './a.ts'"]],
    passes: [['packages/oci/src/tar/index.ts', '/** Reads tar. */\nexport const a = 1']],
  },
  {
    name: `files have at most ${linesMax} lines`,
    appliesTo: (file) =>
      !file.isTest || /^tools\/[\w-]+\.ts$|\.(?:suite|fixture)\.ts$/.test(file.path),
    check: (file) => {
      const lines = file.source.split('\n').length - 1
      return lines > linesMax ? [{ line: lines, text: 'split it by noun into a folder' }] : []
    },
    caught: [
      at(longest + 'a\n'),
      ['tools/a.ts', longest + 'a\n'],
      ['packages/oci/src/store/a.suite.ts', longest + 'a\n'],
    ],
    passes: [at(longest), ['tools/a.test.ts', longest + 'a\n']],
  },
]
