import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runCommand } from './testing/ports.ts'

const folder = mkdtempSync(join(tmpdir(), 'seaworthy-mistakes-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const notes = join(folder, 'notes.json')
writeFileSync(notes, '{"format":"notes"}')

/** Mistakes of a newcomer, and what they read: the thing, the cause, the way out. */
const mistakes: readonly (readonly [args: string[], exitCode: number, said: RegExp])[] = [
  [
    ['product', 'create', 'Gateway', '--kind', 'bundle'],
    2,
    /"Gateway" cannot be the name of a product\nTake a-z, 0-9 and -/,
  ],
  [
    ['channel', 'create', 'gateway', 'snapshot', '--key', 'k', '--threshold', '1'],
    2,
    /"snapshot" cannot be the name of a channel\nTake .*have a meaning already/,
  ],
  [
    ['publish', '1.0.0', 'gateway', '--channel', 'stable'],
    2,
    /"1\.0\.0" cannot be the name of a product\nThe product comes before the version: gateway 1\.0\.0\./,
  ],
  [
    ['withdraw', 'gateway', 'v1/0', '--channel', 'stable'],
    2,
    /"v1\/0" cannot be a version\nTake letters/,
  ],
  [
    ['release', 'create', 'gateway', '1.0', '--platform', 'linux/aarch64', '--from', '.'],
    2,
    /'linux\/aarch64' is invalid\. Releases call it linux\/arm64\./,
  ],
  [
    ['release', 'create', 'gateway', '1.0', '--platform', 'linux/x86', '--from', '.'],
    2,
    /'linux\/x86' is invalid\. Releases call it linux\/amd64 or linux\/386\./,
  ],
  [
    ['release', 'create', 'gateway', '1.0', '--platform', 'linux/amd46', '--from', '.'],
    2,
    /'linux\/amd46' is invalid\. No device has it: linux\/ with 386, amd64/,
  ],
  [
    ['device', 'create', '--fleet', 'f', '--name', 'n', '--platform', 'darwin/arm64'],
    2,
    /'darwin\/arm64' is invalid\. Devices run Linux/,
  ],
  [
    ['release', 'create', 'gateway', '1.0', '--platform', 'amd64', '--from', '.'],
    2,
    /'amd64' is invalid\. Not of the form OS\/ARCHITECTURE/,
  ],
  [
    ['proposal', 'show', 'propsal.json'],
    5,
    /propsal\.json is neither the id of a proposal nor a file\nSee `seaworthy proposal list`/,
  ],
  [['proposal', 'show', notes], 3, /notes\.json: not a proposal: an unknown format/],
  [['proposal', 'import', notes], 3, /notes\.json: not a proposal: not a file of signatures/],
  [
    ['release', 'verify', folder],
    2,
    /is not an exported release\nName the folder that `seaworthy release export/,
  ],
  [
    ['release', 'verify', './nowhere'],
    5,
    /\.\/nowhere: no such folder\nName the folder that `seaworthy release export/,
  ],
  [
    ['key', 'show', './nowhere.key'],
    5,
    /nowhere\.key: no such file or folder .*\nCheck the path: it begins at the folder/,
  ],
  [
    ['secret', 'set', 'token-x', '--fleet', 'f', '--file', notes],
    2,
    /"token-x" cannot be the name of a secret\nTake A-Z, 0-9 and _/,
  ],
  [
    ['variable', 'set', 'token-x', 'value', '--fleet', 'f'],
    2,
    /"token-x" cannot be the name of a variable\nTake A-Z/,
  ],
  [
    ['up', '--listen', 'foo'],
    2,
    /--listen: "foo" is not of the form HOST:PORT\nFor example 0\.0\.0\.0:443/,
  ],
  [
    ['login', '127.0.0.1:8443'],
    2,
    /"127\.0\.0\.1:8443" is not a URL\nGive it as https:\/\/HOST:PORT/,
  ],
  [['login', 'http://127.0.0.1'], 2, /is not the URL of a server\nGive it as https/],
  [
    ['trust', 'rotate', 'web.stable', '--restart-counter', '5'],
    2,
    /--restart-counter and --restart-floor go together\nGive both/,
  ],
  [['trust', 'rotate', 'timestamp'], 2, /nothing to change was given\nUse --new-online-key/],
  [
    ['channel', 'show', 'gateway'],
    2,
    /^seaworthy: channel: unknown command 'show'\nSee `seaworthy channel --help`/,
  ],
]

test('typical mistakes are answered with the thing, the cause and the way out', async () => {
  for (const [args, exitCode, said] of mistakes) {
    const outcome = await runCommand(['--config-dir', join(folder, 'config'), ...args])
    assert.equal(outcome.exitCode, exitCode, `${args.join(' ')}: ${outcome.err}`)
    assert.match(outcome.err, said)
    assert.doesNotMatch(outcome.err, /invariant broken/)
    assert.equal(outcome.err.trimEnd().split('\n').length, 2, outcome.err)
  }
})
