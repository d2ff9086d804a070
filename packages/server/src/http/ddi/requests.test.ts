import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HttpError } from '../problems.ts'
import { parseActionId, parseAttributes, parseFeedback, parseTarget } from './requests.ts'

test('paths are read segment by segment, and only those of controllers', () => {
  assert.deepEqual(parseTarget('/DEFAULT/controller/v1/unit%20%2F7'), {
    tenant: 'DEFAULT',
    controllerId: 'unit /7',
    rest: [],
  })
  assert.deepEqual(parseTarget('/shops/controller/v1/a/deploymentBase/7/feedback')?.rest, [
    'deploymentBase',
    '7',
    'feedback',
  ])
  for (const path of [
    '/v1/devices',
    '/controller/v1/a',
    '/a/b/controller/v1/c',
    '/a/controller/v2/b',
  ]) {
    assert.equal(parseTarget(path), undefined, path)
  }
  fc.assert(fc.property(fc.string(), (text) => void parseTarget(`/${text}`)))
  fc.assert(fc.property(fc.string(), (text) => void parseTarget(`/a/controller/v1/${text}`)))
})

test('action ids are positive, of 32 bits, and written in one way', () => {
  assert.equal(parseActionId('1'), 1)
  assert.equal(parseActionId('2147483647'), 2_147_483_647)
  for (const text of ['2147483648', '0', '-1', '+1', '01', ' 1', '1.0', '1e3', '0x1', '']) {
    assert.equal(parseActionId(text), undefined, text)
  }
})

test('whatever JSON comes, feedback is read or refused', () => {
  const execution = fc.constantFrom('closed', 'proceeding', 'download', 'none', 7, null)
  const almost = fc.record(
    {
      id: fc.jsonValue(),
      status: fc.record(
        {
          execution,
          result: fc.oneof(
            fc.jsonValue(),
            fc.record({ finished: fc.jsonValue(), progress: fc.jsonValue() }),
          ),
          code: fc.jsonValue(),
          details: fc.oneof(fc.jsonValue(), fc.array(fc.string())),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(almost, (body) => {
      for (const parse of [parseFeedback, parseAttributes]) {
        try {
          parse(body)
        } catch (error) {
          assert.ok(error instanceof HttpError)
        }
      }
    }),
  )
})

test('progress is a share, wherever the client counts to', () => {
  const percent = (progress: unknown) =>
    parseFeedback({ status: { execution: 'proceeding', result: { finished: 'none', progress } } })
      .percent
  assert.equal(percent({ cnt: 3, of: 4 }), 75)
  assert.equal(percent({ cnt: 9, of: 4 }), 100)
  assert.equal(percent({ cnt: -1, of: 4 }), 0)
  for (const odd of [undefined, null, {}, { cnt: 1 }, { cnt: 1, of: 0 }, { percentage: 20 }, 'x']) {
    assert.equal(percent(odd), null)
  }
})

test('D7 attack: progress in numbers that only JSON can write is none, and is not stored as one', () => {
  for (const progress of [
    '{"cnt":1e999,"of":1e999}',
    '{"cnt":1e999,"of":2}',
    '{"cnt":1,"of":1e999}',
  ]) {
    const text = `{"status":{"execution":"proceeding","result":{"progress":${progress}}}}`
    assert.equal(parseFeedback(JSON.parse(text) as Record<string, unknown>).percent, null)
  }
})
