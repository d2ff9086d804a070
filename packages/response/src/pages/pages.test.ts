import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import { escapeMarkup, markup, renderPage } from './index.ts'

test('R2 attack: no text of a stranger becomes markup, ends an attribute, or turns the writing (property)', () => {
  fc.assert(
    fc.property(fc.string({ unit: anyCodePoint, maxLength: 60 }), (text) => {
      const shown = escapeMarkup(text)
      assert.doesNotMatch(shown, /[<>"']/)
      assert.doesNotMatch(shown, /&(?!(?:amp|lt|gt|quot|#39);)/)
      assert.doesNotMatch(shown, /[^\P{C}\n]/u)
    }),
  )
  const hostile = '<script>alert(1)</script>\u202Egnp" onload="x'
  const { text } = markup`<p title="${hostile}">${markup`<b>${hostile}</b>`}${[]}</p>`
  assert.equal(text.match(/<script|onload="/g), null)
  assert.match(text, /\\u\{202e\}/)
})

test('R2 a page has one style, no script, and loads nothing', () => {
  const page = renderPage({ title: '</title><script>', body: markup`<p>a</p>` })
  assert.doesNotMatch(page, /<script|src=|href=|url\(|@import/)
})
