/**
 * Whether the device's clock is known to be good: the server accepted an assertion by what the
 * clock says, and nobody has set it back since. This is not known of a device that starts with a
 * wrong clock, has no server, or is told by it that its clock is off. It is kept only in memory: a
 * clock may be lost with the power.
 */
import { minuteMs } from '@seaworthy/std/time'
import type { Clock } from '@seaworthy/std/time'

export interface ClockCheck {
  /** The server accepted an assertion signed for the time of this clock. */
  confirm(): void
  /** The server says that it is another time. */
  contradict(): void
  isGood(): boolean
}

/** Time daemons adjust clocks by less. */
const setBackMaxMs = 5 * minuteMs

export function createClockCheck(clock: Clock): ClockCheck {
  let confirmed: { wallMs: number; monotonicMs: number } | undefined
  return {
    confirm() {
      confirmed = { wallMs: clock.now().getTime(), monotonicMs: clock.monotonicMs() }
    },
    contradict() {
      confirmed = undefined
    },
    isGood() {
      if (!confirmed) return false
      const elapsedMs = clock.monotonicMs() - confirmed.monotonicMs
      return clock.now().getTime() - confirmed.wallMs >= elapsedMs - setBackMaxMs
    },
  }
}
