/**
 * Checks that run before anything is made: a server that cannot run leaves nothing behind, and says
 * why in one sentence.
 */
import { chmod, stat } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { makeFolders } from '@seaworthy/oci/folders'
import { describeSystemError, findSystemCode } from '@seaworthy/std/system-errors'

/** The server was started in a wrong place or in a wrong way; the message says what to do. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

/**
 * Throws `StartError` where the workers could not listen, as the option says. Port 0 is always
 * free.
 */
export async function checkPort(
  option: '--listen' | '--http-listen',
  { host, port }: { host: string; port: number },
): Promise<void> {
  const probe = createServer()
  try {
    probe.listen(port, host)
    await once(probe, 'listening')
  } catch (cause) {
    const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
    const why = describeSystemError(cause)
    if (why === undefined) throw cause
    const wayOut =
      findSystemCode(cause) === 'EACCES'
        ? `choose a port from 1024 with ${option}, or let systemd or CAP_NET_BIND_SERVICE allow it`
        : `stop it, or choose another address or port with ${option}`
    throw new StartError(`cannot listen on ${where}: ${why}; ${wayOut}`, { cause })
  } finally {
    probe.close()
  }
}

/** Makes the folder and closes it to others. Throws `StartError` where it cannot be used. */
export async function openDataDir(dataDir: string, uid: number): Promise<void> {
  await useFolder('--data-dir', dataDir, async () => {
    makeFolders(dataDir, 0o711)
    const { uid: owner } = await stat(dataDir)
    if (uid !== 0 && owner !== uid) {
      throw new StartError(
        `the data folder ${dataDir} belongs to another account (uid ${owner}, this is uid ${uid}): run the server as that account, or choose another --data-dir`,
      )
    }
    // When the server runs as root, PostgreSQL's own account must be able to pass; everything
    // private in the folder is closed by itself.
    await chmod(dataDir, uid === 0 ? 0o711 : 0o700)
  })
}

/**
 * Throws `StartError` for a database that another account made, because this one cannot open it.
 * `account` is PostgreSQL's.
 */
export async function checkDatabaseOwner(dataDir: string, account: number): Promise<void> {
  const facts = await stat(join(dataDir, 'postgresql', 'data')).catch(() => undefined)
  if (facts === undefined || facts.uid === account) return
  throw new StartError(
    `the database in ${dataDir} was made by another account (uid ${facts.uid}; now PostgreSQL would run as uid ${account}): start the server as it was started before, or choose another --data-dir`,
  )
}

/** Turns a system error about a folder that an option names into one sentence that names both. */
export async function useFolder<T>(
  option: string,
  folder: string,
  use: () => Promise<T>,
): Promise<T> {
  try {
    return await use()
  } catch (cause) {
    if (cause instanceof StartError) throw cause
    // A file in the folder's place is `EEXIST`, which a person would read as the opposite.
    const isFile = findSystemCode(cause) === 'EEXIST'
    const why = isFile ? 'it is a file, not a folder (EEXIST)' : describeSystemError(cause)
    if (why === undefined) throw cause
    throw new StartError(`${option} ${folder} cannot be used: ${why}; choose another folder`, {
      cause,
    })
  }
}
