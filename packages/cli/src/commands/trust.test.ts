import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeStays } from '../trust/holders.ts'
import { neverMet } from './trust.ts'

test('T5 a key that leaves one role is told to speak on for the others that name it', () => {
  const holders = [
    { keyId: 'a'.repeat(64), roles: ['root', 'targets', 'gateway'] },
    { keyId: 'b'.repeat(64), roles: ['root', 'targets'] },
    { keyId: 'c'.repeat(64), roles: ['root'] },
  ]
  const removed = ['a'.repeat(64), 'c'.repeat(64)]
  assert.deepEqual(describeStays('root', removed, holders), [
    'The key aaaaaaaaaaaa leaves root, but still speaks for targets, gateway. To take it out there too:',
    '  seaworthy trust rotate targets --remove aaaaaaaaaaaa',
    '  seaworthy trust rotate gateway --remove aaaaaaaaaaaa',
  ])
  assert.deepEqual(describeStays('root', [], holders), [])
})

test('T5 a threshold that can never be met comes with the way out', () => {
  assert.match(neverMet('--threshold', 5, 1).message, /--threshold 5 with 1 key can/)
  assert.match(neverMet('--threshold', 5, 3).wayOut ?? '', /at most 3: --threshold 3/)
})
