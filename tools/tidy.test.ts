import assert from 'node:assert/strict'
import { test } from 'node:test'
import { houseRules } from './house-rules.ts'
import { placeSource, readSources } from './source-tree.ts'

const sources = readSources()

test('the rules look at the whole repository', () => {
  for (const path of [
    'packages/std/src/time.ts',
    'tools/tidy.test.ts',
    'packages/agent/bin/seaworthy-agent.mjs',
    'packages/web/src/main.tsx',
  ]) {
    assert.ok(
      sources.some((file) => file.path === path),
      path,
    )
  }
  const workspaces = new Set(sources.map((file) => file.workspace))
  for (const name of [
    'std',
    'trust',
    'fleet',
    'oci',
    'response',
    'sbom',
    'api',
    'server',
    'agent',
    'cli',
    'web',
    'sim',
    'bench',
  ]) {
    assert.ok(workspaces.has(name), `no source of ${name} was seen`)
  }
})

for (const rule of houseRules) {
  test(`house rule: ${rule.name}`, () => {
    const files = sources.filter(rule.appliesTo)
    assert.ok(files.length > 0, 'the rule saw no file')
    const findings = files.flatMap((file) =>
      rule.check(file).map(({ line, text }) => `${file.path}:${line} ${text}`),
    )
    assert.deepEqual(findings, [])
  })

  test(`its counter-examples are caught: ${rule.name}`, () => {
    assert.ok(rule.caught.length > 0)
    for (const [path, source] of rule.caught) {
      const file = placeSource(path, source)
      assert.ok(rule.appliesTo(file), `does not apply to ${path}`)
      assert.ok(rule.check(file).length > 0, `${path}: ${source}`)
    }
    const caught = rule.caught.map(([path, source]) => placeSource(path, source).code)
    for (const { pattern } of rule.bans ?? []) {
      assert.ok(
        caught.some((code) => code.match(pattern) !== null),
        `${pattern} was never seen to fail`,
      )
    }
    for (const [path, source] of rule.passes) {
      const file = placeSource(path, source)
      assert.deepEqual(rule.appliesTo(file) ? rule.check(file) : [], [], `${path}: ${source}`)
    }
  })
}
