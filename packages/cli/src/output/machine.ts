import type { DeviceView } from '@seaworthy/api/devices'
import { formatBytes, formatPast, harmless } from './format.ts'

/** What it said of its machine when it last signed a report. */
export function describeMachine(
  { machine }: Pick<DeviceView, 'machine'>,
  now: Date,
): [string, string | undefined][] {
  if (machine === null) return []
  const { node, os, kernel, architecture, model, bootedAt, freeBytes } = machine
  return [
    ['node', harmless(node)],
    ['system', os === undefined ? undefined : harmless(os)],
    ['kernel', `${harmless(kernel)}, ${harmless(architecture)}`],
    ['model', model === undefined ? undefined : harmless(model)],
    ['booted', formatPast(bootedAt, now)],
    [
      'free disk',
      freeBytes === undefined
        ? undefined
        : `${formatBytes(freeBytes)} where the agent keeps its state`,
    ],
  ]
}
