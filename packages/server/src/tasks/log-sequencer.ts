/**
 * Gives audit entries their places in the log. This host remembers, outside of the database, the last checkpoint it
 * signed: a database that knows less, or something else, was restored from an old copy or rewritten, and gets no
 * further signature until a person has looked.
 */
import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { utf8Encode } from '@seaworthy/std/bytes'
import type { TreeHead } from '@seaworthy/trust/tlog'
import { LogError, verifyCheckpoint, verifyLog } from '@seaworthy/trust/tlog'
import type { App } from '../app/app.ts'
import {
  nodeSha256,
  readCheckpoint,
  readLogTile,
  sequenceEntries,
  verifyLogState,
} from '../app/audit-log.ts'
import type { Task } from './leader.ts'

const everyMs = 500
/** So long entries gather before the next checkpoint is signed. */
const gatherMs = 30

export function createLogSequencer(app: App, memoryFile: string): Task {
  const keeper = { signer: app.secrets.logSigner, origin: app.secrets.logOrigin }
  let remembered: TreeHead | undefined
  let isChecked = false

  const checkMemory = async () => {
    const text = await readFile(memoryFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    const current = await verifyLogState(await readCheckpoint(app.db.reader), keeper)
    if (text !== undefined) {
      const before = await verifyCheckpoint(utf8Encode(text), {
        origin: keeper.origin,
        logKeys: [keeper.signer.key],
        witnesses: [],
        witnessesMin: 0,
      })
      await verifyLog({
        remembered: before,
        current,
        sha256: nodeSha256,
        fetch: (path) => readLogTile(app.db.reader, path),
      })
    }
    remembered = current
    isChecked = true
  }

  return {
    name: 'log-sequencer',
    everyMs,
    async run() {
      try {
        if (!isChecked) await checkMemory()
        for (;;) {
          const head = await sequenceEntries(app.db, keeper, remembered, app.clock.now())
          if (head === undefined) break
          const { checkpoint, size } = await readCheckpoint(app.db.reader)
          if (size > (remembered?.size ?? 0)) {
            await writeDurably(memoryFile, checkpoint)
            remembered = head
          }
          if (!head.isMore) await app.sleep(gatherMs)
        }
        app.health.report('audit-log', null)
      } catch (error) {
        if (error instanceof LogError) {
          app.health.report(
            'audit-log',
            `${error.code}: the stored log contradicts ${memoryFile}, the last checkpoint this host signed; it was cut, rewritten or restored from an old copy. Nothing is added until a person has removed that file.`,
          )
        }
        throw error
      }
    },
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`
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
