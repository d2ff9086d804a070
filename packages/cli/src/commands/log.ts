/** `seaworthy log verify`: the audit log, read whole and compared with what was seen before. */
import type { Command } from 'commander'
import { utf8Decode } from '@seaworthy/std/bytes'
import { verifyEntries } from '@seaworthy/trust/tlog'
import type { Context } from '../context.ts'
import { createContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { harmless } from '../output/format.ts'
import { wholeNumber } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import { withSession } from '../session.ts'

export function addLogCommands(program: Command, ports: CliPorts): void {
  program
    .command('log')
    .description('the audit log')
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
    .action(async (options: VerifyOptions, command: Command) =>
      verify(createContext(ports, command), options),
    )
}

interface VerifyOptions {
  since: number
  entries?: boolean
}

async function verify(
  context: Context,
  { since, entries: wantsEntries }: VerifyOptions,
): Promise<void> {
  await withSession(context, async ({ log }) => {
    if (log === undefined)
      throw new CliError('notFound', 'the server has no audit log yet', {
        wayOut: 'Its first entry makes it: try again in a moment.',
      })
    const { checkpoint, verdict } = log
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
    for await (const { index, bytes: entry } of verifyEntries(log.contact, since)) {
      checkedCount++
      bytes += entry.length
      progress.update(bytes)
      if (!wantsEntries) continue
      const text = utf8Decode(entry)
      if (context.options.json) entries.push({ index, entry: JSON.parse(text) })
      else context.say(`${index}  ${harmless(text)}`)
    }
    progress.finish()
    context.show(
      {
        origin: checkpoint.origin,
        size: checkpoint.size,
        root: checkpoint.root.toBase64(),
        rememberedSize: log.contact.remembered?.size ?? null,
        verdict: verdict.kind,
        checkedCount,
        ...(wantsEntries ? { entries } : {}),
      },
      () => [
        ...context.fields([
          ['log', checkpoint.origin],
          ['size', String(checkpoint.size)],
          ['root', checkpoint.root.toBase64()],
          [
            'seen before',
            log.contact.remembered === undefined
              ? 'never'
              : `${log.contact.remembered.size} entries, all still there`,
          ],
          ['checked', `${checkedCount} entries against the signed checkpoint`],
        ]),
        context.paint.green('The audit log is whole.'),
      ],
    )
  })
}
