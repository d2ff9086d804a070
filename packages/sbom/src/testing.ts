/** Trees for tests, given to the scanner file by file. */
import { utf8Encode } from '@seaworthy/std/bytes'
import type { Scan } from './scan.ts'
import { createScanner } from './scan.ts'

export function scanFiles(
  files: Iterable<readonly [path: string, pieces: readonly Uint8Array[]]>,
): Scan {
  const scanner = createScanner()
  for (const [path, pieces] of files) {
    scanner.beginFile(
      path,
      pieces.reduce((sum, piece) => sum + piece.length, 0),
    )
    for (const piece of pieces) scanner.writeFile(piece)
    scanner.endFile()
  }
  return scanner.finish()
}

export const scanTexts = (files: Readonly<Record<string, string>>) =>
  scanFiles(Object.entries(files).map(([path, text]) => [path, [utf8Encode(text)]] as const))
export const shown = ({ components }: Scan) =>
  components.map(({ type, name, version }) => `${type} ${name} ${version}`.trimEnd())
