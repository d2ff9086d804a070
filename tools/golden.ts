/**
 * Golden files: expected text that lies beside its test and is shown in every diff, and the pages
 * of docs/api and docs/reference. `npm run golden` rewrites them.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Throws `AssertionError` unless the file holds exactly this text; with `SEAWORTHY_GOLDEN=write` it
 * is written instead.
 */
export function expectGolden(file: URL, actual: string): void {
  if (!/\.golden\.\w+$|\/docs\/(?:api|reference)\/[\w-]+\.md$/.test(file.pathname))
    throw new Error(`${file.pathname} is not a golden file`)
  if (process.env['SEAWORTHY_GOLDEN'] === 'write') {
    writeFileSync(file, actual)
    return
  }
  assert.equal(
    actual,
    readGolden(file),
    `${file.pathname} differs: npm run golden, then read the diff`,
  )
}

function readGolden(file: URL): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}
