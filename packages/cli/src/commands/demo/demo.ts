/**
 * `seaworthy demo`: everything on this machine, from an empty folder to devices that refuse a
 * stolen server.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { withContext } from '../../context.ts'
import type { Context } from '../../context.ts'
import type { CliPorts } from '../../ports.ts'
import { findProgram } from '../../server-program.ts'
import { preparePages } from '../../web-pages.ts'
import { createProcesses } from './processes.ts'
import { createStage } from './stage.ts'
import { playStory, writeKeepNote } from './story.ts'

export function addDemoCommand(program: Command, ports: CliPorts): void {
  program
    .command('demo')
    .description(
      'everything on this machine: server, signers, devices, a staged update, a rollback, an attack',
    )
    .option('--keep', 'leave everything running until Ctrl-C')
    .action(
      withContext(ports, (context, options: { keep?: boolean }) =>
        demo(context, options.keep ?? false),
      ),
    )
}

/** A server, its PostgreSQL, three agents and their applications have this long to end in order. */
const cleanUpMs = 30_000

async function demo(context: Context, isKept: boolean): Promise<void> {
  // What lacks the server says so before it makes anything.
  findProgram(() => import.meta.resolve('@seaworthy/server/main'))
  const { ports } = context
  const startedMs = ports.clock.monotonicMs()
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-demo-'))
  // When root starts the demo, PostgreSQL and the fetchers run as other users, who must get through
  // this folder. What is secret lies deeper.
  await chmod(folder, 0o711)
  const processes = createProcesses(ports.environment)
  const stage = createStage(context)
  ports.allowCleanUp(cleanUpMs)
  let isOver = false
  try {
    // Browsers have nothing to look at once a demo that is not kept has ended.
    const webFolder = isKept ? await preparePages(ports) : undefined
    const { server, loginLine } = await playStory({ context, stage, processes, folder, webFolder })
    const seconds = Math.round((ports.clock.monotonicMs() - startedMs) / 1000)
    const summary = [
      '',
      context.paint.bold(`Done in ${seconds} s.`),
      'Three devices installed and updated a real application, one of them first; a broken release went no further',
      'than the first, which rolled it back. A stolen server could not make one of them run a byte that two of',
      'three signers had not signed, nor go back, nor take a time from the future for its own, and holds no secret in clear.',
      '',
      `   server  ${server.url}`,
    ]
    for (const line of summary) context.say(line)
    isOver = true
    if (!isKept) return
    const look = [
      `   export PATH="$PWD/node_modules/.bin:$PATH"   # in this checkout, once in each shell`,
      `   ${loginLine}`,
      `   seaworthy device list`,
      ...(webFolder === undefined
        ? []
        : [
            `   the dashboard, as its first owner (the browser does not know the certificate: ${server.url}/ca.crt):`,
            `   ${server.ownerLink}`,
          ]),
      `   everything lies in ${folder}`,
    ]
    await writeKeepNote(folder, look)
    for (const line of [
      '',
      'It stays until Ctrl-C. To look around from another terminal:',
      ...look,
    ]) {
      context.say(line)
    }
    await untilAborted(ports.signal)
  } finally {
    await processes.stopAll()
    // The folder of a demo that failed stays for inspection; one that succeeded leaves nothing
    // behind.
    if (isOver) await rm(folder, { recursive: true, force: true })
    else context.warn(`Everything the demo did lies in ${folder}.`)
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
