/**
 * The cost of a test file. Loaded in front of each (`--import`), this notes at the end the time
 * that processors worked for the file and for all processes that it started and waited for, and
 * before that what keeps it from ending. The runner reads the notes.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { repositoryRoot } from './source-tree.ts'
import { watchEnd } from './test-idling.ts'

/** Linux counts processor time in hundredths of a second, whatever the machine. */
const tickMs = 10

/**
 * The time in a line of `/proc/PID/stat`: user and system time, its own and that of its ended
 * children.
 */
export function processorMs(stat: string): number {
  // The name in parentheses may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field) * tickMs, 0)
}

export interface TestNotes {
  /** Processor time in milliseconds by path. Absent: the file was killed before it could say. */
  readonly usage: ReadonlyMap<string, number>
  /** What kept files from ending after their last test, by path. */
  readonly held: ReadonlyMap<string, readonly string[]>
}

export function readNotes(notesFile: string, root: string): TestNotes {
  const usage = new Map<string, number>()
  const held = new Map<string, readonly string[]>()
  let text = ''
  try {
    text = readFileSync(notesFile, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  for (const line of text.split('\n').filter(Boolean)) {
    const note = JSON.parse(line) as Note
    if (!note.file.startsWith(root)) continue
    const path = note.file.slice(root.length)
    if ('ms' in note) usage.set(path, note.ms)
    else held.set(path, note.held)
  }
  return { usage, held }
}

type Note = { file: string; ms: number } | { file: string; held: readonly string[] }

const notesFile = process.env['SEAWORTHY_TEST_NOTES']
const file = process.argv[1]
// Processes that a test file forks inherit `--import` as well.
const isTestFile = isMainThread && file?.endsWith('.test.ts') === true
if (notesFile !== undefined && isTestFile && process.execArgv.includes('--import')) {
  const note = (line: Note) => appendFileSync(notesFile, `${JSON.stringify(line)}\n`)
  watchEnd(repositoryRoot, (held) => note({ file, held }))
  process.on('exit', () => note({ file, ms: processorMs(readFileSync('/proc/self/stat', 'utf8')) }))
}
