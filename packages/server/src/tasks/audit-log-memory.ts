/**
 * What this host knows of the log, in a file outside the database: the newest checkpoint that it
 * signed or saw. A database that knows less, or something else, was restored from an old copy or
 * rewritten. Every host keeps its own memory up to date, whichever host leads, so that any of them
 * notices, and one that takes over begins where the others stopped.
 */
import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { hexEncode, utf8Encode } from '@seaworthy/std/bytes'
import { secondMs } from '@seaworthy/std/time'
import type { TreeHead } from '@seaworthy/trust/tlog'
import { LogError, verifyCheckpoint, verifyLog } from '@seaworthy/trust/tlog'
import type { App } from '../app/app.ts'
import type { LogKeeper } from '../app/access/index.ts'
import { nodeSha256, readCheckpoint, readLogTile, verifyLogState } from '../app/access/index.ts'

export interface LogMemory {
  /**
   * Answers the stored head once it was found to contain what is remembered, and then remembers it.
   * Throws `LogError` when the two contradict each other, and `DamagedMemoryError` when the file
   * tells nothing; reports both in the server's health until they no longer hold.
   */
  compare(): Promise<TreeHead>
  /** Remembers a checkpoint that this host has signed. */
  keep(checkpoint: string): Promise<void>
}

const watchMs = 5 * secondMs

/** The file in the data folder of a host. */
export function logMemoryFile(dataDir: string): string {
  return join(dataDir, 'log-checkpoint')
}

/** Removes what a process left behind that was killed while it wrote. None may be running. */
export async function sweepLogMemory(file: string): Promise<void> {
  const folder = dirname(file)
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(file)}.`) || !name.endsWith('.new')) continue
    await rm(join(folder, name), { force: true })
  }
}

/** The file is there, but it is no checkpoint of this log: that says nothing about the log. */
class DamagedMemoryError extends Error {
  override readonly name = 'DamagedMemoryError'
}

const damaged = (file: string, cause: Error & { readonly code?: string | undefined }) =>
  new DamagedMemoryError(
    `log_memory_damaged: ${file} cannot be read as the last checkpoint that this host knows (${cause.code ?? cause.name}); this says nothing about the log, which was not compared. Run \`seaworthy log verify\` where somebody has used this server before; once that agrees, remove ${file}. Nothing is added until then.`,
    { cause },
  )

export function createLogMemory(
  app: Pick<App, 'db' | 'health' | 'random'>,
  keeper: LogKeeper,
  file: string,
): LogMemory {
  const verify = (text: string) =>
    verifyCheckpoint(utf8Encode(text), {
      origin: keeper.origin,
      logKeys: [keeper.signer.key],
      witnesses: [],
      witnessesMin: 0,
    })

  const read = async (): Promise<TreeHead | undefined> => {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw damaged(file, error)
    })
    try {
      return text === undefined ? undefined : await verify(text)
    } catch (error) {
      if (error instanceof LogError) throw damaged(file, error)
      throw error
    }
  }

  // Several workers of a host may write at the same time.
  const keep = async (checkpoint: string) => {
    const temporary = `${file}.${hexEncode(app.random.bytes(4))}.new`
    await writeDurably(file, temporary, checkpoint)
  }

  const compare = async () => {
    const remembered = await read()
    const state = await readCheckpoint(app.db.reader)
    const current = await verifyLogState(state, keeper)
    if (remembered !== undefined) {
      await verifyLog({
        remembered,
        current,
        sha256: nodeSha256,
        fetch: (path) => readLogTile(app.db.reader, path),
      })
    }
    if (current.size > ((await read())?.size ?? -1)) await keep(state.checkpoint)
    return current
  }

  return {
    keep,
    async compare() {
      try {
        const current = await compare()
        app.health.report('audit-log', null)
        return current
      } catch (error) {
        if (error instanceof DamagedMemoryError) app.health.report('audit-log', error.message)
        if (error instanceof LogError) {
          app.health.report(
            'audit-log',
            `${error.code}: the stored log contradicts ${file}, the last checkpoint that this host knows; it was cut, rewritten or restored from an old copy. Nothing is added until a person has removed that file.`,
          )
        }
        throw error
      }
    },
  }
}

/**
 * Keeps the memory of a host that does not lead up to date, until the returned function is called.
 */
export function watchLog(app: Pick<App, 'log' | 'sleep'>, memory: LogMemory): () => Promise<void> {
  const stopping = new AbortController()
  const watch = async () => {
    while (!stopping.signal.aborted) {
      await app.sleep(watchMs, stopping.signal).catch(() => undefined)
      if (stopping.signal.aborted) return
      try {
        await memory.compare()
      } catch (error) {
        app.log.warn('log.not-compared', { error })
      }
    }
  }
  const watching = watch()
  return async () => {
    stopping.abort()
    await watching
  }
}

async function writeDurably(path: string, temporary: string, text: string): Promise<void> {
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
