import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { requireLinearWork } from '@seaworthy/std/testing'
import { formatElement, parseXml, XmlError } from './xml.ts'

const attributes = (text: string) => Object.fromEntries(parseXml(text).attributes)

test('elements, attributes, both quotes, comments, empty tags, a declaration and a byte order mark', () => {
  const text = `\uFEFF<?xml version="1.0" encoding="UTF-8"?>
    <!-- hello --><a b="1" c='2"' ><d/><e f = "&lt;&amp;&#65;&#x42;&quot;&apos;&gt;"></e>text</a><!-- end -->\n`
  const root = parseXml(text)
  assert.equal(root.name, 'a')
  assert.deepEqual(Object.fromEntries(root.attributes), { b: '1', c: '2"' })
  assert.deepEqual(
    root.children.map(({ name }) => name),
    ['d', 'e'],
  )
  assert.equal(root.children[1]!.attributes.get('f'), `<&AB"'>`)
})

test('D6 trap: a quotation mark that update_engine did not escape stays in its value', () => {
  assert.deepEqual(
    attributes('<app oem="the "best" board" oemversion="1.0" machinealias="x"y" lang="en" ></app>'),
    {
      oem: 'the "best" board',
      oemversion: '1.0',
      machinealias: 'x"y',
      lang: 'en',
    },
  )
  assert.deepEqual(attributes('<app a="""/>'), { a: '"' })
  assert.deepEqual(attributes('<app a="x=" b"/>'), { a: 'x=" b' })
})

test('D6 attack: what XML could do beyond that is refused', () => {
  const bomb = '<!DOCTYPE a [<!ENTITY b "xxxx"><!ENTITY c "&b;&b;">]><a>&c;</a>'
  const refused = [
    bomb,
    '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    '<a b="&c;"/>',
    '<a b="&amp"/>',
    '<a b="&#0;"/>',
    '<a b="&#xD800;"/>',
    '<a b="&#x110000;"/>',
    '<a b="\u0000"/>',
    '<a b="<"/>',
    '<a><![CDATA[x]]></a>',
    '<a><?php x ?></a>',
    '<a',
    '<a>',
    '<a></b>',
    '<a b></a>',
    '<a b=c/>',
    '<a b="c/>',
    '<a/><a/>',
    'x<a/>',
    '<a/>x',
    '',
    '<>',
    '</a>',
    '<a b="1"c="2"/>x',
    '<a>'.repeat(17) + '</a>'.repeat(17),
    `<a>${'<b/>'.repeat(2001)}</a>`,
    `<a ${Array.from({ length: 65 }, (_all, i) => `x${i}="1"`).join(' ')}/>`,
  ]
  for (const text of refused) assert.throws(() => parseXml(text), XmlError, text.slice(0, 80))
})

test('of two attributes of one name the first counts', () => {
  assert.deepEqual(attributes('<app version="1" version="2"/>'), { version: '1' })
})

test('what is written is read as it was, whatever the values', () => {
  const value = fc
    .string({ unit: 'grapheme', maxLength: 40 })
    .filter((text) => !/[^\t\n\r -\uFFFD]/.test(text))
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('a', 'b', 'c-d'), value, { noNullPrototype: true }),
      (given) => {
        assert.deepEqual({ ...attributes(formatElement('x', given)) }, { ...given })
      },
    ),
  )
})

test('D6 fuzz: any text ends in a document or an XmlError', () => {
  const piece = fc.constantFrom(
    '<a',
    '>',
    '</a>',
    '/>',
    ' b="',
    '"',
    "'",
    '=',
    '&',
    ';',
    '&#',
    'x',
    ' ',
    '<!--',
    '-->',
    '<?xml',
    '?>',
    '<!',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 60 }).map((list) => list.join('')),
      ),
      (text) => {
        try {
          parseXml(text)
        } catch (error) {
          assert.ok(error instanceof XmlError, String(error))
        }
      },
    ),
    { numRuns: 3000 },
  )
})

test('D6 attack: no text that one device sends takes a worker more than time linear in its length', () => {
  const fillers = [
    '"',
    ' "',
    '" ',
    '" b',
    '" b=',
    '&amp;',
    '<a ',
    ' ',
    '<!--',
    '<!-',
    '-->',
    '<!---->',
  ]
  const plain = `<a b="${'"x'.repeat(32_000)}"/>`
  for (const opening of ['<a b="', '<a>', '<a/>', '<!--', '<?xml']) {
    for (const filler of fillers) {
      const text = opening + filler.repeat(Math.floor(64_000 / filler.length))
      requireLinearWork(
        `${opening} and many ${filler}`,
        () => parseXml(plain),
        () => {
          try {
            parseXml(text)
          } catch (error) {
            if (!(error instanceof XmlError)) throw error
          }
        },
      )
    }
  }
})
