/** Pebble, an ACME authority for tests, with a resolver that leads names to this machine. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { httpsTransport } from '@seaworthy/oci/transport'
import { utf8Decode } from '@seaworthy/std/bytes'
import { readBody } from '@seaworthy/std/http'
import { waitUntil } from '@seaworthy/std/testing'
import { claimPort } from '@seaworthy/std/testing/ports'
import { findProgram } from '@seaworthy/std/testing/programs'
import { createTestAuthority } from './authority.ts'

export interface Pebble {
  readonly directory: string
  /** PEM: the root of its own certificate, and that of those it makes. */
  readonly caFile: string
  /** The root of the certificates that it makes. */
  readonly rootPem: string
  stop(): Promise<void>
}

/**
 * Names that begin with `gone` have no address, and it makes none for `blocked.example`. Some of
 * the nonces are refused.
 */
export async function startPebble({
  httpPort,
  tlsPort,
  binding,
}: {
  httpPort: number
  tlsPort: number
  /** Accounts must be bound with this key, in base64url. */
  binding?: { keyId: string; key: string }
}): Promise<Pebble> {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-pebble-'))
  const resolver = await startResolver()
  const authority = await createTestAuthority()
  const { keyPem, requestPem } = await authority.request(['localhost'])
  const chain = (await authority.issue(requestPem)) + authority.intermediatePem
  const [port, managementPort] = [await claimPort(), await claimPort()]
  const inFolder = (name: string) => join(folder, name)
  await writeFile(inFolder('key.pem'), keyPem, { mode: 0o600 })
  await writeFile(inFolder('chain.pem'), chain)
  await writeFile(
    inFolder('config.json'),
    JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${port}`,
        managementListenAddress: `127.0.0.1:${managementPort}`,
        certificate: inFolder('chain.pem'),
        privateKey: inFolder('key.pem'),
        httpPort,
        tlsPort,
        ...(binding === undefined
          ? {}
          : {
              externalAccountBindingRequired: true,
              externalAccountMACKeys: { [binding.keyId]: binding.key },
            }),
        domainBlocklist: ['blocked.example'],
        retryAfter: { authz: 1, order: 1 },
      },
    }),
  )
  const child = spawn(
    findProgram('pebble')!,
    ['-config', inFolder('config.json'), '-dnsserver', `127.0.0.1:${resolver.port}`],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '15' },
    },
  )
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => (log += bytes.toString()))
  }
  const stop = async () => {
    const ended = once(child, 'exit')
    if (child.exitCode === null && child.kill('SIGKILL')) await ended
    resolver.close()
    await rm(folder, { recursive: true, force: true })
  }
  const { transport, close } = httpsTransport({ ca: authority.rootPem, idleTimeoutMs: 5000 })
  try {
    let rootPem = ''
    await waitUntil(
      async () => `Pebble answers\n${log}`,
      async () => {
        const url = `https://localhost:${managementPort}/roots/0`
        const response = await transport({ method: 'GET', url }).catch(() => undefined)
        if (response?.status !== 200) return false
        rootPem = utf8Decode(await readBody(response, 100_000))
        return true
      },
    )
    await writeFile(inFolder('ca.pem'), authority.rootPem + rootPem)
    const directory = `https://localhost:${port}/dir`
    return { directory, caFile: inFolder('ca.pem'), rootPem, stop }
  } catch (error) {
    await stop()
    throw error
  } finally {
    close()
  }
}

/** Answers every question for an address with 127.0.0.1, and all others with nothing; over TCP. */
async function startResolver(): Promise<{ port: number; close(): void }> {
  const server = createServer((socket) => {
    let received = Buffer.alloc(0)
    socket.on('error', () => socket.destroy())
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes])
      if (received.length < 2) return
      const length = received.readUInt16BE(0)
      if (received.length < 2 + length) return
      const reply = answerQuestion(received.subarray(2, 2 + length))
      const prefix = Buffer.alloc(2)
      prefix.writeUInt16BE(reply.length)
      socket.end(Buffer.concat([prefix, reply]))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

function answerQuestion(query: Buffer): Buffer {
  let end = 12
  while (query[end] !== 0) end += query[end]! + 1
  const isGone = query.toString('latin1', 13, 13 + query[12]!).startsWith('gone')
  const isAddress = query.readUInt16BE(end + 1) === 1 && !isGone
  const head = Buffer.alloc(12)
  query.copy(head, 0, 0, 2)
  // An authoritative answer; there is no such name where it is gone.
  head.writeUInt16BE(isGone ? 0x8583 : 0x8580, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(isAddress ? 1 : 0, 6)
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1])
  return Buffer.concat([head, query.subarray(12, end + 5), ...(isAddress ? [record] : [])])
}
