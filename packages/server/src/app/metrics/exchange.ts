/**
 * How one worker learns what all processes of its server have counted: the primary process asks
 * each of them.
 */
import type { Snapshot } from './meter.ts'

export interface SnapshotExchange {
  /** Answers what all processes of this server, this one included, have counted together. */
  gather(): Promise<Snapshot>
}

/**
 * The worker's side: `ask` sends the question with its number to the primary process, which answers
 * by `receive`.
 */
export interface ExchangeEnd extends SnapshotExchange {
  receive(id: number, snapshot: Snapshot): void
}

export function createExchangeEnd(ask: (id: number) => void): ExchangeEnd {
  let lastId = 0
  const waiting = new Map<number, (snapshot: Snapshot) => void>()
  return {
    gather() {
      const id = ++lastId
      const { promise, resolve } = Promise.withResolvers<Snapshot>()
      waiting.set(id, resolve)
      ask(id)
      return promise
    },
    receive(id, snapshot) {
      waiting.get(id)?.(snapshot)
      waiting.delete(id)
    },
  }
}
