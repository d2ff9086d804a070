/**
 * What no JSON value of a request may contain, because neither PostgreSQL nor a signature could
 * hold it.
 */

const depthMax = 64

/**
 * Why a parsed value is refused, or `undefined`. Refused are texts with a NUL character or half of
 * a surrogate pair, which JSON can write and UTF-8 or PostgreSQL cannot, and nesting that would
 * exhaust the stack of whoever serializes it again.
 */
export function findUnstorable(root: unknown): string | undefined {
  const waiting: { value: unknown; depth: number }[] = [{ value: root, depth: 0 }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, depth } = next
    if (typeof value === 'string' && !isStorableText(value)) return notText
    if (typeof value !== 'object' || value === null) continue
    if (depth >= depthMax) return `nested more than ${depthMax} deep`
    for (const name in value) {
      if (!isStorableText(name)) return notText
      waiting.push({ value: (value as Record<string, unknown>)[name], depth: depth + 1 })
    }
  }
  return undefined
}

const notText = 'a text has a NUL character or half of a surrogate pair'

function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}
