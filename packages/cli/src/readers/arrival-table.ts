/** How far a variable or secret has come, for people. */
import type { Context } from '../context.ts'
import { harmless } from '../output/format.ts'
import type { DeviceArrival } from './arrivals.ts'

/** The most devices that are named one by one; `--json` names all. */
const namedMax = 20

/**
 * One line for each state, in the order of `texts`, then the devices that did not become healthy.
 */
export function describeArrivals<Arrival extends string>(
  context: Context,
  devices: readonly DeviceArrival<Arrival>[],
  texts: Readonly<Record<Arrival, string>>,
): string[] {
  const counts = Object.entries<string>(texts)
    .map(([arrival, text]) => ({
      text,
      count: devices.filter((one) => one.arrival === arrival).length,
    }))
    .filter(({ count }) => count > 0)
  const unwell = devices.filter(({ code }) => code !== undefined)
  return [
    ...context.table<(typeof counts)[number]>(
      [
        { title: 'devices', text: (one) => String(one.count), align: 'right' },
        { title: 'state', text: (one) => one.text },
      ],
      counts,
      'No devices yet.',
    ),
    ...unwell
      .slice(0, namedMax)
      .map(
        ({ deviceId, name, code }) => `  ${harmless(name ?? deviceId)}: ${harmless(code ?? '')}`,
      ),
    ...(unwell.length > namedMax ? [`  and ${unwell.length - namedMax} more (--json)`] : []),
  ]
}
