/** `seaworthy-agent run`: becomes the supervisor of the installer. */
import { spawn } from 'node:child_process'
import type { AgentOptions } from './process-rights.ts'
import { installerCommand } from './process-rights.ts'
import { readConfig } from './read-config.ts'
import { superviseScript } from './supervise.ts'

/**
 * Replaces this process by a shell that keeps the installer running. The configuration is read
 * first, so that its faults are seen.
 */
export async function becomeSupervisor(
  options: AgentOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  readConfig(options)
  const args = ['sh', '-c', superviseScript, 'seaworthy-agent', ...installerCommand(options)]
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && name !== 'NODE_OPTIONS') env[name] = value
  }
  if (process.execve !== undefined) process.execve('/bin/sh', args, env)
  const child = spawn('/bin/sh', args.slice(1), { env, stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => child.kill(signal))
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
