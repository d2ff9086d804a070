import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { shortenPage } from './paging.ts'

const mebibyte = 1024 * 1024

test('T5 attack: pages of large proposals are short, and together hold each of them once (property)', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 8 * mebibyte }), { maxLength: 30 })
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 10 }), (bytes, limit) => {
      const rows = bytes.map((size, index) => ({ id: String(index), bytes: size }))
      const seen: string[] = []
      let at = 0
      for (;;) {
        const items = rows.slice(at, at + limit)
        const next = at + limit < rows.length ? (items.at(-1)?.id ?? null) : null
        const page = shortenPage({ items, next })
        const total = page.items.reduce((sum, row) => sum + row.bytes, 0)
        assert.ok(page.items.length <= 1 || total <= 2 * mebibyte)
        seen.push(...page.items.map(({ id }) => id))
        if (page.next === null) break
        assert.equal(page.next, seen.at(-1))
        at = Number(page.next) + 1
      }
      assert.deepEqual(
        seen,
        rows.map(({ id }) => id),
      )
    }),
  )
})
