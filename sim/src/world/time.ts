/**
 * The world's time: it passes only when nobody has anything left to do, from one wake-up to the
 * next.
 */
import type { Clock, Sleep } from '@seaworthy/std/time'
import { ManualClock } from '@seaworthy/std/time'

export interface WorldTime {
  /** The true time, that of honest servers and signers. */
  now(): Date
  /** Milliseconds since the world began. */
  elapsedMs(): number
  sleep: Sleep
  /** Lets everybody act until all wait for time, for bytes or for good. */
  settle(): Promise<void>
  /** Lets that much time pass, waking everyone on the way. */
  advance(ms: number): Promise<void>
  /**
   * Settles, and then passes time from wake-up to wake-up until `isDone`. Returns whether it came
   * about within `limitMs`.
   */
  advanceUntil(isDone: () => boolean, limitMs: number): Promise<boolean>
}

/**
 * Turns of the event loop after which promises, ticks and streams without input have all come to
 * rest.
 */
const turnsToSettle = 3

export function createWorldTime(start: Date): WorldTime {
  const clock = new ManualClock(start)

  const settle = async () => {
    for (let turn = 0; turn < turnsToSettle; turn++) {
      await new Promise<void>((resolve) => {
        setImmediate(resolve)
      })
    }
  }

  const advanceUntil = async (isDone: () => boolean, limitMs: number) => {
    await settle()
    let leftMs = limitMs
    while (!isDone()) {
      const nextMs = clock.nextWakeUpMs()
      if (nextMs === undefined || nextMs > leftMs) {
        clock.advance(leftMs)
        await settle()
        return isDone()
      }
      clock.advance(nextMs)
      leftMs -= nextMs
      await settle()
    }
    return true
  }

  return {
    now: () => clock.now(),
    elapsedMs: () => clock.monotonicMs(),
    sleep: clock.sleep,
    settle,
    advanceUntil,
    advance: async (ms) => {
      await advanceUntil(() => false, ms)
    },
  }
}

/**
 * A device's own clock: it starts where its battery left it, drifts by no one but whoever sets it,
 * and restarts counting at boot.
 */
export interface DeviceClock extends Clock {
  /** Sets only the wall clock, as a person or a hostile NTP does. */
  shift(byMs: number): void
}

export function createDeviceClock(time: WorldTime, skewMs = 0): DeviceClock {
  const bootMs = time.elapsedMs()
  let offsetMs = skewMs
  return {
    now: () => new Date(time.now().getTime() + offsetMs),
    monotonicMs: () => time.elapsedMs() - bootMs,
    shift: (byMs) => {
      offsetMs += byMs
    },
  }
}
