/** What holds of every page in every state. */
import assert from 'node:assert/strict'
import type { Person } from './browser.ts'
import { findBarriers } from './browser.ts'

/** axe finds no barrier, nothing is wider than the window, and the browser complains of nothing. */
export async function assertGood({ page, complaints }: Person, what: string): Promise<void> {
  assert.deepEqual(await findBarriers(page), [], what)
  const isCut = await page.evaluate(
    () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
  )
  assert.ok(!isCut, `${what} fits into the window`)
  assert.deepEqual(complaints, [], what)
}
