import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '@seaworthy/std/refusal'
import fc from 'fast-check'
import { TooOftenRefusal } from '../worker/index.ts'
import { askRecovery } from './recovery-codes.ts'
import { createSlowHashes } from './slow-hashes.ts'

const how = { memoryKiB: 8, passes: 1, salt: new Uint8Array(16) }
const admitAll = () => undefined

test('A1 attack: whoever tries secrets has one hash at a time run, eight wait, a try that the limiter refuses costs nothing, and one that finds no room is not counted (property)', async () => {
  const steps = fc.array(fc.constantFrom('try', 'try too many', 'finish', 'fail'), {
    maxLength: 100,
  })
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const running: PromiseWithResolvers<Uint8Array>[] = []
      let started = 0
      const hashes = createSlowHashes(() => {
        started++
        running.push(Promise.withResolvers<Uint8Array>())
        return running.at(-1)!.promise
      })
      const answers: Promise<unknown>[] = []
      let open = 0
      for (const step of list) {
        const startedBefore = started
        if (step === 'try' && open < 9) {
          answers.push(hashes.hash(admitAll, 'secret', how).catch(() => undefined))
          open++
        } else if (step === 'try') {
          await assert.rejects(
            hashes.hash(() => assert.fail('a try was counted'), 'secret', how),
            (error) =>
              error instanceof TooOftenRefusal &&
              error.code === 'hashes_waiting' &&
              error.retryAfterSeconds > 0,
          )
        } else if (step === 'try too many') {
          const refusal = new Refusal<'no'>('no', 'too many')
          const refuse = () => {
            throw refusal
          }
          const expected = open < 9 ? refusal : { code: 'hashes_waiting' }
          await assert.rejects(hashes.hash(refuse, 'secret', how), expected)
          assert.equal(started, startedBefore)
        } else if (running.length > 0) {
          const hash = running.pop()!
          if (step === 'finish') hash.resolve(new Uint8Array(32))
          else hash.reject(new Error('no memory'))
          open--
        }
        await new Promise((resolve) => setImmediate(resolve))
        assert.equal(running.length, Math.min(open, 1))
      }
      while (open > 0) {
        running.pop()!.resolve(new Uint8Array(32))
        open--
        await new Promise((resolve) => setImmediate(resolve))
      }
      await Promise.all(answers)
    }),
    { numRuns: 50 },
  )
})

test('A9 attack: a stranger’s wrong recovery codes, of either form, run no slow hash', async () => {
  const app = {
    db: { reader: { sql: async () => [] } },
    slowHashes: { hash: () => assert.fail('a slow hash was run') },
  }
  const site = { rpId: 'localhost', origin: 'https://localhost' }
  for (const groups of [6, 7]) {
    const code = Array(groups).fill('0000').join('-')
    await assert.rejects(askRecovery(app as never, code, site, new Date(0)), {
      code: 'recovery_code_wrong',
    })
  }
})
