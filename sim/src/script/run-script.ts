/**
 * Runs a script in a world of its own and tells what happened; after every line every device must
 * satisfy the invariants.
 */
import { createAttacker } from '../world/attacker.ts'
import { createWitness } from '../world/invariants.ts'
import { createWorld } from '../world/world.ts'
import { attackerCommands } from './attacker-commands.ts'
import type { Command, Commands, Stage } from './command.ts'
import { deviceCommands } from './device-commands.ts'
import { expectCommand } from './expect-commands.ts'
import { createArguments, parseScript, ScriptError } from './parse-script.ts'
import type { ScriptLine } from './parse-script.ts'
import { worldCommands } from './world-commands.ts'

export const commands: Commands = {
  ...worldCommands,
  ...deviceCommands,
  ...attackerCommands,
  expect: expectCommand,
}

/** A line of a script that did not go as it says. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError'
  readonly seed: number
  readonly story: string

  constructor(line: ScriptLine, seed: number, story: string, options: { cause: unknown }) {
    const { cause } = options
    super(
      `line ${line.number}, "${line.text}": ${cause instanceof Error ? cause.message : 'failed'}`,
      options,
    )
    this.seed = seed
    this.story = story
  }
}

const seedDefault = 1

/**
 * The story: every command, and below it what happened. Throws `ScenarioError`, or `ScriptError`
 * for a seed that is none.
 */
export async function runScript(
  text: string,
  options: { seed?: number; onCount?: (line: string) => void } = {},
): Promise<string> {
  const lines = parseScript(text)
  const seed = options.seed ?? seedOf(lines) ?? seedDefault
  const world = await createWorld(seed)
  const story: string[] = []
  /** The lines below one command, each once with how often it was told. */
  const told = new Map<string, number>()
  const writeDown = () => {
    for (const [line, count] of told) story.push(`  ${line}${count > 1 ? ` (${count} times)` : ''}`)
    told.clear()
  }
  const stage: Stage = {
    world,
    witness: createWitness(world),
    attacker: createAttacker(world),
    saved: new Map(),
    backups: new Map(),
    tell: (line) => {
      told.set(line, (told.get(line) ?? 0) + 1)
    },
    count: (line) => options.onCount?.(line),
  }
  world.tell = stage.tell
  try {
    for (const line of lines) {
      story.push(line.text)
      if (line.words[0] === 'seed') continue
      try {
        await runLine(stage, line)
        writeDown()
      } catch (cause) {
        writeDown()
        throw new ScenarioError(line, seed, story.join('\n'), { cause })
      }
    }
  } finally {
    world.dispose()
  }
  return `${story.join('\n')}\n`
}

function seedOf([first]: readonly ScriptLine[]): number | undefined {
  if (first?.words[0] !== 'seed') return undefined
  const given = createArguments(first.words.slice(1), first.options)
  const seed = given.count('seed')
  given.finish()
  return seed
}

async function runLine(stage: Stage, { words, options }: ScriptLine): Promise<void> {
  const [name = '', ...rest] = words
  const command: Command | undefined = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) throw new ScriptError(`there is no command ${name}`)
  const given = createArguments(rest, options)
  await command.run(stage, given)
  given.finish()
  await stage.world.time.settle()
  for (const device of stage.world.devices.values()) stage.witness.check(device, true)
}
