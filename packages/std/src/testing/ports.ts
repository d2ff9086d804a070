/**
 * Loopback ports for programs that must be told one, and for servers that come back on the same
 * one.
 */
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { randomBelow, systemRandom } from '../random.ts'

/**
 * The range lies below the system's ephemeral ports: nobody gets one of these by chance while its
 * owner is away.
 */
const firstPort = 20_000
const portsCount = 10_000

/**
 * A free port that no other test file of this run gets, even while nothing listens on it. Test
 * files tell each other in a folder that the runner names.
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
