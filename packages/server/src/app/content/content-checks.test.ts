import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReleaseFault } from '@seaworthy/oci/release-content'
import { Refusal } from '@seaworthy/std/refusal'
import { waitUntil } from '@seaworthy/std/testing'
import type { ContentVerdict } from '../app.ts'
import { createContentChecks } from './content-checks.ts'

const atOnceMax = 2
const waitingPerProductMax = 20

const good: ContentVerdict = {
  claims: {
    product: 'web',
    version: '1',
    kind: 'bundle',
    platforms: ['linux/amd64'],
    length: 1,
    sha512: '',
  },
  totalBytes: 1,
  platforms: [],
}

/** Checks whose reading ends when the test says so. */
function start() {
  const checks = createContentChecks()
  const begun: string[] = []
  const ends = new Map<string, PromiseWithResolvers<ContentVerdict>>()
  const signals = new Map<string, AbortSignal>()
  const check = (product: string, digest: string, leaving?: AbortSignal) => {
    const name = `${product}/${digest}`
    const ending = Promise.withResolvers<ContentVerdict>()
    if (!ends.has(name)) ends.set(name, ending)
    const checked = checks.check(
      { product, digest },
      async (signal) => {
        begun.push(name)
        signals.set(name, signal)
        signal.addEventListener('abort', () => ends.get(name)!.reject(signal.reason))
        return await ends.get(name)!.promise
      },
      leaving,
    )
    checked.catch(() => {})
    return checked
  }
  const end = async (name: string, verdict: ContentVerdict = good) => {
    ends.get(name)!.resolve(verdict)
    await new Promise(setImmediate)
  }
  return {
    check,
    end,
    fail: (name: string) => ends.get(name)!.reject(new Error('disk')),
    begun,
    signals,
  }
}

const coded = (code: string) => (error: unknown) => error instanceof Refusal && error.code === code

test('V4 T9 one builder’s slow content delays no other product', async () => {
  const { check, end, begun } = start()
  const slow = Array.from({ length: waitingPerProductMax }, (_, i) => check('slow', String(i)))
  const other = check('other', 'a')
  assert.deepEqual(begun, ['slow/0', 'other/a'])
  await end('other/a')
  await other
  assert.deepEqual(begun, ['slow/0', 'other/a'], 'one product has one check under way')
  for (let i = 0; i < slow.length; i++) await end(`slow/${i}`)
  await Promise.all(slow)
})

test('V4 T9 products take turns, and no more are read at once than a worker can bear', async () => {
  const { check, end, begun } = start()
  const all = ['a', 'b', 'c'].flatMap((product) => [check(product, '1'), check(product, '2')])
  assert.equal(begun.length, atOnceMax)
  for (let i = 0; i < all.length; i++) await end(begun[i]!)
  await Promise.all(all)
  assert.deepEqual(begun, ['a/1', 'b/1', 'c/1', 'a/2', 'b/2', 'c/2'])
})

test('T9 more than wait already are refused with the time to come back', async () => {
  const { check } = start()
  for (let i = 0; i <= waitingPerProductMax; i++) void check('web', String(i))
  await assert.rejects(check('web', 'more'), coded('content_checks_waiting'))
  void check('other', 'a')
})

test('T9 equal content is read once, whoever asks, and never again', async () => {
  const { check, end, begun } = start()
  const both = [check('web', 'a'), check('web', 'a')]
  await end('web/a')
  await Promise.all(both)
  await check('web', 'a')
  assert.deepEqual(begun, ['web/a'])
})

test('T9 a refusal that the content deserves is remembered, and a fault of the store is not', async () => {
  const { check, end, fail, begun } = start()
  const bad = check('web', 'bad')
  await end('web/bad', new Refusal<ReleaseFault>('zstd_damaged', 'damaged'))
  await assert.rejects(bad, coded('zstd_damaged'))
  await assert.rejects(check('web', 'bad'), coded('zstd_damaged'))
  const lost = check('web', 'lost')
  fail('web/lost')
  await assert.rejects(lost, /disk/)
  await assert.rejects(check('web', 'lost'), /disk/)
  assert.deepEqual(begun, ['web/bad', 'web/lost', 'web/lost'])
})

test('T9 a check that everybody has left ends and frees its place; one that somebody waits for goes on', async () => {
  const { check, end, begun, signals } = start()
  const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()]
  const first = check('web', 'a', one.signal)
  const second = check('web', 'a', two.signal)
  const waiting = check('web', 'b', three.signal)
  const next = check('web', 'c')
  one.abort()
  await assert.rejects(first, coded('caller_left'))
  assert.equal(signals.get('web/a')!.aborted, false)
  three.abort()
  await assert.rejects(waiting, coded('caller_left'))
  two.abort()
  await assert.rejects(second, coded('caller_left'))
  assert.equal(signals.get('web/a')!.aborted, true)
  await waitUntil('the next one is read', () => begun.length === 2)
  assert.deepEqual(begun, ['web/a', 'web/c'])
  await end('web/c')
  await next
})
