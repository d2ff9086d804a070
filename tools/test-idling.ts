/**
 * The rule that a test file ends when its last test has. This is loaded in front of each file
 * (`--import`). What keeps a process alive for some seconds longer, such as a timer that nobody
 * clears, holds the whole run up: it is noted, with the place in the code that began it, and the
 * runner fails the run.
 */
import { createHook } from 'node:async_hooks'

/** Counted from the end of the last `after`: what tidies up may take its time. */
const patienceMs = 10_000
const lookEveryMs = 500
const stackDepth = 20
const placesShown = 5

/** What can keep a process alive, as `async_hooks` calls it. */
const holders: Readonly<Record<string, string>> = {
  Timeout: 'a timer',
  PROCESSWRAP: 'a process',
  TCPWRAP: 'a connection',
  TCPSERVERWRAP: 'a server',
  PIPEWRAP: 'a pipe',
  PIPESERVERWRAP: 'a server',
  UDPWRAP: 'a socket',
  WORKER: 'a thread',
  MESSAGEPORT: 'a message port',
  FSEVENTWRAP: 'a watched file',
  SIGNALWRAP: 'a signal handler',
}

export interface Begun {
  readonly type: string
  /** The stack at its beginning. */
  readonly stack: string
}

/**
 * One line for each kind and place, the most frequent first. What has no place in the repository,
 * such as the pipes of standard output, counts only where there is nothing else.
 */
export function describeHolders(begun: readonly Begun[], root: string): string[] {
  const found = begun.map(({ type, stack }) => {
    const places = stack
      .split('\n')
      .filter((line) => line.includes(root) && !line.includes('/node_modules/'))
      .map((line) =>
        line
          .replace(/^ *at /, '')
          .replaceAll(`file://${root}`, '')
          .replaceAll(root, ''),
      )
      .filter((place) => !place.includes('tools/test-idling.ts'))
    return { name: holders[type] ?? type, places: places.slice(0, placesShown) }
  })
  const placed = found.filter(({ places }) => places.length > 0)
  const counts = new Map<string, number>()
  for (const { name, places } of placed.length > 0 ? placed : found) {
    const line = [name, ...places].join('\n      ')
    counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([line, count]) => (count === 1 ? line : `${count} times ${line}`))
}

/** Has `note` called with what holds this process, a test file, when it should have ended. */
export function watchEnd(root: string, note: (held: readonly string[]) => void): void {
  const living = new Map<number, { type: string; resource: object; begun: Error }>()
  createHook({
    trackPromises: false,
    init(id, type, _trigger, resource) {
      if (!Object.hasOwn(holders, type)) return
      const { stackTraceLimit } = Error
      Error.stackTraceLimit = stackDepth
      living.set(id, { type, resource, begun: new Error('begun here') })
      Error.stackTraceLimit = stackTraceLimit
    },
    destroy: (id) => void living.delete(id),
  }).enable()
  let hooksCount = 0
  let quietMs = 0
  // The file, which imports its `after` later than this, gets one of which it is known whether it
  // runs.
  const tests = process.getBuiltinModule('node:test')
  const { after } = tests
  const counted: typeof after = (hook, options) =>
    after(async (...given) => {
      hooksCount += 1
      try {
        await (hook as (...given: unknown[]) => unknown)(...given)
      } finally {
        hooksCount -= 1
        quietMs = 0
      }
    }, options)
  Object.assign(tests, { after: counted })
  after(() => {
    const watch = setInterval(() => {
      quietMs = hooksCount === 0 ? quietMs + lookEveryMs : 0
      if (quietMs < patienceMs) return
      clearInterval(watch)
      const held = [...living.values()].filter(
        ({ resource }) => 'hasRef' in resource && (resource as NodeJS.Timeout).hasRef(),
      )
      note(
        describeHolders(
          held.map(({ type, begun }) => ({ type, stack: begun.stack! })),
          root,
        ),
      )
    }, lookEveryMs)
    watch.unref()
  })
}
