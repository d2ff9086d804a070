import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { searchArguments, searchFolder, searchFor } from './leaks.ts'

const anyBytes = fc.uint8Array({ maxLength: 6 })

test('A9 the search finds a secret in every form and place, and nothing where there is none (property)', () => {
  const secret = fc.uint8Array({ minLength: 18, maxLength: 60 })
  const forms = fc.constantFrom('latin1', 'hex', 'base64', 'base64url')
  fc.assert(
    fc.property(secret, forms, anyBytes, anyBytes, (bytes, form, before, after) => {
      const search = searchFor({ planted: bytes })
      const whole = Buffer.concat([before, bytes, after])
      // The secret is found both as part of something encoded whole, and encoded on its own.
      assert.deepEqual(search(Buffer.from(whole.toString(form), 'latin1')), ['planted'])
      const alone = Buffer.from(Buffer.from(bytes).toString(form), 'latin1')
      assert.deepEqual(search(Buffer.concat([before, alone, after])), ['planted'])
      const other = Buffer.from(whole)
      other[before.length + 8]! ^= 1
      assert.deepEqual(search(Buffer.from(other.toString(form), 'latin1')), [])
    }),
  )
})

test('A9 the search reads files and arguments, and not what is left out by name', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-leaks-'))
  try {
    await writeFile(join(folder, 'kept'), 'it says c3VwZXItc2VjcmV0LXRleHQtMQ== and goes on')
    await writeFile(join(folder, 'apart'), 'super-secret-text-1')
    const search = searchFor({ word: 'super-secret-text-1', program: process.execPath })
    assert.deepEqual(await searchFolder(search, folder, ['apart']), [`word in ${folder}/kept`])
    assert.ok((await searchArguments(search)).some((one) => one.startsWith('program in ')))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
