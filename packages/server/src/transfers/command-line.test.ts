import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '../config/settings.ts'
import { readTransferLine } from './command-line.ts'

const read = (argv: readonly string[], variables: Readonly<Record<string, string>> = {}) =>
  readTransferLine({ argv, variables, readFile: () => Buffer.from('{"blobs": "F"}') })

test('O4 an export and an import take the places of `up`, and the variables that mean the same', () => {
  const sha256 = 'a'.repeat(64)
  const args = ['import', 'DIR', '--sha256', sha256, '--master-key-file', 'K', '--json']
  const line = read(args, { SEAWORTHY_DATA_DIR: 'D', DATABASE_URL: 'U' })
  assert.deepEqual(
    [line.verb, line.folder, line.json, line.sha256],
    ['import', 'DIR', true, sha256],
  )
  assert.deepEqual(
    [line.env.dataDir, line.env.databaseUrl, line.env.masterKeyFile],
    ['D', 'U', 'K'],
  )
  assert.equal(read(['export', 'DIR', '--blobs', 'B']).env.blobs, 'B')
  assert.equal(read(['export', 'DIR', '--config', 'C']).env.blobs, 'F')
  for (const wrong of [
    [],
    ['export'],
    ['move', 'DIR'],
    ['export', 'DIR', '--sha256', sha256],
    ['export', 'DIR', '--listen', '127.0.0.1:1'],
    ['import', 'DIR', '--sha256', 'abc'],
    ['import', 'DIR', 'OTHER'],
  ]) {
    assert.throws(() => read(wrong), UsageError, wrong.join(' '))
  }
})
