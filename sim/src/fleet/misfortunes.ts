/**
 * The plan of what goes wrong, wave by wave: the seed decides it, the simulated fleet carries it
 * out.
 */
import type { Random } from '@seaworthy/std/random'
import { randomBelow } from '@seaworthy/std/random'

export interface Misfortune {
  readonly atMinute: number
  /** Carries it out, and returns the line to tell. */
  readonly happen: () => Promise<string> | string
}

export interface Misfortunes {
  due(minute: number): readonly Misfortune[]
  plan(misfortune: Misfortune): void
  readonly isEmpty: () => boolean
}

export function createMisfortunes(): Misfortunes {
  let planned: Misfortune[] = []
  return {
    due(minute) {
      const due = planned.filter(({ atMinute }) => atMinute <= minute)
      planned = planned.filter(({ atMinute }) => atMinute > minute)
      return due.toSorted((a, b) => a.atMinute - b.atMinute)
    },
    plan(misfortune) {
      planned.push(misfortune)
    },
    isEmpty: () => planned.length === 0,
  }
}

/** What a wave brings upon the replicas. */
export interface Stricken {
  killAtNextWrite(replica: number, moment: 'before-commit' | 'after-commit'): void
  restart(replica: number): Promise<void>
  setDeaf(replica: number, isDeaf: boolean): void
  setCutOff(replica: number, isCutOff: boolean): void
  skewClock(replica: number, minutes: number): void
  nameOf(replica: number): string
}

export function planWave(
  misfortunes: Misfortunes,
  pair: Stricken,
  wave: number,
  minute: number,
  random: Random,
): void {
  const victim = wave % 2
  const other = 1 - victim
  const moment = wave % 2 === 1 ? 'before-commit' : 'after-commit'
  const atMinute = minute + 2 + randomBelow(random, 8)
  const name = pair.nameOf(victim)
  misfortunes.plan({
    atMinute,
    happen() {
      pair.killAtNextWrite(victim, moment)
      return `${name} will be killed in its next transaction, ${moment === 'before-commit' ? 'before' : 'after'} the commit`
    },
  })
  misfortunes.plan({
    atMinute: atMinute + 7,
    async happen() {
      await pair.restart(victim)
      return `${name} is started again`
    },
  })
  if (wave === 2) {
    misfortunes.plan({
      atMinute: atMinute + 12,
      happen() {
        pair.setDeaf(other, true)
        return `${pair.nameOf(other)} hears of no change any more, and goes on answering`
      },
    })
    misfortunes.plan({
      atMinute: atMinute + 40,
      happen() {
        pair.setDeaf(other, false)
        pair.setCutOff(other, true)
        return `${pair.nameOf(other)} is cut off from the database`
      },
    })
    misfortunes.plan({
      atMinute: atMinute + 52,
      happen() {
        pair.setCutOff(other, false)
        return `${pair.nameOf(other)} is back`
      },
    })
  }
  if (wave === 4) {
    misfortunes.plan({
      atMinute: atMinute + 10,
      happen() {
        pair.skewClock(other, 90)
        return `the clock of ${pair.nameOf(other)} jumps 90 minutes ahead`
      },
    })
    misfortunes.plan({
      atMinute: atMinute + 30,
      happen() {
        pair.skewClock(other, -45)
        return `the clock of ${pair.nameOf(other)} is set 45 minutes back`
      },
    })
    misfortunes.plan({
      atMinute: atMinute + 60,
      happen() {
        pair.skewClock(other, 0)
        return `the clock of ${pair.nameOf(other)} is right again`
      },
    })
  }
}
