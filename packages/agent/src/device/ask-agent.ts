/**
 * `status` and `update-now`: asked through the socket; when nobody listens there, `status` is what
 * the installer wrote down last.
 */
import { readFileSync } from 'node:fs'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { printableJson, writeOut } from '@seaworthy/std/printable'
import { layoutOf } from '../state/layout.ts'
import type { AgentOptions } from './process-rights.ts'
import { readConfig } from './read-config.ts'
import { askSocket } from './status-socket.ts'

export async function askAgent(
  command: 'status' | 'update-now',
  options: AgentOptions & { isJson: boolean },
): Promise<number> {
  const config = readConfig(options)
  const answer = await askSocket(`${config.runDir}/agent.sock`, command).catch(() => undefined)
  const isRunning = answer !== undefined
  if (command === 'update-now') {
    process.stdout.write(isRunning ? 'polling now\n' : 'the agent does not run\n')
    return isRunning ? 0 : 6
  }
  const status = answer ?? readLast(layoutOf(config.stateDir, config.product).statusFile)
  const shown = Object.assign({ isRunning }, status, { isRunning })
  process.stdout.write(
    options.isJson ? `${printableJson(JSON.stringify(shown))}\n` : formatAnswer(shown),
  )
  return isRunning ? 0 : 6
}

/** An answer of another form comes from a fetcher that was taken over: no fault of this command. */
function formatAnswer(status: Record<string, unknown>): string {
  try {
    return formatStatus(status)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return 'agent        running, but its answer is not the status of an agent: look at its log\n'
  }
}

function readLast(path: string): unknown {
  try {
    return parseAnyJsonText(readFileSync(path, 'utf8'))
  } catch {
    return {}
  }
}

interface StatusRelease {
  version: string
  counter: number
  sha256: string
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise
}

function formatStatus(status: Record<string, unknown>): string {
  const committed = status['committed'] as StatusRelease | null | undefined
  const update = status['update'] as
    | { state: string; targetPath?: string; percent?: number; code?: string }
    | undefined
  const refusals = (status['refusals'] as { code: string; subject?: string }[] | undefined) ?? []
  const application = status['application'] as
    | { isAlive: boolean; exits: number; lastExit?: string }
    | null
    | undefined
  const removedAt = status['removedAt']
  const rows: [string, string][] = [
    ['agent', status['isRunning'] === true ? 'running' : 'not running'],
    ['device', textOr(status['deviceId'], 'not registered')],
    ...(typeof removedAt === 'string'
      ? ([
          ['removed', `or unknown, as the server says since ${removedAt}; what runs goes on`],
          ['', 'to register anew, put a fresh provisioningKey into agent.json'],
        ] satisfies [string, string][])
      : []),
    ['channel', `${String(status['product'])}/${String(status['channel'])}`],
    [
      'release',
      !committed
        ? 'none'
        : `${committed.version} (counter ${committed.counter}, sha256:${committed.sha256.slice(0, 12)}…)`,
    ],
    [
      'application',
      !application
        ? 'none'
        : `${application.isAlive ? 'running' : 'starting'}${describeExits(application)}`,
    ],
    [
      'update',
      [update?.state, update?.targetPath, update?.percent, update?.code]
        .filter((part) => part !== undefined)
        .join(' '),
    ],
    ['timestamp', textOr(status['timestampVerifiedAt'], 'never verified')],
    ['time', `not before ${textOr(status['timeFloor'], 'unknown')}`],
    ...refusals.map(({ code, subject }): [string, string] => [
      'refused',
      [code, subject].filter(Boolean).join(' '),
    ]),
  ]
  if (typeof status['lastError'] === 'string') rows.push(['last error', status['lastError']])
  const harmless = (value: string) => writeOut(value, () => '\uFFFD')
  return rows.map(([name, value]) => `${name.padEnd(12)} ${harmless(value)}\n`).join('')
}

/** `, 4 exits, the last with exit code 3`. */
function describeExits({ exits, lastExit }: { exits: number; lastExit?: string }): string {
  if (exits === 0) return ''
  const last = lastExit === undefined ? '' : `, the last with ${lastExit}`
  return `, ${exits} ${exits === 1 ? 'exit' : 'exits'}${last}`
}
