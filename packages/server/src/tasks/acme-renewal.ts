/** Gets and renews the certificate of an ACME authority. */
import { secondMs } from '@seaworthy/std/time'
import type { AcmeSettings } from '../app/acme/index.ts'
import { renewByAcme } from '../app/acme/index.ts'
import type { Task } from './leader.ts'

/**
 * Looks often, so that a new name or key waits for nothing; it orders only what is due, and only
 * once the ports are open (`opened`): the authority may ask at once.
 */
export function createAcmeRenewal(
  app: Parameters<typeof renewByAcme>[0],
  settings: AcmeSettings,
  opened: Promise<void>,
): Task {
  return {
    name: 'acme-renewal',
    everyMs: 15 * secondMs,
    async run(signal) {
      await opened
      await renewByAcme(app, settings, signal)
    },
  }
}
