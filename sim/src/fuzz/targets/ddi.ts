/** Documents that clients of hawkBit's DDI send, which are read tolerantly. */
import {
  parseAttributes,
  parseFeedback,
  parseInstalled,
  parseTarget,
  readObject,
} from '@seaworthy/server/testing'
import { utf8Encode } from '@seaworthy/std/bytes'
import { systemClock } from '@seaworthy/std/time'
import { Refusal } from '@seaworthy/std/refusal'
import { Readable } from 'node:stream'
import type { IncomingMessage } from 'node:http'
import type { FuzzTarget } from '../target.ts'
import { holds } from '../target.ts'

/** The time never passes: no body takes that long here. */
const ports = { clock: systemClock, sleep: () => new Promise<void>(() => {}) }

export function createDdiTargets(): FuzzTarget[] {
  const progress = { cnt: 3, of: 4 }
  const feedback = {
    id: 7,
    time: '20261122T010552',
    status: {
      result: { finished: 'none', progress },
      execution: 'proceeding',
      code: 12,
      details: ['Installation in progress'],
    },
  }
  const bodies = [
    feedback,
    { mode: 'merge', data: { board: 'test' } },
    { name: 'acme', version: '1.0' },
  ]
  return [
    {
      name: 'ddi/body',
      form: 'json',
      seeds: bodies.map((body) => utf8Encode(JSON.stringify(body))),
      weight: 3,
      run: async (bytes) => {
        const request = Object.assign(Readable.from([Buffer.from(bytes)]), { headers: {} })
        const body = await readObject(request as unknown as IncomingMessage, ports)
        const readers = [parseFeedback, parseAttributes, parseInstalled]
        const refusals: Refusal[] = []
        for (const read of readers) {
          try {
            const written = JSON.stringify(read(body))
            holds(!/\\u(?:0000|d[89a-f])/.test(written), 'the database can hold it')
          } catch (error) {
            if (!(error instanceof Refusal)) throw error
            refusals.push(error)
          }
        }
        if (refusals.length === readers.length) throw refusals[0]!
      },
    },
    {
      name: 'ddi/target',
      form: 'bytes',
      seeds: [
        '/DEFAULT/controller/v1/unit%207',
        '/shops/controller/v1/a/deploymentBase/7/feedback',
        '/DEFAULT/controller/v1/a/softwaremodules/7/artifacts/gate.swu.MD5SUM',
      ].map(utf8Encode),
      weight: 2,
      refusals: [SyntaxError],
      run: (bytes) => {
        const target = parseTarget(Buffer.from(bytes).toString('latin1'))
        if (target === undefined) throw new SyntaxError('not the path of a controller')
        holds(target.controllerId !== '', 'names a controller')
      },
    },
  ]
}
