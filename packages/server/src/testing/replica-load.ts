/** Devices of several servers, and what they were told. */
import assert from 'node:assert/strict'
import { systemSleep } from '@seaworthy/std/time'
import type { Db } from '../db/connection.ts'
import type { TestDevice } from './device.ts'
import { report } from './device.ts'
import type { TestClient } from './people.ts'

export interface ReplicaLoad {
  acknowledgedCount(): number
  /** The number of devices that were told to run something. */
  toldCount(): number
  stop(): Promise<void>
  /**
   * Checks that nothing acknowledged is missing, and that every device was told this release or
   * nothing.
   */
  check(db: Db, sha256: string): Promise<void>
  /** All answers with an error that is the server's own fault. */
  mistakes(): string[]
}

/**
 * Lets every device ask without end, with and without signature, now here and now there, as behind
 * a load balancer without memory.
 */
export function startReplicaLoad(
  devices: readonly TestDevice[],
  replicas: () => readonly { readonly client: TestClient }[],
): ReplicaLoad {
  let isStopped = false
  const mistakes: string[] = []
  const acknowledged = new Map<string, number[]>()
  const told = new Map<string, Set<string>>()
  const lines = devices.map(async (device, line) => {
    const own: number[] = []
    const answers = new Set<string>()
    acknowledged.set(device.id, own)
    told.set(device.id, answers)
    for (let sequence = 1; !isStopped; sequence++) {
      const isSigned = sequence % 2 === 1
      const present = replicas()
      const { client } = present[(line + sequence) % present.length]!
      try {
        const reply = await report(
          client,
          device,
          { sequence: isSigned ? sequence : sequence - 1 },
          isSigned,
        )
        if (isSigned) {
          assert.equal(reply.acknowledgedSequence, sequence)
          own.push(sequence)
        }
        const sha256 = reply.assignment?.sha256
        // A device that was told once is told the same again, whichever replica answers.
        if (answers.size > 0 && sha256 === undefined) answers.add('nothing')
        if (sha256 !== undefined) answers.add(sha256)
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error
        if (error instanceof Error && error.name === 'ProblemError') mistakes.push(error.message)
        // The report was not acknowledged, so nothing is promised about it.
        await systemSleep(10)
      }
      await systemSleep(20)
    }
  })
  return {
    mistakes: () => mistakes,
    acknowledgedCount: () =>
      [...acknowledged.values()].reduce((sum, { length }) => sum + length, 0),
    toldCount: () => [...told.values()].filter(({ size }) => size > 0).length,
    async stop() {
      isStopped = true
      await Promise.all(lines)
    },
    async check({ reader }, released) {
      for (const [deviceId, sequences] of acknowledged) {
        const rows = await reader.sql<{ sequence: number }[]>`
          select sequence from device_reports where device = ${deviceId}`
        const stored = new Set(rows.map(({ sequence }) => sequence))
        const lost = sequences.filter((sequence) => !stored.has(sequence))
        assert.deepEqual(lost, [], `acknowledged reports of ${deviceId}`)
      }
      for (const [deviceId, answers] of told) {
        assert.ok(answers.size <= 1, `${deviceId} was told ${[...answers].join(' and ')}`)
        for (const sha256 of answers) assert.equal(sha256, released)
      }
    },
  }
}
