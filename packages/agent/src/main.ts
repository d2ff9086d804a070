/**
 * The program `seaworthy-agent`: a supervisor that is a shell script, the installer, the fetcher,
 * and a probe.
 */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { quoted } from '@seaworthy/std/printable'
import { Refusal } from '@seaworthy/std/refusal'
import { agentVersion } from './version.ts'

const help = `Usage: seaworthy-agent COMMAND [--config FILE] [--state-dir DIR]

  run          verify, install and run the releases of this device's channel
  status       what runs, what was refused; --json for programs
  update-now   poll at once instead of at the next interval

  --config FILE     /etc/seaworthy/agent.json
  --state-dir DIR   keep everything below DIR (several agents on one machine)
  --json            print status as JSON
  --help, --version

Exit codes: 0 done, 1 failed, 2 usage or configuration, 6 the agent does not run
`

const known = {
  config: { type: 'string' },
  'state-dir': { type: 'string' },
  /** The account for the agent's own processes. */
  account: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
  version: { type: 'boolean' },
} as const
const { values, positionals } = parseArgs({ allowPositionals: true, strict: false, options: known })

const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
const stateDir = text(values['state-dir'])
/** Paths are absolute from here on: the agent's own processes have another working directory. */
const options = {
  configPath: resolve(
    text(values['config']) ?? process.env['SEAWORTHY_AGENT_CONFIG'] ?? '/etc/seaworthy/agent.json',
  ),
  stateDir: stateDir === undefined ? undefined : resolve(stateDir),
}

/**
 * Gives up root, and what no flag takes away, once all of a process's code is loaded, and before it
 * reads anything.
 */
async function giveUpRights(): Promise<void> {
  const { giveUpRoot } = await import('./device/accounts.ts')
  const { giveUpLastReports } = await import('./device/last-reports.ts')
  giveUpLastReports()
  giveUpRoot(text(values['account']))
}

/** What is wrong with a command line of a person; a misspelt option must not count as absent. */
function findMistake(command: string): string | undefined {
  if (!['run', 'status', 'update-now'].includes(command)) {
    return `there is no command ${quoted(command)}`
  }
  for (const [name, value] of Object.entries(values)) {
    if (!Object.hasOwn(known, name)) return `there is no option ${quoted(name)}`
    const { type } = known[name as keyof typeof known]
    if (typeof value !== type)
      return `--${name} ${type === 'string' ? 'needs a' : 'takes no'} value`
  }
  return positionals.length > 1 ? `${command} takes no ${quoted(positionals[1]!)}` : undefined
}

/** The processes of the agent itself, which no person starts. */
const ownCommands = ['installer', 'fetcher', 'probe']

async function main(command: string): Promise<number> {
  if (values['version'] === true) {
    process.stdout.write(`${agentVersion}\n`)
    return 0
  }
  if (values['help'] === true) {
    process.stdout.write(help)
    return 0
  }
  if (command !== '' && !ownCommands.includes(command)) {
    const mistake = findMistake(command)
    if (mistake !== undefined) {
      process.stderr.write(`seaworthy-agent: ${mistake}\nSee \`seaworthy-agent --help\`.\n`)
      return 2
    }
  }
  switch (command) {
    // Each process loads what it needs and no more: a device pays for idle memory all day.
    case 'run': {
      const { becomeSupervisor } = await import('./device/become-supervisor.ts')
      return becomeSupervisor(options, process.env)
    }
    case 'installer': {
      const { runInstaller } = await import('./installer/installer-main.ts')
      return runInstaller(options)
    }
    case 'fetcher': {
      const { runFetcher } = await import('./fetcher/fetcher-main.ts')
      await giveUpRights()
      return runFetcher()
    }
    case 'probe': {
      const { serveProbe } = await import('./device/http-probe.ts')
      await giveUpRights()
      await serveProbe(positionals[1]!, process.stdin, (line) => process.stdout.write(line))
      return 0
    }
    case 'status':
    case 'update-now': {
      const { askAgent } = await import('./device/ask-agent.ts')
      return askAgent(command, { ...options, isJson: values['json'] === true })
    }
    default:
      process.stderr.write(help)
      return 2
  }
}

main(positionals[0] ?? '').then(
  (code) => process.exit(code),
  (error: unknown) => {
    const isRefusal = error instanceof Refusal
    process.stderr.write(
      `seaworthy-agent: ${error instanceof Error ? error.message : String(error)}\n`,
    )
    // An error of the system is not a bug, and its stack helps nobody.
    const isBug = error instanceof Error && !('code' in error)
    if (isBug) process.stderr.write(`${error.stack}\n`)
    process.exit(isRefusal ? 2 : 1)
  },
)
