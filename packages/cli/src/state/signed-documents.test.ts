import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { testPorts } from '../testing/ports.ts'
import type { RememberedDocument } from './signed-documents.ts'
import { findRivals, readSignedDocuments, rememberSigned } from './signed-documents.ts'

const document = fc.record({
  roots: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }),
  role: fc.constantFrom('root', 'web.stable'),
  version: fc.integer({ min: 1, max: 4 }),
  sha256: fc.constantFrom('x', 'y'),
}) satisfies fc.Arbitrary<RememberedDocument>

test('T5 attack: a second content of a version, or an older version, of one repository is found among all that was signed (property)', () => {
  fc.assert(
    fc.property(fc.array(document), document, (signed, next) => {
      const own = signed.filter(
        ({ role, roots }) => role === next.role && roots.some((one) => next.roots.includes(one)),
      )
      const isRepeated = own.some((o) => o.version === next.version && o.sha256 === next.sha256)
      const isRival = !isRepeated && own.some(({ version }) => version >= next.version)
      assert.equal(findRivals(signed, [next]).length, isRival ? 1 : 0)
    }),
  )
})

const ports = testPorts()
const anything = () => {}

test('T5 attack: of two contents of one version that are signed at once one is refused, and nothing that was signed is lost', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-signed-'))
  t.after(() => rm(folder, { recursive: true }))
  const sign = (next: RememberedDocument) =>
    rememberSigned(ports, folder, [next], (before) => {
      if (findRivals(before, [next]).length > 0) throw new RangeError('a rival')
    })
  const contents = ['x', 'y', 'z'].map((sha256) => ({
    roots: ['a'],
    role: 'web',
    version: 4,
    sha256,
  }))
  const others = Array.from({ length: 8 }, (_, index) => ({
    roots: ['a'],
    role: `other${index}`,
    version: 1,
    sha256: 'x',
  }))
  const ends = await Promise.allSettled([...contents, ...others].map(sign))
  const refused = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
  assert.deepEqual(
    refused.map((error) => error instanceof RangeError),
    [true, true],
  )
  const signed = await readSignedDocuments(folder)
  assert.deepEqual(
    signed.map(({ role }) => role).toSorted(),
    ['web', ...others.map(({ role }) => role)].toSorted(),
  )
})

test('T5 what was signed is remembered once, and a damaged list is no empty one', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-signed-'))
  t.after(() => rm(folder, { recursive: true }))
  const config = join(folder, 'config')
  const one = { roots: ['a'], role: 'web', version: 1, sha256: 'x' }
  const two = { ...one, version: 2 }
  assert.deepEqual(await readSignedDocuments(config), [])
  await rememberSigned(ports, config, [one], anything)
  await rememberSigned(ports, config, [one, two], anything)
  assert.deepEqual(await readSignedDocuments(config), [one, two])
  for (const text of ['', '{}', '{"format":"seaworthy-signed-v1","signed":[{"role":1}]}']) {
    await writeFile(join(config, 'signed.json'), text)
    await assert.rejects(readSignedDocuments(config), /signed\.json is damaged/)
    await assert.rejects(rememberSigned(ports, config, [one], anything), /signed\.json is damaged/)
  }
})
