import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Refusal } from '@seaworthy/std/refusal'
import { TooOftenRefusal } from '../app/worker/index.ts'
import { problemOf } from './problem-replies.ts'

const source = readFileSync(new URL('./problems.ts', import.meta.url), 'utf8')

test('A9 walk: whatever is refused because it is too much says when to come back', () => {
  const codes = [...source.matchAll(/^ {2}([a-z_]+): no\((?:429|503),/gm)].map(([, code]) => code!)
  assert.ok(codes.length > 15 && codes.includes('approvals_too_many'), codes.join())
  for (const code of codes) {
    const { headers } = problemOf(new Refusal<string>(code, 'too much'))
    assert.match(headers['retry-after'] ?? '', /^[1-9]\d*$/, code)
  }
  const { headers } = problemOf(new TooOftenRefusal('tokens_too_often', 'too often', 7))
  assert.equal(headers['retry-after'], '7', 'a time of its own is said')
})
