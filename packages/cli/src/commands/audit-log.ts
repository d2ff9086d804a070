/**
 * `seaworthy log …`: the audit log, read whole, compared with what was seen before, and accepted
 * once a person knows why the two contradict each other.
 */
import type { Command } from 'commander'
import { utf8Decode } from '@seaworthy/std/bytes'
import { parseAnyJsonText } from '@seaworthy/std/json'
import type { Checkpoint } from '@seaworthy/trust/tlog'
import { LogError, verifyEntries } from '@seaworthy/trust/tlog'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { harmless } from '../output/format.ts'
import { wholeNumber } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import { logSettings, withPaired } from '../connection.ts'
import { acceptLog, checkLog, compareLog } from '../state/audit-log.ts'
import { addEntriesCommand } from './audit-log-entries.ts'

export function addLogCommands(program: Command, ports: CliPorts): void {
  const log = program.command('log').description('the audit log')
  log
    .command('accept')
    .description(
      'go on with a log that contradicts the one seen before, once you know why (a restored backup)',
    )
    .requiredOption('--reason <text>', 'why; kept with both checkpoints')
    .action(withContext(ports, accept))
  addEntriesCommand(log, ports)
  log
    .command('verify')
    .description(
      'check every entry against the signed checkpoint, and the checkpoint against the last one seen',
    )
    .option(
      '--since <size>',
      'begin at this entry instead of the first',
      wholeNumber(0, 2 ** 48),
      0,
    )
    .option('--entries', 'print the entries that were checked')
    .action(withContext(ports, verify))
}

interface VerifyOptions {
  since: number
  entries?: boolean
}

async function verify(
  context: Context,
  { since, entries: wantsEntries }: VerifyOptions,
): Promise<void> {
  await withPaired(context, async (connection) => {
    const settings = logSettings(context, connection)
    const { remembered, contact, outcome } = await compareLog(settings)
    if (contact === undefined) {
      if (outcome instanceof LogError) throw outcome
      throw new CliError('notFound', 'the server has no audit log yet', {
        wayOut: 'Its first entry makes it: try again in a moment.',
      })
    }
    const checkpoint = contact.current
    if (since > checkpoint.size) {
      throw new CliError(
        'usage',
        `the log has ${checkpoint.size} entries, fewer than --since ${since}`,
      )
    }
    const progress = context.progress('verify')
    const entries: { index: number; entry: unknown }[] = []
    let checkedCount = 0
    let bytes = 0
    for await (const { index, bytes: entry } of verifyEntries(contact, since)) {
      checkedCount++
      bytes += entry.length
      progress.update(bytes)
      if (!wantsEntries) continue
      const text = utf8Decode(entry)
      if (context.options.json) entries.push({ index, entry: parseAnyJsonText(text) })
      else context.say(`${index}  ${harmless(text)}`)
    }
    progress.finish()
    context.show(
      {
        origin: checkpoint.origin,
        size: checkpoint.size,
        root: checkpoint.root.toBase64(),
        rememberedSize: remembered?.checkpoint.size ?? null,
        verdict: outcome instanceof LogError ? outcome.code : (outcome?.kind ?? null),
        checkedCount,
        ...(wantsEntries ? { entries } : {}),
      },
      () => [
        ...context.fields([
          ['log', checkpoint.origin],
          ['size', String(checkpoint.size)],
          ['root', checkpoint.root.toBase64()],
          ['seen before', describeSeen(remembered?.checkpoint, outcome)],
          ['checked', `${checkedCount} entries against the signed checkpoint`],
        ]),
        outcome instanceof LogError
          ? 'The entries that are served fit the checkpoint that is served. They are not what was seen before:'
          : context.paint.green('The audit log is whole.'),
      ],
    )
    // The call remembers the checkpoint, or keeps it as evidence and refuses.
    await checkLog(settings)
  })
}

function describeSeen(remembered: Checkpoint | undefined, outcome: unknown): string {
  if (remembered === undefined) return 'never'
  const seen = `${remembered.size} entries, root ${remembered.root.toBase64()}`
  return outcome instanceof LogError ? `${seen}, NOT there any more` : `${seen}, all still there`
}

async function accept(context: Context, { reason }: { reason: string }): Promise<void> {
  await withPaired(context, async (connection) => {
    const settings = logSettings(context, connection)
    const { remembered, served, contact, outcome } = await compareLog(settings)
    if (!(outcome instanceof LogError)) {
      return context.show({ accepted: false }, () => [
        'The audit log does not contradict what was seen before: there is nothing to accept.',
      ])
    }
    if (served === undefined || contact === undefined) {
      throw new CliError('refused', 'the server serves no audit log that could be accepted', {
        wayOut:
          'Where its database was made anew, pair under another name: `seaworthy login URL --server NAME --root sha256:…`.',
      })
    }
    let checkedCount = 0
    for await (const _ of verifyEntries(contact, 0)) checkedCount++
    const { checkpoint } = served
    context.warn(
      context.paint.yellow(
        `WARNING: ${outcome.message} (${outcome.code}). What the missing entries recorded is lost to this program: whoever has rewritten the log gets away with it.`,
      ),
    )
    for (const line of context.fields([
      ['seen before', describeSeen(remembered?.checkpoint, outcome)],
      ['served now', `${checkpoint.size} entries, root ${checkpoint.root.toBase64()}`],
      ['checked', `${checkedCount} entries against the checkpoint served now`],
    ]))
      context.say(line)
    await context.confirm('Do you know why, and go on with the log that is served now?')
    const now = context.ports.clock.now()
    const evidence = await acceptLog(settings, { remembered, served, outcome }, { reason, now })
    const shown = { accepted: true, size: checkpoint.size, evidence }
    context.show(shown, () => [
      `The log with ${checkpoint.size} entries is the one to compare with from now on.`,
      `Both checkpoints are kept, with the reason: ${evidence}`,
    ])
  })
}
