import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { arrayTypes } from './arrays.ts'

const { serialize: formatArray, parse: parseTexts } = arrayTypes.texts

test('arrays of text are read as they were written, and as PostgreSQL writes them', () => {
  const unit = fc.constantFrom('"', '\\', '{', '}', ',', ' ', 'a', 'é', '😀', 'NULL', '\n')
  fc.assert(
    fc.property(fc.array(fc.string({ unit, maxLength: 6 })), (texts) => {
      assert.deepEqual(parseTexts(formatArray(texts)), texts)
    }),
  )
  // PostgreSQL puts no quotes around a plain word.
  assert.deepEqual(parseTexts('{}'), [])
  assert.deepEqual(parseTexts('{plain,"two words","","NULL",a.b-c}'), [
    ...['plain', 'two words', '', 'NULL', 'a.b-c'],
  ])
  assert.equal(formatArray([1, null, true]), '{"1",null,"true"}')
})

test('what is no array of texts is refused, and never read as a shorter one', () => {
  for (const text of ['', '{', 'a', '{a', '{a,}', '{,a}', '{a b"c"}', '{"a}', '{NULL}', '{{a}}']) {
    assert.throws(() => parseTexts(text), text)
  }
})
