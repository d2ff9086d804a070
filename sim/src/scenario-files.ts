/**
 * The scenarios as files: `scenarios/NAME.txt`, whose first line `# T7 …` says what it shows, and
 * the story it must tell.
 */
import { readdirSync, readFileSync } from 'node:fs'

const folder = new URL('../scenarios/', import.meta.url)

export interface ScenarioFile {
  readonly name: string
  /** Capability ids and claim. */
  readonly title: string
  readonly text: string
  readonly golden: URL
  /**
   * Whether it cuts the power at every write: such a scenario takes seconds, and has a test file of
   * its own.
   */
  readonly isPowerCut: boolean
}

export function listScenarios(): ScenarioFile[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.txt') && !file.endsWith('.golden.txt'))
    .map((file) => readScenario(file.slice(0, -'.txt'.length)))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function readScenario(name: string): ScenarioFile {
  const text = readFileSync(new URL(`${name}.txt`, folder), 'utf8')
  const [, title = name] = /^# (.+)$/m.exec(text) ?? []
  const golden = new URL(`${name}.golden.txt`, folder)
  return { name, title, text, golden, isPowerCut: name.startsWith('power-cut-') }
}
