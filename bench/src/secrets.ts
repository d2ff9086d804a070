import { diffieHellman, generateKeyPairSync } from 'node:crypto'
import { nodeSealing } from '@seaworthy/cli/sealing'
import { utf8Encode } from '@seaworthy/std/bytes'
import { createEnvelope, generateReceivingKey } from '@seaworthy/trust/hpke'
import type { Comparison } from './lib/measure.ts'
import { medianOf, takeTurns } from './lib/measure.ts'

export const title = 'sealing one secret for 10,000 devices'

const devicesCount = 10_000
const perSecondMin = 5000
const rounds = 5

/** Milliseconds of processor time of all threads: what the work takes on one core. */
async function processorMs(action: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await action()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

export async function run(log: (line: string) => void): Promise<Comparison[]> {
  const keys: Uint8Array<ArrayBuffer>[] = []
  for (let i = 0; i < devicesCount; i++) keys.push((await generateReceivingKey()).publicKey)
  const envelope = await createEnvelope(utf8Encode('bench'), { platform: nodeSealing })
  const secret = crypto.getRandomValues(new Uint8Array(64))

  const sealAll = async () => {
    for (const [i, key] of keys.entries()) {
      await envelope.seal(key, utf8Encode(`device ${i}`), secret)
    }
  }
  const { publicKey } = generateKeyPairSync('x25519')
  const agreeAll = async () => {
    for (let i = 0; i < devicesCount; i++) {
      diffieHellman({ privateKey: generateKeyPairSync('x25519').privateKey, publicKey })
    }
  }

  const times = await takeTurns(
    { ours: () => processorMs(sealAll), theirs: () => processorMs(agreeAll) },
    rounds,
  )
  const [ours, theirs] = [medianOf(times.ours), medianOf(times.theirs)]
  const perSecond = devicesCount / (ours / 1000)
  log(`${perSecond.toFixed(0)} secrets sealed in a second of one core`)
  return [
    {
      name: 'sealing for 10,000 devices, processor time',
      baseline: "the curve's arithmetic alone",
      ...{ ours, theirs, unit: 'ms', ratio: ours / theirs },
      target: `at least ${perSecondMin} a second`,
      isMet: perSecond >= perSecondMin,
    },
  ]
}
