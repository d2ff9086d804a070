/** The whole product as people start it, `seaworthy up`, on a folder that goes with the test. */
import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { hexEncode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { waitUntil } from '@seaworthy/std/testing'
import { programAt } from '@seaworthy/std/testing/own-programs'
import { claimPort } from '@seaworthy/std/testing/ports'

export interface WebServer {
  /** Passkeys belong to a name: the address has one, and no number. */
  readonly origin: string
  /** SHA-256 of the server's public key in base64, as Chromium takes it. */
  readonly keyHash: string
  readonly pin: string
  readonly token: string
  /** The one-time link by which the first owner comes in. */
  readonly ownerLink: string
  /** Everything that `up` has printed so far. */
  readonly output: () => string
  /** Begins `seaworthy login` for this server on a machine of its own, with a token or without. */
  readonly beginLogin: (token?: string) => PairedMachine
  /** Lets everybody’s confirmation end, as five minutes would. */
  readonly endConfirmations: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** A command line that waits for a person. */
interface PairedMachine {
  /** The code that it shows. */
  readonly code: () => Promise<string>
  /** Waits for its end; answers what it said. */
  readonly ended: () => Promise<string>
}

const beside = (path: string) => programAt(new URL(`../../../${path}`, import.meta.url))
const seaworthy = beside('cli/src/main.ts')

export async function startWebServer(): Promise<WebServer> {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-web-'))
  // PostgreSQL's own account must be able to pass.
  await chmod(folder, 0o711)
  const port = await claimPort()
  const readyFile = join(folder, 'ready.json')
  const credentialKey = join(folder, 'credential.key')
  await writeFile(credentialKey, hexEncode(systemRandom.bytes(32)), { mode: 0o600 })
  const child = spawn(
    process.execPath,
    [
      ...[seaworthy, 'up', '--data-dir', join(folder, 'data'), '--listen', `127.0.0.1:${port}`],
      ...['--name', 'localhost', '--workers', '1', '--ready-file', readyFile],
      ...['--credential-key-file', credentialKey],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const logins: ChildProcess[] = []
  const stop = async () => {
    for (const login of logins) login.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    }
    await rm(folder, { recursive: true, force: true })
  }
  let text = ''
  try {
    await waitUntil(
      () => Promise.resolve(`the server answers: ${output}`),
      async () => {
        if (child.exitCode !== null) throw new Error(`the server did not start: ${output}`)
        text = await readFile(readyFile, 'utf8').catch(() => '')
        return text !== ''
      },
    )
  } catch (error) {
    await stop()
    throw error
  }
  const facts = JSON.parse(text) as { pin: string; tokenFile: string; ownerLinkFile: string }
  const { pin, tokenFile, ownerLinkFile } = facts
  return {
    origin: `https://localhost:${port}`,
    keyHash: Buffer.from(pin.slice('sha256:'.length), 'base64url').toString('base64'),
    pin,
    token: (await readFile(tokenFile, 'utf8')).trim(),
    ownerLink: (await readFile(ownerLinkFile, 'utf8')).trim(),
    output: () => output,
    beginLogin: (token) => {
      const config = join(folder, `config-${randomUUID()}`)
      const url = `https://localhost:${port}`
      const how = token === undefined ? ['--pair', '--role', 'viewer'] : ['--token', token]
      const asked = ['login', url, '--pin', pin, ...how]
      const login = spawn(process.execPath, [seaworthy, '--config-dir', config, ...asked], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      logins.push(login)
      let said = ''
      for (const stream of [login.stdout, login.stderr]) {
        stream.setEncoding('utf8').on('data', (piece: string) => (said += piece))
      }
      const codeOf = () => /^ {4}([A-Z]{4}-[A-Z]{4})$/m.exec(said)?.[1]
      return {
        code: async () => {
          await waitUntil(
            () => Promise.resolve(`a code: ${said}`),
            () => Promise.resolve(codeOf() !== undefined),
          )
          return codeOf()!
        },
        ended: async () => {
          await waitUntil(
            () => Promise.resolve(`the end of the login: ${said}`),
            () => Promise.resolve(login.exitCode !== null),
          )
          return said
        },
      }
    },
    endConfirmations: async () => {
      const program = beside('server/src/testing/end-confirmations.ts')
      await promisify(execFile)(process.execPath, [program, join(folder, 'data')])
    },
    stop,
  }
}
