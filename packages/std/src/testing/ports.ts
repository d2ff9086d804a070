/** Ports of the loopback for programs that must be told one, and for servers that come back on theirs. */
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { randomBelow, systemRandom } from '../random.ts'

/** Below what the system gives to those who ask for any port: nobody gets one of these by chance while its owner is away. */
const firstPort = 20_000
const portsCount = 10_000

/**
 * A port that is free, and that no other test file of this run gets (the runner names the folder in which they tell each other), also while
 * nothing listens on it.
 */
export async function claimPort(): Promise<number> {
  for (;;) {
    const port = firstPort + randomBelow(systemRandom, portsCount)
    if ((await isFree(port)) && (await isOurs(port))) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false
    throw error
  }
  server.close()
  await once(server, 'close')
  return true
}

async function isOurs(port: number): Promise<boolean> {
  const shared = process.env['SEAWORTHY_TEST_SHARED']
  if (shared === undefined) return true
  const folder = join(shared, 'ports')
  await mkdir(folder, { recursive: true })
  return writeFile(join(folder, String(port)), '', { flag: 'wx' }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
      return false
    },
  )
}
