/** Files of the audit log, and what this browser remembers of it between visits. */
import type { Transport } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'

/** The server did not serve a file of the log, or what it served was not understood. */
export class LogReadError extends Error {
  override readonly name = 'LogReadError'
}

export interface LogFiles {
  /** A file below the log’s prefix; `undefined` where there is none. */
  readonly read: (
    path: string,
    bytesMax: number,
    signal: AbortSignal,
  ) => Promise<Uint8Array | undefined>
  readonly memory: KeptText
}

/** One text, kept by the browser for this server alone. */
export interface KeptText {
  readonly read: () => string | undefined
  readonly write: (text: string | undefined) => void
}

export function createLogFiles(origin: string, transport: Transport, memory: KeptText): LogFiles {
  return {
    memory,
    async read(path, bytesMax, signal) {
      const reply = await transport({ method: 'GET', url: `${origin}/log/${path}`, signal })
      const bytes = await readBody(reply, bytesMax)
      if (reply.status === 404) return undefined
      if (reply.status !== 200) throw new LogReadError(`the log answered with ${reply.status}`)
      return bytes
    },
  }
}

const memoryName = 'seaworthy-log'

/** A browser may refuse to keep anything: then every visit is the first one. */
export function createLogMemory(storage: () => Storage): KeptText {
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work()
    } catch (error) {
      if (error instanceof DOMException) return undefined
      throw error
    }
  }
  return {
    read: () => attempt(() => storage().getItem(memoryName)) ?? undefined,
    write(text) {
      attempt(() => {
        if (text === undefined) storage().removeItem(memoryName)
        else storage().setItem(memoryName, text)
      })
    },
  }
}
