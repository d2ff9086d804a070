import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { requireLinearWork } from '@seaworthy/std/testing'
import type { Tree } from './links.ts'
import { readLinks } from './links.ts'

/** Follows each link from the beginning, name by name, as a kernel does. */
function findEscape(tree: Tree): string | undefined {
  for (const [path, target] of tree) {
    if (target !== undefined && !leadsInside(tree, path)) return path
  }
  return undefined
}

function leadsInside(tree: Tree, path: string): boolean {
  const at: string[] = []
  const waiting = path.split('/').toReversed()
  let follows = 0
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === '' || name === '.') continue
    if (name === '..') {
      if (at.pop() === undefined) return false
      continue
    }
    at.push(name)
    const target = tree.get(at.join('/'))
    if (target === undefined) continue
    if (++follows > 40) return false
    at.pop()
    waiting.push(...target.split('/').toReversed())
    if (waiting.length > 16_384) return false
  }
  return true
}

const name = fc.constantFrom('a', 'b', 'c', 'd')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
const target = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd', '..', '.', ''), { minLength: 1, maxLength: 6 })
  .map((names) => names.join('/'))
const trees = fc
  .array(fc.tuple(path, fc.option(target, { nil: undefined })), { maxLength: 12 })
  .map((entries) => new Map(entries))

describe('links', () => {
  it('T7 lead where following each of them from the beginning leads', () => {
    fc.assert(
      fc.property(trees, (tree) => {
        assert.equal(readLinks(tree).fault?.path, findEscape(tree))
      }),
      { numRuns: 20_000 },
    )
  })

  it('T7 may follow 40 others, and no more', () => {
    const chain = (length: number) =>
      new Map(Array.from({ length }, (_, i) => [`l${i}`, `l${i + 1}`]))
    assert.equal(readLinks(chain(40)).fault, undefined)
    assert.deepEqual(readLinks(chain(41)).fault, { code: 'symlink_escapes', path: 'l0' })
    assert.deepEqual(readLinks(new Map([...chain(20_000)].toReversed())).fault, {
      code: 'symlink_escapes',
      path: 'l19959',
    })
  })

  it('T7 that multiply what they lead through cost no more than their names', () => {
    const long = `${'a/'.repeat(30)}${'../'.repeat(30)}`
    const links = Array.from(
      { length: 2000 },
      (_, i) => [`l${i}`, `${long}${i % 39 === 0 ? 'x' : `l${i - 1}`}`] as const,
    )
    const plain = links.map(([from]) => [from, `${long}x`] as const)
    requireLinearWork(
      'following them',
      () => assert.equal(readLinks(new Map(plain)).fault, undefined),
      () => assert.equal(readLinks(new Map(links)).fault, undefined),
      5,
    )
  })

  it('T7 that lead through too many names altogether are refused', () => {
    const far = `${'a/'.repeat(810)}${'../'.repeat(810)}x`
    const links = new Map(Array.from({ length: 239 }, (_, i) => [`l${i}`, far]))
    assert.equal(readLinks(links).fault?.code, 'links_too_long')
  })
})
