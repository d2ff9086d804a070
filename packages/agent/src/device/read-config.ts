/** The configuration as this machine has it. */
import { Refusal } from '@seaworthy/std/refusal'
import type { AgentConfig } from '../config.ts'
import { configBytesMax, parseConfig } from '../config.ts'
import type { ConfigRefusal } from '../refusals.ts'
import type { AgentOptions } from './process-rights.ts'
import { readSmallFile } from './small-file.ts'

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm' }

const make = '`seaworthy provisioning-key create --agent-config FILE` makes one that can be used'

/** Throws `Refusal<ConfigRefusal>`. */
export function readConfig({ configPath, stateDir }: AgentOptions): AgentConfig {
  let bytes: Uint8Array
  try {
    bytes = readSmallFile(configPath, configBytesMax)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EFBIG') {
      throw new Refusal<ConfigRefusal>('config_malformed', `${configPath} is too long; ${make}`)
    }
    throw new Refusal<ConfigRefusal>(
      'config_unreadable',
      `${configPath} cannot be read (${code ?? 'failed'}): ${wayOut(code)}`,
      { cause },
    )
  }
  const platform = `linux/${architectures[process.arch] ?? process.arch}`
  try {
    return parseConfig(bytes, stateDir === undefined ? { platform } : { platform, stateDir })
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    throw new Refusal<ConfigRefusal>(
      'config_malformed',
      `${configPath}: ${cause.message}; ${make}`,
      {
        cause,
      },
    )
  }
}

/** The file holds a secret, so it is usually readable by another account only. */
function wayOut(code: string | undefined): string {
  return code === 'EACCES' || code === 'EPERM'
    ? 'say it as root, or as the account that the agent runs as'
    : 'check the path, which --config FILE names'
}
