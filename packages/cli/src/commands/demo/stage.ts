/**
 * What the demo shows: chapters, steps with the time they took, and the devices while they change.
 */
import type { Clock } from '@seaworthy/std/time'
import type { Context } from '../../context.ts'
import { harmless } from '../../output/format.ts'

export interface DemoStage {
  chapter(title: string): void
  /** Prose between the steps. */
  tell(line: string): void
  /** Shows what is being done, runs it, and shows how long it took. */
  step<T>(title: string, action: () => Promise<T>): Promise<T>
  /** Something a device said, with a mark. */
  device(name: string, mark: 'good' | 'bad' | 'busy', text: string): void
}

export function createStage(context: Context): DemoStage {
  const { paint, ports } = context
  const { out } = ports
  const startedMs = ports.clock.monotonicMs()
  let chapters = 0
  const line = (text: string) => out.write(`${text}\n`)
  return {
    chapter(title) {
      chapters++
      line('')
      line(paint.bold(`${chapters}. ${title}`) + paint.dim(`   ${elapsed(ports.clock, startedMs)}`))
    },
    tell: (text) => line(`   ${paint.dim(text)}`),
    async step(title, action) {
      const beganMs = ports.clock.monotonicMs()
      if (out.isTerminal) out.write(`   … ${title}`)
      const clear = out.isTerminal ? '\r\u001b[K' : ''
      try {
        const result = await action()
        line(`${clear}   ${paint.green('✓')} ${title} ${paint.dim(elapsed(ports.clock, beganMs))}`)
        return result
      } catch (error) {
        line(`${clear}   ${paint.red('✗')} ${title} ${paint.dim(elapsed(ports.clock, beganMs))}`)
        throw error
      }
    },
    device(name, mark, text) {
      const marks = { good: paint.green('✓'), bad: paint.red('✗'), busy: paint.dim('·') }
      line(`   ${marks[mark]} ${name}  ${harmless(text)}`)
    },
  }
}

function elapsed(clock: Clock, fromMs: number): string {
  return `${((clock.monotonicMs() - fromMs) / 1000).toFixed(1)} s`
}
