/**
 * Files that the command line keeps: pairing and the remembered checkpoint. Each case is a folder's
 * one file.
 */
import { chooseServer, readConfig } from '@seaworthy/cli/servers'
import { CliError } from '@seaworthy/cli/failure'
import { utf8Encode } from '@seaworthy/std/bytes'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FuzzTarget } from '../target.ts'
import { holds } from '../target.ts'

/** The targets; the caller makes and removes `folder`. */
export function createCliTargets(folder: string): FuzzTarget[] {
  const config = {
    format: 'seaworthy-cli-v1',
    current: 'ship',
    servers: {
      ship: {
        url: 'https://ship.example:8443',
        pin: `sha256:${'A'.repeat(43)}`,
        logVerifierKey: 'ship+00000000+AAAA',
        rootDigest: 'a'.repeat(64),
      },
    },
  }
  return [
    {
      name: 'cli/config',
      form: 'json',
      seeds: [utf8Encode(JSON.stringify(config))],
      weight: 2,
      refusals: [CliError],
      run: async (bytes) => {
        writeFileSync(join(folder, 'config.json'), bytes)
        const read = await readConfig(folder)
        if (read.current === undefined) return
        const { server } = chooseServer(read, undefined)
        holds(typeof server.url === 'string', 'an address')
      },
    },
  ]
}
