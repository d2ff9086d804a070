/**
 * Debian's SWUpdate as a device: images as their makers sign them, and the real client as a process
 * of its own.
 */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { lacks } from '@seaworthy/std/testing/programs'
import { systemSleep } from '@seaworthy/std/time'

/** Why tests with SWUpdate cannot run here, or `false`. */
export const lacksSwupdate = () => lacks('swupdate', 'cpio', 'openssl')

export interface Maker {
  readonly certificate: string
  readonly key: string
}

/** A key and a certificate with which a maker of images signs them. */
export function createMaker(folder: string, name: string): Maker {
  const [certificate, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', key, '-out', certificate, '-days', '30', '-subj', `/CN=${name}`],
      ...['-addext', 'extendedKeyUsage=emailProtection', '-addext', 'keyUsage=digitalSignature'],
    ],
    { stdio: 'ignore' },
  )
  return { certificate, key }
}

/** An image that writes `content` to `installTo`, signed by the maker. */
export async function buildSwu(
  folder: string,
  maker: Maker,
  image: { version: string; content: Uint8Array; installTo: string },
): Promise<Buffer> {
  const work = join(folder, `swu-${image.version}`)
  await mkdir(work)
  const sha256 = createHash('sha256').update(image.content).digest('hex')
  await writeFile(join(work, 'rootfs.img'), image.content)
  await writeFile(
    join(work, 'sw-description'),
    `software = {
  version = "${image.version}";
  hardware-compatibility = [ "1.0" ];
  files: ( { filename = "rootfs.img"; path = "${image.installTo}"; sha256 = "${sha256}"; } );
}
`,
  )
  const inFolder = { cwd: work, stdio: ['pipe', 'pipe', 'ignore'] as ['pipe', 'pipe', 'ignore'] }
  execFileSync(
    'openssl',
    [
      ...['cms', '-sign', '-in', 'sw-description', '-out', 'sw-description.sig', '-outform', 'DER'],
      ...['-signer', maker.certificate, '-inkey', maker.key, '-nosmimecap', '-binary'],
    ],
    inFolder,
  )
  const names = 'sw-description\nsw-description.sig\nrootfs.img\n'
  return execFileSync('cpio', ['-o', '-H', 'crc'], {
    ...inFolder,
    input: names,
    maxBuffer: 64 * 1024 * 1024,
  })
}

export interface Swupdate {
  /** Everything that the client has written so far. */
  readonly output: () => string
  readonly stop: () => Promise<void>
}

export interface SwupdateOptions {
  /** A folder of the client's own, for sockets, temporary files and its configuration. */
  readonly folder: string
  readonly url: string
  readonly caFile: string
  readonly controllerId: string
  readonly token: string
  /** The maker whose images the client accepts. */
  readonly maker: Maker
  /**
   * What the client is told as after a restart: 2 says that the last installation was good, 3 that
   * it was not.
   */
  readonly confirm?: 2 | 3
}

/** Starts the client in the mode of a device in the field; it polls every second. */
export async function startSwupdate(options: SwupdateOptions): Promise<Swupdate> {
  const { folder, url, caFile, controllerId, token, maker, confirm } = options
  await mkdir(folder, { recursive: true })
  const config = join(folder, 'swupdate.cfg')
  await writeFile(
    config,
    `globals: { public-key-file = "${maker.certificate}"; };
suricatta: { tenant = "DEFAULT"; id = "${controllerId}"; url = "${url}"; targettoken = "${token}"; cafile = "${caFile}"; polldelay = 1; retrywait = 1; };
identify: ( { name = "board"; value = "test"; } );
`,
  )
  const child = spawn(
    'swupdate',
    [
      ...['-f', config, '-H', 'board:1.0', '-M', '-m', '-l', '5', '-u'],
      confirm === undefined ? '' : `-c ${confirm}`,
    ],
    {
      // The client has a process group of its own, because the processes it starts must end with
      // it.
      detached: true,
      env: { PATH: process.env['PATH'], RUNTIME_DIRECTORY: folder, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => (output += part.toString()))
  }
  return {
    output: () => output,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      process.kill(-child.pid!, 'SIGKILL')
      await ended
    },
  }
}

/** Waits until `isDone` answers something; fails with what the client wrote. */
export async function waitFor<T>(
  client: Swupdate,
  isDone: () => Promise<T | undefined>,
  timeoutMs = 120_000,
): Promise<T> {
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += 200) {
    const found = await isDone()
    if (found !== undefined) return found
    await systemSleep(200)
  }
  throw new Error(`SWUpdate did not come so far: ${client.output().slice(-8000)}`)
}
