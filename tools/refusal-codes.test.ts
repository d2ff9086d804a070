/** Each code of a refusal is declared once, so that it stands for one cause. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { listFiles, repositoryRoot } from './source-tree.ts'

/**
 * The codes that unions of refusals write out, with where. A union that takes in another one names
 * it.
 */
function listCodes(path: string, source: string): { code: string; union: string }[] {
  const unions = source.matchAll(
    /^(?:export )?type (\w*Refusal) =([\s\S]*?)\n(?=\n|export|\/\*\*|type|const|(?:async )?function|interface)/gm,
  )
  return [...unions].flatMap(([, name, body]) => {
    const declared = body!.replaceAll(/Exclude<[^>]*>/g, '')
    return [...declared.matchAll(/'([a-z][a-z0-9_]+)'/g)].map(([, code]) => ({
      code: code!,
      union: `${path}: ${name}`,
    }))
  })
}

function findTwice(codes: readonly { code: string; union: string }[]): string[] {
  const byCode = Map.groupBy(codes, ({ code }) => code)
  return [...byCode.values()]
    .filter(({ length }) => length > 1)
    .map((list) => `${list[0]!.code} in ${list.map(({ union }) => union).join(' and in ')}`)
}

test('no code of a refusal is in two unions', () => {
  const files = listFiles('packages').filter(
    (path) => path.endsWith('.ts') && !/\.test\.ts$|\/testing\//.test(path),
  )
  const codes = files.flatMap((path) =>
    listCodes(path, readFileSync(`${repositoryRoot}/${path}`, 'utf8')),
  )
  assert.ok(codes.length > 100, `saw ${codes.length} codes`)
  assert.deepEqual(findTwice(codes), [])
  const twice = [
    ...listCodes('a.ts', "export type ARefusal =\n  | 'one'\n  | 'two'\n\nconst a = 1\n"),
    ...listCodes('b.ts', "export type BRefusal = ARefusal | 'two' | Exclude<C, 'one'>\n\n"),
  ]
  assert.deepEqual(findTwice(twice), ['two in a.ts: ARefusal and in b.ts: BRefusal'])
})
