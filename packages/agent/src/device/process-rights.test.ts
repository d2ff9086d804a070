import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { codePlaces } from './process-rights.ts'

test('the agent of a checkout knows that it is no single file, which could not run its sources', () => {
  const { main, flags } = codePlaces()
  assert.match(main, /\/agent\/src\/main\.ts$/)
  assert.ok(existsSync(main))
  assert.ok(!flags.includes('--lite-mode'), 'WebAssembly strips the types')
})
