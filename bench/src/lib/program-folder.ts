/** A folder like that of a release of programs, the same each time. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { randomBelow, seededRandom } from '@seaworthy/std/random'

export const fileCount = 3000
const totalBytes = 220_000_000

/** Files of many sizes whose content compresses to about a third, as programs do. */
export async function makeProgramFolder(folder: string): Promise<void> {
  const random = seededRandom(2026)
  const words = Array.from({ length: 4000 }, () =>
    Buffer.from(random.bytes(2 + randomBelow(random, 9))),
  )
  const weights = Array.from({ length: fileCount }, () => random.fraction() ** 4 + 0.01)
  const sum = weights.reduce((a, b) => a + b, 0)
  for (const [i, weight] of weights.entries()) {
    if (i % 100 === 0) await mkdir(join(folder, `d${i / 100}`), { recursive: true })
    const size = Math.round((weight / sum) * totalBytes)
    const parts: Buffer[] = []
    for (let length = 0; length < size; length += parts.at(-1)!.length) {
      parts.push(words[Math.floor(4000 * random.fraction() ** 2)]!)
    }
    await writeFile(join(folder, `d${Math.floor(i / 100)}`, `f${i}`), Buffer.concat(parts))
  }
}
