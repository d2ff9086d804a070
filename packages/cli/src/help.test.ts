import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from 'commander'
import { bundleManifestSchema } from '@seaworthy/oci/bundle/manifest-schema'
import { createProgram } from './command-tree.ts'
import { runCli } from './program.ts'
import { recordScreen, testPorts } from './testing/ports.ts'

/**
 * The text that `--help` of every command prints at a terminal of so many columns, footers
 * included.
 */
async function helpPages(columns: number): Promise<string[]> {
  const out = { ...recordScreen(), isTerminal: true, columns }
  const pages: string[] = []
  const visit = (command: Command) => {
    out.text = ''
    command.outputHelp()
    pages.push(out.text)
    command.commands.forEach(visit)
  }
  visit(await createProgram({ ...testPorts(), out }, 'all'))
  return pages
}

test('the help of every command fits a terminal of 80 columns, and one of 132', async () => {
  for (const columns of [80, 132]) {
    const pages = await helpPages(columns)
    assert.ok(pages.length > 80)
    const lines = pages.flatMap((page) => page.split('\n'))
    const over = lines.filter((line) => Array.from(line).length > columns)
    assert.deepEqual(over, [])
    // It uses the room there is.
    assert.ok(lines.some((line) => Array.from(line).length > columns - 8))
  }
})

test('help names a default as people write it: no bare count of milliseconds', async () => {
  const text = (await helpPages(100)).join('\n')
  assert.deepEqual(text.match(/\(default: \d{5,}\)/g), null)
  assert.match(text, /lifetime, for example 30d \(default: 90d\)/)
  assert.match(text, /lifetime, for example 7d \(default: 7d\)/)
  assert.match(text.replaceAll(/\s+/g, ' '), /default: ~\/\.config\/seaworthy/)
})

test('B10 release create --json-schema prints the schema that devices go by, and asks for nothing else', async () => {
  const out = recordScreen()
  const ports = { ...testPorts(), out }
  assert.equal(await runCli(['release', 'create', '--json-schema'], ports), 0)
  assert.deepEqual(JSON.parse(out.text), bundleManifestSchema)
})
