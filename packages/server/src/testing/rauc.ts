/** RAUC's bundles as their makers sign them, and RAUC's hawkBit client as a process of its own. */
import { execFileSync, spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Maker } from './swupdate.ts'

const tools = new URL('../../../../tools/rauc-hawkbit/', import.meta.url)

/** The Python that has the client, or `undefined` where `tools/rauc-hawkbit/install` was not run. */
export function findRaucClient(): string | undefined {
  const text = readFileSync(new URL('requirements.txt', tools))
  const version = hash('sha256', text, 'hex').slice(0, 16)
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const python = join(cache, 'seaworthy', `rauc-hawkbit-${version}`, 'bin', 'python3')
  return existsSync(python) ? python : undefined
}

export async function buildRaucBundle(
  folder: string,
  maker: Maker,
  bundle: { version: string; content: Uint8Array },
): Promise<Buffer> {
  const input = join(folder, `raucb-${bundle.version}`)
  const output = `${input}.raucb`
  await mkdir(input)
  await writeFile(join(input, 'rootfs.img'), bundle.content)
  await writeFile(
    join(input, 'manifest.raucm'),
    `[update]
compatible=test-board
version=${bundle.version}

[image.rootfs]
filename=rootfs.img
`,
  )
  const signedBy = ['--cert', maker.certificate, '--key', maker.key]
  execFileSync('rauc', ['bundle', ...signedBy, input, output], { stdio: 'ignore' })
  return readFile(output)
}

export interface RaucRun {
  /** Whether RAUC took the bundle. */
  readonly isGood: boolean
  readonly output: string
}

/** Polls until one installation has ended. What the client fetched is left at `bundle` with `.seen` behind. */
export async function runRaucClient(options: {
  readonly url: string
  readonly caFile: string
  readonly controllerId: string
  readonly token: string
  readonly keyring: string
  readonly bundle: string
}): Promise<RaucRun> {
  const { url, caFile, controllerId, token, keyring, bundle } = options
  const child = spawn(
    findRaucClient()!,
    [
      fileURLToPath(new URL('client.py', tools)),
      ...['--host', new URL(url).host, '--tenant', 'DEFAULT', '--controller', controllerId],
      ...['--token', token, '--ca', caFile, '--keyring', keyring, '--bundle', bundle],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => (output += part.toString()))
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (!output.includes('"result"')) throw new Error(`RAUC's client did not come so far: ${output}`)
  return { isGood: code === 0, output }
}
