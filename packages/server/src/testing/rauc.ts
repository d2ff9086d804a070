/** RAUC's bundles as their makers sign them, and RAUC's hawkBit client as a process of its own. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram, lacks } from '@seaworthy/std/testing/programs'
import type { Maker } from './swupdate.ts'

const tools = new URL('../../../../tools/rauc-hawkbit/', import.meta.url)

/** Why tests with RAUC cannot run here, or `false`. */
export const lacksRauc = () => lacks('rauc', 'mksquashfs', 'openssl', 'rauc-hawkbit')

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
  /** Whether RAUC accepted the bundle. */
  readonly isGood: boolean
  readonly output: string
}

/**
 * Polls until one installation has ended. What the client fetched is left at `bundle` with `.seen`
 * appended.
 */
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
    findProgram('rauc-hawkbit')!,
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
