import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const root = new URL('../', import.meta.url)

/** Claims that name a proof that is not there. */
function findUnproved(text: string, isThere: (proof: Proof) => boolean): string[] {
  return findProofs(text)
    .filter((proof) => !isThere(proof))
    .map((proof) => (proof.kind === 'test' ? `${proof.file}: ${proof.title}` : proof.scenario))
}

type Proof = { kind: 'test'; file: string; title: string } | { kind: 'scenario'; scenario: string }

function findProofs(text: string): Proof[] {
  const proofs: Proof[] = []
  for (const [, file, title] of text.matchAll(/`([^`]+\.test\.ts)`(?::|,)\s+“([^”]+)”/g)) {
    proofs.push({ kind: 'test', file: file!, title: title!.replace(/\s+/g, ' ') })
  }
  for (const [, list] of text.matchAll(/sim ((?:`[a-z-]+`(?:, )?)+)/g)) {
    for (const [, scenario] of list!.matchAll(/`([a-z-]+)`/g)) {
      proofs.push({ kind: 'scenario', scenario: scenario! })
    }
  }
  return proofs
}

function isInRepository(proof: Proof): boolean {
  if (proof.kind === 'scenario') {
    return ['txt', 'golden.txt'].every((end) =>
      existsSync(new URL(`sim/scenarios/${proof.scenario}.${end}`, root)),
    )
  }
  const file = new URL(proof.file, root)
  return existsSync(file) && readFileSync(file, 'utf8').includes(`'${proof.title}'`)
}

for (const page of ['docs/THREAT-MODEL.md', 'docs/VERIFY-BY-HAND.md']) {
  test(`O7 every claim of ${page} has the test that proves it`, () => {
    const text = readFileSync(new URL(page, root), 'utf8')
    assert.ok(findProofs(text).length > 0, 'no claim was seen')
    assert.deepEqual(findUnproved(text, isInRepository), [])
  })
}

test('O7 counter-example: a claim without its test is found', () => {
  const text = 'sim `no-such-scenario`; `tools/threat-model.test.ts`: “T0 a test that is not there”'
  assert.deepEqual(findUnproved(text, isInRepository), [
    // The title is spelt in two pieces, or this file would hold it.
    `tools/threat-model.test.ts: ${'T0 a test'} that is not there`,
    'no-such-scenario',
  ])
})

test('O7 every row of the break-in table says how it is proved', () => {
  const listRows = (text: string) =>
    text.split('\n').filter((line) => /^\| (?!---|stolen|attack|event)/.test(line))
  const listBare = (text: string) => listRows(text).filter((row) => findProofs(row).length === 0)
  const text = readFileSync(new URL('docs/THREAT-MODEL.md', root), 'utf8')
  assert.ok(listRows(text).length > 25, `saw ${listRows(text).length} rows`)
  assert.deepEqual(listBare(text), [])
  const bare = '| attack | proof |\n| --- | --- |\n| a | sim `freeze` |\n| b | by care |'
  assert.deepEqual(listBare(bare), ['| b | by care |'])
})
