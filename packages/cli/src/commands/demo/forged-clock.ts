/**
 * The forged clock: the thief signs a timestamp from the future with the stolen online keys. The
 * devices' time must not follow it, or all genuine metadata would have expired for them; and the
 * next root must void what those keys made them believe.
 */
import { formatInstant, hourMs, minuteMs, parseInstant } from '@seaworthy/std/time'
import { CliError, reportIt } from '../../failure.ts'
import type { DemoDevice } from './devices.ts'
import type { Story } from './scene.ts'

const answerTimeoutMs = 60_000
/** How far a signed instant may lift the time of a device whose clock is good (RFD 17). */
const signedAheadMaxMs = 12 * hourMs
/** How old a device's status may be on a busy machine. */
const toleranceMs = 5 * minuteMs

/**
 * Has the thief serve the timestamp, waits until each device has seen it, and throws when the time
 * of one followed. The snapshot that came with it has a version that nobody has seen before.
 */
export async function forgeClock(
  story: Story,
  devices: readonly DemoDevice[],
  serve: () => Promise<void>,
): Promise<void> {
  const { stage } = story
  const before = await Promise.all(
    devices.map(async (device) => ({
      snapshot: await readSnapshotVersion(device),
      logged: device.events.length,
    })),
  )
  await stage.step('serve a timestamp from the future, signed with both stolen keys', serve)
  await Promise.all(
    devices.map(async (device, index) => {
      const code = await awaitMeeting(story, device, before[index]!)
      const at = await requireTime(story, device, signedAheadMaxMs)
      const answer = code === undefined ? 'is not moved by it' : `refused: ${code}`
      stage.device(device.name, 'good', `${answer}; for it, it is ${at} at least`)
    }),
  )
}

/**
 * Requires that nothing of the forged time is left once the owners have replaced both keys,
 * although nobody has touched the device.
 */
export async function proveClocks(story: Story, devices: readonly DemoDevice[]): Promise<void> {
  for (const device of devices) {
    if (device.agent.hasEnded)
      throw new CliError('failed', `the agent of ${device.name} has ended`, { wayOut: reportIt })
    const at = await requireTime(story, device, 0)
    story.stage.device(
      device.name,
      'good',
      `nobody had to touch it; it trusts its own clock again: ${at}`,
    )
  }
}

/** Resolves with the code of the refusal, if there was one. */
async function awaitMeeting(
  story: Story,
  device: DemoDevice,
  before: { snapshot: number; logged: number },
): Promise<string | undefined> {
  const { clock, sleep, signal } = story.context.ports
  const deadlineMs = clock.monotonicMs() + answerTimeoutMs
  for (;;) {
    if ((await readSnapshotVersion(device)) > before.snapshot) return undefined
    const refused = device.events.slice(before.logged).find(({ event }) => event === 'refused')
    if (refused?.code !== undefined) return refused.code
    if (clock.monotonicMs() > deadlineMs) {
      throw new CliError('failed', `${device.name} did not ask for the timestamp`, {
        wayOut: reportIt,
      })
    }
    await sleep(100, signal)
  }
}

/** The time below which the device believes no clock; throws when it is further ahead than that. */
async function requireTime(story: Story, device: DemoDevice, aheadMaxMs: number): Promise<string> {
  const floor = (await device.readStatus())?.timeFloor
  const latest = new Date(story.context.ports.clock.now().getTime() + aheadMaxMs + toleranceMs)
  if (floor !== undefined && parseInstant(floor) <= latest)
    return formatInstant(parseInstant(floor))
  throw new CliError('refused', `for ${device.name} it is ${floor}: the forged clock moved it`, {
    wayOut: reportIt,
  })
}

async function readSnapshotVersion(device: DemoDevice): Promise<number> {
  return (await device.readStatus())?.metadata?.snapshot ?? 0
}
