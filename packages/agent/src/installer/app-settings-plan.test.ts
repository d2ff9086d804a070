import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { unreachable } from '@seaworthy/std/refusal'
import type { AppSettingsTrial } from '../state/device-state.ts'
import type { AppSettingsFacts } from './app-settings-plan.ts'
import { planAppSettings } from './app-settings-plan.ts'

const digest = 'a'.repeat(64)

test('V8 however often its power fails, a device ends with values that were confirmed, or were watched and well (property)', () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.boolean(),
      fc.array(fc.boolean(), { maxLength: 40 }),
      (isWell, isWatchable, cuts) => {
        let trial: AppSettingsTrial | null = { phase: 'trial', version: 2, digest, starts: 0 }
        let given: AppSettingsFacts['given'] = 'confirmed'
        let verdict: AppSettingsFacts['verdict'] = { state: 'pending' }
        let end: 'confirmed' | 'put back' | undefined
        let tries = 0
        for (let i = 0; end === undefined; i++) {
          assert.ok(i < 200, 'it comes to an end')
          if (cuts[i] === true) {
            given = undefined
            verdict = { state: 'pending' }
          }
          const step = planAppSettings(trial, { given, isWatchable, verdict })
          switch (step.do) {
            case 'try':
              tries++
              trial = { ...trial!, starts: trial!.starts + 1 }
              given = 'trial'
              break
            case 'watch':
              assert.equal(given, 'trial', 'it watches what is on trial')
              verdict = isWell ? { state: 'healthy' } : { state: 'failed', code: 'health_failed' }
              break
            case 'confirm':
              assert.equal(given, 'trial')
              assert.ok(!isWatchable || isWell)
              trial = null
              end = 'confirmed'
              break
            case 'begin-undo':
              trial = { ...trial!, phase: 'undo', code: step.code }
              break
            case 'put-back':
              given = 'confirmed'
              break
            case 'finish-undo':
              assert.equal(given, 'confirmed')
              trial = null
              end = 'put back'
              break
            case 'rest':
              assert.fail('a trial is never left as it is')
              break
            default:
              unreachable(step)
          }
        }
        assert.ok(tries <= 3)
        if (!cuts.includes(true))
          assert.equal(end, isWell || !isWatchable ? 'confirmed' : 'put back')
      },
    ),
    { numRuns: 300, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false },
  )
})
