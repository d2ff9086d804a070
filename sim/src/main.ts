/** `npm run sim -- SCENARIO [--seed N]`: plays a scenario and prints its story. */
import { parseArgs } from 'node:util'
import { attacks } from './attacks/index.ts'
import { devicesCountDefault, fleetStoryName, tellFleetStory } from './fleet/rollout-story.ts'
import { listScenarios } from './scenario-files.ts'
import { commands, runScript, ScenarioError } from './script/run-script.ts'

function describeUse(): string {
  const indent = (lines: Iterable<string>) => [...lines].map((line) => `  ${line}`).join('\n')
  return [
    'usage: npm run sim -- SCENARIO [--seed N] [--devices N]',
    '',
    'a whole fleet on a real PostgreSQL (--devices is for this one):',
    `  ${fleetStoryName}: D3 D4 O1 five waves, bad devices, killed and cut-off replicas, wrong clocks (${devicesCountDefault} devices)`,
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

interface Arguments {
  readonly name: string
  readonly seed: number | undefined
  readonly devicesCount: number | undefined
}

function parseArguments(args: readonly string[]): Arguments | undefined {
  const text = { type: 'string' } as const
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      options: { seed: text, devices: text },
      allowPositionals: true,
    })
    const [name, ...rest] = positionals
    const numbers = [values.seed, values.devices].map((value) => readNumber(value))
    if (name === undefined || rest.length > 0 || numbers.includes('wrong')) return undefined
    const [seed, devicesCount] = numbers as (number | undefined)[]
    return { name, seed, devicesCount }
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true) return undefined
    throw error
  }
}

function readNumber(text: string | undefined): number | undefined | 'wrong' {
  if (text === undefined) return undefined
  return /^\d{1,9}$/.test(text) ? Number(text) : 'wrong'
}

async function playFleet({ seed = 1, devicesCount = devicesCountDefault }: Arguments) {
  const onLine = (line: string) => process.stdout.write(`${line}\n`)
  try {
    await tellFleetStory({ seed, devicesCount, onLine })
    return 0
  } catch (error) {
    const again = `npm run sim -- ${fleetStoryName} --seed ${seed} --devices ${devicesCount}`
    process.stderr.write(`${error instanceof Error ? error.message : 'failed'}\n${again}\n`)
    return 1
  }
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(describeUse())
    return 0
  }
  const wanted = parseArguments(args)
  if (wanted?.name === fleetStoryName) return playFleet(wanted)
  const scenario = listScenarios().find(({ name }) => name === wanted?.name)
  if (wanted === undefined || scenario === undefined) {
    process.stderr.write(describeUse())
    return wanted === undefined ? 2 : 5
  }
  const { name, seed } = wanted
  const options = seed === undefined ? {} : { seed }
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
