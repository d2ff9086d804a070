import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MalformedReplyError } from '@seaworthy/api/client'
import { ProblemError } from '@seaworthy/api/problems'
import { TransportError } from '@seaworthy/std/http'
import fc from 'fast-check'
import { completeSentence, explain, NotConfirmedError } from './explanations.ts'
import { explainPasskeyFault } from './passkeys.ts'

const problem = (status: number, code: string, detail: string, more = {}) =>
  new ProblemError({ type: 'about:blank', title: 'No', status, code, detail, ...more }, 5)

test('a refusal becomes whole sentences, with what is wrong where and when to try again', () => {
  const issues = [{ path: 'body.name', message: 'at most 100 characters' }]
  const error = problem(400, 'invalid_request', 'the body is not of the agreed form', { issues })
  assert.deepEqual(explain(error), {
    kind: 'refused',
    title: 'No',
    sentence:
      'The body is not of the agreed form. Body.name: at most 100 characters. Try again in 5 seconds.',
    code: 'invalid_request',
  })
})

test('what is missing decides how a page shows a refusal', () => {
  const kinds = [
    [problem(401, 'unauthenticated', 'x'), 'signed_out'],
    [problem(403, 'permission_denied', 'x'), 'not_permitted'],
    [problem(403, 'out_of_scope', 'x'), 'not_permitted'],
    [problem(403, 'grant_exceeds_own', 'x'), 'refused'],
    [problem(503, 'unavailable', 'x'), 'fault'],
    [new TransportError('unreachable', 'x'), 'unreachable'],
    [new MalformedReplyError('x'), 'fault'],
    [new NotConfirmedError('x'), 'refused'],
    [explainPasskeyFault(new DOMException('x', 'NotAllowedError')), 'refused'],
    [new TypeError('x'), 'fault'],
  ] as const
  for (const [error, kind] of kinds) assert.equal(explain(error).kind, kind, String(error))
})

test('every explanation is a whole sentence, whatever was thrown (property)', () => {
  fc.assert(
    fc.property(fc.anything(), fc.string({ minLength: 1 }), (thrown, detail) => {
      assert.match(explain(thrown).sentence, /^\p{Lu}.*[.!?…”]$/su)
      const sentence = completeSentence(detail)
      if (detail.trim() !== '') assert.match(sentence, /[.!?…”]$/)
    }),
  )
})

test('the browser’s exceptions about passkeys are told apart', () => {
  const codeOf = (name: string) => explainPasskeyFault(new DOMException('x', name)).code
  assert.deepEqual(
    ['NotAllowedError', 'InvalidStateError', 'SecurityError', 'UnknownError'].map(codeOf),
    ['passkey_not_used', 'passkey_known', 'passkey_forbidden', 'passkey_failed'],
  )
})
