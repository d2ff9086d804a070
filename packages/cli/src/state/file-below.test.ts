import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { CliError } from '../failure.ts'
import { fileBelow } from './file-below.ts'

test('an export writes below its folder, whatever a release calls its parts (property)', () => {
  const part = fc.constantFrom('..', '.', '', '/', '\\', '\0', 'a', '../a', 'a/..', '/etc/passwd')
  const name = fc.oneof(
    part,
    fc.string(),
    fc.tuple(part, fc.string(), part).map((t) => t.join('')),
  )
  fc.assert(
    fc.property(name, (text) => {
      let path: string
      try {
        path = fileBelow('/tmp/export', text)
      } catch (error) {
        assert.ok(error instanceof CliError)
        return
      }
      assert.equal(dirname(path), '/tmp/export')
      assert.equal(path, `/tmp/export/${text}`)
    }),
  )
})
