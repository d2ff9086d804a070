/**
 * Reads every record of real databases. `SEAWORTHY_RESPONSE_DATA` names a folder whose `osv` holds
 * records, and whose `csaf` holds advisories, as JSON.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseAnyJson } from '@seaworthy/std/json'
import { readCsaf, readRecord } from './index.ts'

const folder = process.env['SEAWORTHY_RESPONSE_DATA']
const skip = folder === undefined ? 'needs the vulnerability data' : false
const filesOf = (name: string) =>
  globSync(`${name}/**/*.json`, { cwd: folder! }).map((path) => join(folder!, path))

test('R13 every real record is read, or set aside with its reason, part by part', { skip }, (t) => {
  const files = filesOf('osv')
  assert.ok(files.length > 0)
  let parts = 0
  const whys = new Map<string, number>()
  for (const file of files) {
    const bytes = readFileSync(file)
    const record = readRecord(bytes)
    const reasons = 'why' in record ? [record.why] : record.faults
    for (const reason of reasons) {
      const kind = reason.replaceAll(/\d+/g, 'N')
      whys.set(kind, (whys.get(kind) ?? 0) + 1)
    }
    if ('why' in record) continue
    const { affected = [] } = parseAnyJson(bytes) as { affected?: unknown[] }
    const setAside = new Set(record.faults.map((fault) => /^affected \d+/.exec(fault)?.[0]))
    assert.ok(record.affected.length + setAside.size >= affected.length, file)
    parts += record.affected.length
  }
  t.diagnostic(`${files.length} records, ${parts} parts; set aside: ${JSON.stringify([...whys])}`)
})

test('R13 every real advisory is read without a fault', { skip }, (t) => {
  const files = filesOf('csaf')
  assert.ok(files.length > 0)
  let products = 0
  for (const file of files) {
    const advisory = readCsaf(readFileSync(file))
    assert.ok('products' in advisory, file)
    assert.deepEqual(advisory.faults, [], file)
    products += advisory.products.size
  }
  t.diagnostic(`${files.length} advisories, ${products} products`)
})
