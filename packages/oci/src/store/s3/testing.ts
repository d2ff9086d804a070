/**
 * A real S3 server for tests: versitygw as a process of its own, on a free port of the loopback,
 * which checks every signature.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { claimPort } from '@seaworthy/std/testing/ports'
import { hexEncode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { findProgram, lacks } from '@seaworthy/std/testing/programs'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import { httpsTransport } from '../../transport.ts'
import type { S3Ports } from './client.ts'
import type { S3Location } from './location.ts'
import type { S3Credentials } from './sign.ts'

export interface TestObjectStore {
  /** Endpoint of the form `http://127.0.0.1:PORT`. */
  endpoint: string
  credentials: S3Credentials
  /** A fresh prefix in the one bucket, `releases`. */
  newLocation(): S3Location
  /** Ports of plain HTTP and the machine's clock. */
  ports: S3Ports
  /** The server's own folder with the bucket's objects as files. */
  folder: string
  stop(): Promise<void>
}

const bucket = 'releases'

/** Why tests with a real object store cannot run here, or `false`. */
export const lacksObjectStore = () => lacks('versitygw')

/** Starts the server; resolves when it answers. */
export async function startObjectStore(): Promise<TestObjectStore> {
  const root = await mkdtemp(join(tmpdir(), 'seaworthy-s3-'))
  const folder = join(root, 'objects')
  await mkdir(join(folder, bucket), { recursive: true })
  await mkdir(join(root, 'facts'))
  const credentials = {
    accessKeyId: `KEY${hexEncode(systemRandom.bytes(8)).toUpperCase()}`,
    secretAccessKey: hexEncode(systemRandom.bytes(20)),
  }
  const port = await claimPort()
  const endpoint = `http://127.0.0.1:${port}`
  const child = spawn(
    findProgram('versitygw')!,
    [
      ...['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet'],
      // The file system of the folder need not have extended attributes.
      ...['posix', '--sidecar', join(root, 'facts'), folder],
    ],
    {
      env: {
        PATH: '/usr/bin:/bin',
        HOME: root,
        ROOT_ACCESS_KEY_ID: credentials.accessKeyId,
        ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      },
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => (output += part.toString()))
  }
  const { transport, close } = httpsTransport({
    allowPlain: true,
    idleTimeoutMs: 10_000,
    connectionsMax: 32,
  })
  const stop = async () => {
    close()
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }
    await rm(root, { recursive: true, force: true })
  }
  for (let waitedMs = 0; ; waitedMs += 25) {
    const answer = await transport({ method: 'GET', url: `${endpoint}/` }).catch(() => undefined)
    if (answer !== undefined) {
      for await (const piece of answer.body) void piece
      break
    }
    if (waitedMs > 10_000 || child.exitCode !== null) {
      await stop()
      throw new Error(`versitygw did not start: ${output}`)
    }
    await systemSleep(25)
  }
  return {
    endpoint,
    credentials,
    newLocation: () => ({
      bucket,
      prefix: `${hexEncode(systemRandom.bytes(8))}/`,
      endpoint,
      region: 'us-east-1',
    }),
    ports: { transport, clock: systemClock, sleep: systemSleep, random: systemRandom },
    folder: join(folder, bucket),
    stop,
  }
}
