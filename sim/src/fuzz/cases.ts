/**
 * Cases: which bytes are case number n of a target under a seed. Each can be made again without
 * those before it.
 */
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import { utf8Encode } from '@seaworthy/std/bytes'
import { randomBelow, seededRandom } from '@seaworthy/std/random'
import { mutateBytes, mutateJson } from './mutate.ts'
import type { FuzzTarget } from './target.ts'

const anyJson = fc.jsonValue({ maxDepth: 4, noUnicodeString: false, stringUnit: anyCodePoint })
const anyText = fc.string({ unit: anyCodePoint, maxLength: 200 })
const anyBytes = fc.uint8Array({ maxLength: 600 })

/** A number of its own for each case, so that neighbouring ones have nothing in common. */
function mixSeed(seed: number, name: string, caseNumber: number): number {
  let hash = seed >>> 0
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return Math.imul(hash ^ caseNumber, 0x9e3779b1) ^ (caseNumber >>> 3)
}

/** The bytes of one case: out of a good seed, or, one time in sixteen, out of nothing. */
export async function makeCase(
  target: FuzzTarget,
  seed: number,
  caseNumber: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const caseSeed = mixSeed(seed, target.name, caseNumber)
  const random = seededRandom(caseSeed)
  const origin = randomBelow(random, 32)
  // A good case comes now and then: a parser that refuses everything is no parser.
  if (origin === 0) {
    const good = new Uint8Array(target.seeds[randomBelow(random, target.seeds.length)]!)
    return target.wrap ? target.wrap(good) : good
  }
  let bytes: Uint8Array<ArrayBuffer>
  if (origin <= 2) {
    bytes = draw(target, caseSeed)
  } else {
    const good = target.seeds[randomBelow(random, target.seeds.length)]!
    const other = target.seeds[randomBelow(random, target.seeds.length)]!
    const isStructural = target.form === 'json' && randomBelow(random, 3) > 0
    bytes = isStructural ? mutateJson(random, good) : mutateBytes(random, good, other)
  }
  return target.wrap && randomBelow(random, 3) > 0 ? target.wrap(bytes) : bytes
}

function draw(target: FuzzTarget, seed: number): Uint8Array<ArrayBuffer> {
  const settings = { seed, numRuns: 1 }
  if (target.form === 'json') {
    return utf8Encode(JSON.stringify(fc.sample(anyJson, settings)[0]))
  }
  const isText = seed % 2 === 0
  return isText
    ? utf8Encode(fc.sample(anyText, settings)[0]!)
    : new Uint8Array(fc.sample(anyBytes, settings)[0]!)
}

/** How many of `total` cases go to each target, by weight, at least one. */
export function shareCases(targets: readonly FuzzTarget[], total: number): number[] {
  const sum = targets.reduce((weight, target) => weight + target.weight, 0)
  return targets.map(({ weight }) => Math.ceil((total * weight) / sum))
}
