/**
 * `node tools/check.ts SCRIPT …`: runs the commands of these scripts of package.json, as many at
 * once as there are cores, and says of each how it ended. Most of them use one core for most of the
 * time.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, join } from 'node:path'
import { repositoryRoot } from './source-tree.ts'

/** The commands of the scripts, in the order in which they are named. Throws for no script. */
function commandsOf(names: readonly string[], scripts: Readonly<Record<string, string>>): string[] {
  return names.flatMap((name) => {
    const script = scripts[name]
    if (script === undefined) throw new Error(`package.json has no script ${name}`)
    return script.split(' && ')
  })
}

/** Runs a command to its end and prints it with its output. Resolves to whether it succeeded. */
async function run(command: string): Promise<boolean> {
  const startedMs = performance.now()
  const programs = join(repositoryRoot, 'node_modules/.bin')
  const child = spawn('sh', ['-c', `exec ${command}`], {
    cwd: repositoryRoot,
    env: { ...process.env, PATH: `${programs}${delimiter}${process.env['PATH']}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  process.stdout.write(`${exitCode === 0 ? '✔' : '✖'} ${command} (${seconds} s)\n${output}`)
  return exitCode === 0
}

async function main(names: readonly string[]): Promise<void> {
  const { scripts } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const commands = commandsOf(names, scripts)
  const failed: string[] = []
  const work = async () => {
    for (let next = commands.shift(); next !== undefined; next = commands.shift())
      if (!(await run(next))) failed.push(next)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  if (failed.length === 0) return
  process.stdout.write(`failed: ${failed.join(', ')}\n`)
  process.exitCode = 1
}

if (import.meta.main) await main(process.argv.slice(2))
