import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatCsv } from './csv.ts'

/** Reads what RFC 4180 says, strictly. */
function parse(text: string): string[][] {
  const rows: string[][] = []
  for (let at = 0; at < text.length;) {
    const row: string[] = []
    for (;;) {
      assert.equal(text[at], '"')
      let cell = ''
      for (at += 1; text[at] !== '"' || text[at + 1] === '"'; at += 1) {
        if (text[at] === '"') at += 1
        cell += text[at]
      }
      row.push(cell)
      at += 1
      if (text[at] !== ',') break
      at += 1
    }
    assert.equal(text.slice(at, at + 2), '\r\n')
    at += 2
    rows.push(row)
  }
  return rows
}

const nasty = fc.string({ unit: fc.constantFrom('"', ',', '\r', '\n', '=', '-', "'", 'a', ' ') })

test('A4 attack: no name breaks out of its cell or is a formula for a spreadsheet (property)', () => {
  const table = fc.array(fc.array(fc.option(nasty), { minLength: 1, maxLength: 4 }))
  fc.assert(
    fc.property(table, (rows) => {
      const read = parse(formatCsv(rows))
      assert.equal(read.length, rows.length)
      for (const [y, row] of read.entries()) {
        assert.equal(row.length, rows[y]!.length)
        for (const [x, cell] of row.entries()) {
          assert.doesNotMatch(cell, /^[=+\-@\t\r]/)
          const written = rows[y]![x] ?? ''
          assert.ok(cell === written || cell === `'${written}`)
        }
      }
    }),
  )
  assert.equal(formatCsv([['=1+1', 'a"b', null]]), `"'=1+1","a""b",""\r\n`)
})
