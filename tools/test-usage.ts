/**
 * The cost of a test file. Loaded in front of each (`--import`), this notes at the end the time
 * that processors worked for the file and for all processes that it started and waited for. The
 * runner reads the notes.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

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

/** Processor time in milliseconds by path. Absent: the file was killed before it could say. */
export function readUsage(usageFile: string, root: string): Map<string, number> {
  const found = new Map<string, number>()
  let text = ''
  try {
    text = readFileSync(usageFile, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  for (const line of text.split('\n').filter(Boolean)) {
    const { file, ms } = JSON.parse(line) as { file: string; ms: number }
    if (file.startsWith(root)) found.set(file.slice(root.length), ms)
  }
  return found
}

const usageFile = process.env['SEAWORTHY_TEST_USAGE']
const file = process.argv[1]
// Processes that a test file forks inherit `--import` as well.
const isTestFile = isMainThread && file?.endsWith('.test.ts') === true
if (usageFile !== undefined && isTestFile && process.execArgv.includes('--import')) {
  process.on('exit', () => {
    const ms = processorMs(readFileSync('/proc/self/stat', 'utf8'))
    appendFileSync(usageFile, `${JSON.stringify({ file, ms })}\n`)
  })
}
