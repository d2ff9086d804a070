/**
 * What must be true now. A device would tell its operator, too, everything that it is asked here.
 */
import type { SimDevice } from '../world/device.ts'
import type { DeviceRecord } from '../world/server.ts'
import type { Command, Stage } from './command.ts'
import { deviceNamed, patienceMs } from './command.ts'
import { originOf } from './device-commands.ts'
import type { Arguments } from './parse-script.ts'
import { ScriptError } from './parse-script.ts'

class ExpectationError extends Error {
  override readonly name = 'ExpectationError'
}

const usage = `expect NAME runs VERSION|nothing | refuses CODE|nothing | counter N | floor N | fallback VERSION|nothing | error CODE|nothing
       expect NAME outcome STATE [CODE] | stopped CODE | root VERSION | reported CODE | heard VERSION | fetched at most BYTES from HOST
       expect server knows COUNT devices | expect HOST was asked N times [path=REGEX]`

export const expectCommand: Command = {
  usage,
  async run(stage, given) {
    const subject = given.next('who')
    if (given.take('knows')) {
      const count = given.count('devices')
      given.take('devices')
      return assertSame('devices', stage.world.server.devices.size, count)
    }
    if (given.take('was')) {
      given.take('asked')
      const count = given.count('times')
      given.take('times')
      return assertSame('requests', countRequests(stage, subject, given), count)
    }
    expectDevice(stage, deviceNamed(stage, subject), given)
  },
}

function assertSame(what: string, actual: unknown, expected: unknown): void {
  if (actual === expected) return
  throw new ExpectationError(`${what}: expected ${String(expected)}, found ${String(actual)}`)
}

function countRequests({ world }: Stage, host: string, given: Arguments): number {
  const origin = originOf(world, host)
  const path = new RegExp(given.option('path') ?? '')
  return world.network.requests.filter((request) => {
    const [, url = ''] = request.split(' ')
    return url.startsWith(`${origin}/`) && path.test(url.slice(origin.length))
  }).length
}

function expectDevice(stage: Stage, device: SimDevice, given: Arguments): void {
  const what = given.next('what')
  const status = device.life?.installer.status() ?? {}
  const named = (value: unknown) => (typeof value === 'string' ? value : 'nothing')
  switch (what) {
    case 'runs':
      return assertSame('running', versionRunning(stage, device), given.next('version'))
    case 'counter':
      return assertSame('counter', status['committedCounter'], given.count('counter'))
    case 'floor':
      return assertSame('floor', status['floor'], given.count('floor'))
    case 'error':
      return assertSame('error', named(status['lastError']), given.next('code'))
    case 'fallback': {
      const fallback = status['fallback'] as { version: string } | null
      return assertSame('fallback', named(fallback?.version), given.next('version'))
    }
    case 'refuses':
      return assertSame('refusals', refusalsOf(status), given.next('code'))
    case 'reported':
      return assertSame(
        'reported refusals',
        refusalsOf(recordOf(stage, device)?.report),
        given.next('code'),
      )
    case 'heard': {
      const { report, heardAt } = recordOf(stage, device) ?? {}
      const sinceMs = stage.world.time.now().getTime() - (heardAt?.getTime() ?? 0)
      assertSame('heard in this poll', sinceMs <= patienceMs, true)
      assertSame('told so far', status['unacknowledgedReports'], 0)
      return assertSame('version told', named(report?.running?.version), given.next('version'))
    }
    case 'root': {
      const { root } = status['metadata'] as { root?: number }
      return assertSame('root', root, given.count('version'))
    }
    case 'outcome': {
      const outcome = status['outcome'] as { state: string; code?: string } | null
      assertSame('outcome', named(outcome?.state), given.next('state'))
      return assertSame('code', outcome?.code ?? '', given.isEmpty ? '' : given.next('code'))
    }
    case 'stopped':
      return assertSame('failure', named(device.failure), given.next('code'))
    case 'fetched': {
      given.take('at')
      given.take('most')
      const bytesMax = given.count('bytes')
      given.take('from')
      const origin = originOf(stage.world, given.next('host'))
      const sent = stage.world.network.sentBytes.get(origin) ?? 0
      if (sent > bytesMax) throw new ExpectationError(`${sent} bytes were taken from ${origin}`)
      return
    }
    default:
      throw new ScriptError(`${what} is nothing to expect of a device`)
  }
}

function refusalsOf(told: unknown): string {
  const { refusals = [] } = (told ?? {}) as { refusals?: readonly { code: string }[] }
  return refusals.length === 0 ? 'nothing' : refusals.map(({ code }) => code).join(',')
}

function recordOf({ world }: Stage, device: SimDevice): DeviceRecord | undefined {
  const id = device.life?.installer.status()['deviceId']
  return typeof id === 'string' ? world.server.devices.get(id) : undefined
}

function versionRunning({ world }: Stage, device: SimDevice): string {
  const versions = (device.life?.processes.running ?? []).map(({ sha256 }) => {
    const known = world.signed.findLast(({ built }) => built.sha256 === sha256)
    return known?.built.version ?? 'something unknown'
  })
  return versions.length === 0 ? 'nothing' : versions.join(',')
}
