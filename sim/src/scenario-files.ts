/** The scenarios as files: `scenarios/NAME.txt`, whose first line `# T7 …` says what it shows, and the story it must tell. */
import { readdirSync, readFileSync } from 'node:fs'

const folder = new URL('../scenarios/', import.meta.url)

export interface ScenarioFile {
  readonly name: string
  /** Capability ids and claim. */
  readonly title: string
  readonly text: string
  readonly golden: URL
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
  return { name, title, text, golden: new URL(`${name}.golden.txt`, folder) }
}

/** Those that pull the plug at every write take seconds, and have a test file of their own. */
export function isPowerCut({ name }: ScenarioFile): boolean {
  return name.startsWith('power-cut-')
}
