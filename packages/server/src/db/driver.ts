/**
 * The PostgreSQL driver, patched in memory while it is loaded. In 3.4.9, a connection that is lost
 * while a small write waits for the end of the event loop's turn ends the whole process
 * (porsager/postgres issue 1208), or never writes again (`nextWriteTimer` and `chunk` outlive it).
 * This file goes once a release has both fixes; until then the server refuses to start with a
 * driver that lacks the passages to mend.
 */
import { registerHooks } from 'node:module'

const repairs = [
  [
    `    const x = socket.write(chunk, fn)
    nextWriteTimer !== null && clearImmediate(nextWriteTimer)`,
    `    if (socket === null) {
      chunk = nextWriteTimer = null
      error(Errors.connection('CONNECTION_CLOSED', options))
      return false
    }
    const x = socket.write(chunk, fn)
    nextWriteTimer !== null && clearImmediate(nextWriteTimer)`,
  ],
  [
    `    incomings = null
    clearImmediate(nextWriteTimer)
    socket.removeListener('data', data)`,
    `    incomings = null
    clearImmediate(nextWriteTimer)
    chunk = nextWriteTimer = null
    socket.removeListener('data', data)`,
  ],
] as const

const hooks = registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (!url.endsWith('/postgres/src/connection.js')) return loaded
    let source = Buffer.from(loaded.source as Uint8Array).toString()
    for (const [known, repaired] of repairs) {
      if (!source.includes(known)) throw new Error('the PostgreSQL driver is not the known one')
      source = source.replace(known, () => repaired)
    }
    return { ...loaded, source }
  },
})
export const { default: postgres } = await import('postgres')
hooks.deregister()
