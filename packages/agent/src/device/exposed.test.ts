import assert from 'node:assert/strict'
import { mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { Refusal } from '@seaworthy/std/refusal'
import { makeTestFolder } from '../testing/test-agent.ts'
import { realPlace, requireHidden } from './exposed.ts'

const folder = makeTestFolder()
after(() => folder.remove())

const isRefused = (open: string, kept: string): boolean => {
  try {
    requireHidden(
      [{ path: open, right: 'read' }],
      [{ what: 'the state', path: kept, wayOut: 'choose another --state-dir' }],
    )
    return false
  } catch (error) {
    assert.ok(error instanceof Refusal)
    assert.equal(error.code, 'folder_unusable')
    return true
  }
}

test('V3 T7 a place in a folder that the fetcher may open is refused, however deep, and no other (property)', () => {
  const name = fc.stringMatching(/^[a-z.]{1,3}$/).filter((text) => !/^\.+$/.test(text))
  const path = fc.array(name, { maxLength: 4 }).map((names) => `/${names.join('/')}`)
  fc.assert(
    fc.property(path, path, (open, kept) => {
      const [outer, inner] = [open, kept].map((text) => text.split('/').filter(Boolean))
      const isInside = outer!.every((part, i) => inner![i] === part)
      assert.equal(isRefused(open, kept), isInside)
    }),
  )
  assert.equal(isRefused('/opt/agent', '/opt/agent-state/trust'), false)
})

test('V3 T7 a link into a folder that is open leads there, whether or not the last part of the path exists', () => {
  mkdirSync(`${folder.path}/open`)
  symlinkSync(`${folder.path}/open`, `${folder.path}/link`)
  const real = realpathSync(folder.path)
  assert.equal(realPlace(`${folder.path}/link/state/trust`), `${real}/open/state/trust`)
  assert.ok(isRefused(`${real}/open`, realPlace(`${folder.path}/link/state/trust`)))
})
