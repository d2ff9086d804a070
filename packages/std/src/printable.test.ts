import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from './testing/any-code-point.ts'
import { jsonLog } from './log.ts'
import { cutText, printable, printableJson, quoted } from './printable.ts'
import { ManualClock } from './time.ts'

const anyText = fc.oneof(
  fc.string({ unit: anyCodePoint, maxLength: 300 }),
  fc.constantFrom('\u{9b}31m', 'a\u{202e}b', '\u{2063}', '\u{e0041}', '\u{2800}', 'a\r\nb', '  '),
)

test('the beginning of a text is as long as it may be, and ends in a whole character (property)', () => {
  fc.assert(
    fc.property(anyText, fc.nat(300), (text, lengthMax) => {
      const cut = cutText(text, lengthMax)
      assert.ok(text.startsWith(cut) && cut.isWellFormed())
      assert.ok(cut.length <= lengthMax && cut.length >= Math.min(text.length, lengthMax - 1))
    }),
  )
  assert.deepEqual([cutText('a😀b', 2), cutText('a😀b', 3), cutText('', 0)], ['a', 'a😀', ''])
})

test('printable JSON says the same, and holds nothing that steers or hides (property)', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyText, anyText)), (value) => {
      const json = printableJson(JSON.stringify(value, undefined, 2))
      assert.deepEqual(JSON.parse(json), value)
      for (const line of json.split('\n')) assert.equal(printable(line), line)
    }),
  )
})

test('T9 attack: what somebody else wrote reaches a log line, and steers no terminal that shows it', () => {
  const lines: string[] = []
  const log = jsonLog({
    write: (line) => lines.push(line),
    clock: new ManualClock(new Date(0)),
    level: 'info',
  })
  const said = 'a\u{9b}31m\u{202e}b\u{1b}[2J'
  log.info('said', { said })
  assert.equal(printable(lines[0]!), lines[0])
  assert.equal((JSON.parse(lines[0]!) as { said: string }).said, said)
})

test('T11 attack: two names that differ in a character that nobody sees', () => {
  const unseen = [
    ...['\u{61c}', '\u{ad}', '\u{180e}', '\u{3164}', '\u{115f}', '\u{ffa0}', '\u{34f}', '\u{17b4}'],
    ...[
      '\u{200b}',
      '\u{feff}',
      '\u{2028}',
      '\u{fe0f}',
      '\u{fff9}',
      '\u{1d173}',
      '\u{e0001}',
      '\u{e0041}',
    ],
  ]
  for (const character of unseen) {
    const code = character.codePointAt(0)!.toString(16)
    assert.equal(printable(`bin/a${character}pp`), `bin/a\\u{${code}}pp`)
  }
})

test('a quoted name does not close its quotation marks, is bounded, and has no run of blanks (property)', () => {
  fc.assert(
    fc.property(anyText, (name) => {
      const text = quoted(name)
      assert.match(text, /^"[^"]*"$/)
      assert.equal(printable(text), text)
      assert.doesNotMatch(text, / {2}/)
    }),
  )
  assert.equal(quoted('pump-3'), '"pump-3"')
  assert.equal(quoted('a"    b'), String.raw`"a\u{22} \u{20}*3b"`)
  assert.equal(quoted('x'.repeat(300)), `"${'x'.repeat(128)}…"`)
})
