/**
 * Versions of Python (PEP 440). What is of another form comes before all of them, in the order that
 * older tools gave it.
 */
import { joinKeys, mark, numberKey, textKey } from './key.ts'

const form =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|beta|preview|pre|a|b|c|rc)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(?:post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/
const isPost = /(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)(?:[-_.]?dev[-_.]?\d*)?(?:\+.*)?$/
const preLetters: Readonly<Record<string, number>> = {
  ...{ a: 0x02, alpha: 0x02, b: 0x03, beta: 0x03 },
  ...{ c: 0x04, rc: 0x04, pre: 0x04, preview: 0x04 },
}
const lowest = 0x01
const highest = 0xff

export function pythonKey(version: string): Uint8Array {
  const text = version.trim().toLowerCase()
  const match = form.exec(text)
  if (match === null) return joinKeys([mark(0x01), legacyKey(text)])
  const [, epoch = '0', release, letter, preNumber = '', dash, post, dev, devNumber = ''] = match
  const local = match[9]
  const hasPost = dash !== undefined || (post !== undefined && isPost.test(text))
  const pre = () => {
    if (letter !== undefined) return joinKeys([mark(preLetters[letter]!), numberKey(preNumber)])
    return mark(!hasPost && dev !== undefined ? lowest : highest)
  }
  const numbers = release!.split('.')
  while (numbers.length > 1 && /^0*$/.test(numbers.at(-1)!)) numbers.pop()
  return joinKeys([
    ...[mark(0x02), numberKey(epoch)],
    ...numbers.flatMap((number) => [mark(0x02), numberKey(number)]),
    ...[mark(0x01), pre()],
    hasPost ? joinKeys([mark(0x02), numberKey(dash ?? post!)]) : mark(lowest),
    dev === undefined ? mark(highest) : joinKeys([mark(0x02), numberKey(devNumber)]),
    localKey(local),
  ])
}

/** Numbers come behind words, and a longer one behind its beginning. */
function localKey(local: string | undefined): Uint8Array {
  if (local === undefined) return mark(0x00)
  const parts = local
    .split(/[-_.]/)
    .flatMap((part) =>
      /^\d+$/.test(part) ? [mark(0x03), numberKey(part)] : [mark(0x02), textKey(part)],
    )
  return joinKeys([...parts, mark(0x01)])
}

const legacyWords: Readonly<Record<string, string>> = {
  ...{ pre: 'c', preview: 'c', '-': 'final-', rc: 'c', dev: '@' },
}

/** The order of setuptools before PEP 440. */
function legacyKey(text: string): Uint8Array {
  const parts: string[] = []
  for (const [found] of text.matchAll(/\d+|[a-z]+|\.|-|[^\da-z.-]+/g)) {
    const word = legacyWords[found] ?? found
    if (word === '.') continue
    if (/^\d/.test(word)) {
      parts.push(word.replace(/^0+/, '').padStart(8, '0'))
      continue
    }
    const marked = `*${word}`
    if (marked < '*final') while (parts.at(-1) === '*final-') parts.pop()
    while (parts.at(-1) === '00000000') parts.pop()
    parts.push(marked)
  }
  while (parts.at(-1) === '00000000') parts.pop()
  parts.push('*final')
  return joinKeys([...parts.map(textKey), mark(0)])
}
