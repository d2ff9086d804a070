/** Semantic Versioning 2.0 (section 11), with a `v` and missing numbers allowed. */
import { joinKeys, mark, numberKey, textKey } from './key.ts'

const form =
  /^[vV=]?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.+-]*)?$/

/** What was built of it (`+…`) does not count. */
export function semverKey(version: string): Uint8Array | undefined {
  const [, major, minor = '0', patch = '0', pre] = form.exec(version.trim()) ?? []
  if (major === undefined) return undefined
  const numbers = [major, minor, patch].map(numberKey)
  if (pre === undefined) return joinKeys([...numbers, mark(0xff)])
  const identifiers = pre
    .split('.')
    .flatMap((one) =>
      /^\d+$/.test(one) ? [mark(0x02), numberKey(one)] : [mark(0x03), textKey(one)],
    )
  return joinKeys([...numbers, ...identifiers, mark(0x01)])
}
