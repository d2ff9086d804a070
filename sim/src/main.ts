/** `npm run sim -- SCENARIO [--seed N]`: plays a scenario and prints its story. */
import { attacks } from './attacks/index.ts'
import { listScenarios } from './scenario-files.ts'
import { commands, runScript, ScenarioError } from './script/run-script.ts'

function describeUse(): string {
  const indent = (lines: Iterable<string>) => [...lines].map((line) => `  ${line}`).join('\n')
  return [
    'usage: npm run sim -- SCENARIO [--seed N]',
    '',
    'scenarios (sim/scenarios/NAME.txt):',
    indent(listScenarios().map(({ name, title }) => `${name}: ${title}`)),
    '',
    'commands of a scenario:',
    indent(Object.values(commands).map(({ usage }) => usage)),
    '',
    'attacks:',
    indent(Object.values(attacks).map(({ usage }) => usage)),
    '',
  ].join('\n')
}

function parseArguments(args: readonly string[]): { name: string; seed?: number } | undefined {
  const [name, flag, seed, ...rest] = args
  if (name === undefined || rest.length > 0 || !/^[a-z0-9-]+$/.test(name)) return undefined
  if (flag === undefined) return { name }
  if (flag !== '--seed' || !/^\d{1,9}$/.test(seed ?? '')) return undefined
  return { name, seed: Number(seed) }
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(describeUse())
    return 0
  }
  const wanted = parseArguments(args)
  const scenario = listScenarios().find(({ name }) => name === wanted?.name)
  if (wanted === undefined || scenario === undefined) {
    process.stderr.write(describeUse())
    return wanted === undefined ? 2 : 5
  }
  const { name, ...options } = wanted
  try {
    const counts: string[] = []
    const story = await runScript(scenario.text, {
      ...options,
      onCount: (line) => counts.push(`${line}\n`),
    })
    process.stdout.write(`${story}${counts.join('')}`)
    return 0
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error
    const again = `seed=${error.seed} npm run sim -- ${name} --seed ${error.seed}`
    process.stderr.write(`${error.story}\n\n${error.message}\n${again}\n`)
    return 1
  }
}

process.exitCode = await main(process.argv.slice(2))
