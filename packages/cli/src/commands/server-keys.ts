/**
 * `seaworthy server key …`: the key by which clients know the server, and the change to the next.
 */
import type { Command } from 'commander'
import type { ServerKeyView } from '@seaworthy/api/server-keys'
import { announceServerKey, showServerKey, useServerKey } from '@seaworthy/api/server-keys'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { harmless } from '../output/format.ts'
import { wholeNumber } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import { withConnection } from '../connection.ts'

export function addServerKeyCommands(server: Command, ports: CliPorts): void {
  const key = server
    .command('key')
    .description('the key by which command lines and devices know the server')
  key
    .command('show')
    .description('show its pin, the next one if it is announced, and who does not keep it yet')
    .action(withContext(ports, show))
  key
    .command('rotate')
    .description(
      'make the next key and announce its pin: devices and command lines keep both, until `use-next`',
    )
    .option('--another', 'make another one in place of the one that is announced')
    .action(withContext(ports, rotate))
  key
    .command('use-next')
    .description('show the announced key from now on, and destroy the old one')
    .option(
      '--cut-off <count>',
      'go on although this many devices have not confirmed, and will refuse the server',
      wholeNumber(0, 1_000_000_000),
    )
    .action(withContext(ports, useNext))
}

interface RotateOptions {
  another?: boolean
}

interface UseOptions {
  cutOff?: number
}

async function show(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(showServerKey, {})
    context.show(view, () => describe(context, view))
  })
}

function describe(context: Context, { pin, next }: ServerKeyView): string[] {
  if (next === null) {
    return [...context.fields([['pin', pin]]), 'No next key is announced.']
  }
  const { devices, tokens } = next
  const { unconfirmed } = devices
  const { unused } = tokens
  return [
    ...context.fields([
      ['pin', pin],
      ['next pin', next.pin],
      ['announced', next.announcedAt],
      [
        'devices',
        `${devices.confirmed} of ${devices.count} have confirmed, ${devices.silent} not heard since`,
      ],
      ['tokens', `${tokens.used} of ${tokens.count} used since`],
    ]),
    ...listed(
      'Not confirmed:',
      devices.count - devices.confirmed,
      unconfirmed.map(
        ({ id, name, seenAt }) =>
          `${id}${name === null ? '' : ` ${harmless(name)}`}, ${seenAt === null ? 'never heard' : `heard ${seenAt}`}`,
      ),
    ),
    ...listed(
      'Tokens not used since:',
      tokens.count - tokens.used,
      unused.map(
        ({ id, name, lastUsedAt }) =>
          `${id} ${harmless(name)}, ${lastUsedAt === null ? 'never used' : `used ${lastUsedAt}`}`,
      ),
    ),
  ]
}

function listed(title: string, count: number, lines: readonly string[]): string[] {
  if (lines.length === 0) return []
  const more = count - lines.length
  return [title, ...lines.map((line) => `  ${line}`), ...(more > 0 ? [`  and ${more} more`] : [])]
}

async function rotate(context: Context, { another }: RotateOptions): Promise<void> {
  if (another === true) {
    await context.confirm(
      'Make another next key? Devices that confirmed the one that is announced must confirm again.',
    )
  }
  await withConnection(context, async ({ client }) => {
    const view = await client.call(announceServerKey, {
      body: another === undefined ? {} : { another },
    })
    context.show(view, () => [
      ...describe(context, view),
      'Devices learn it at their next check-in, command lines at their next command. Then: `seaworthy server key use-next`.',
    ])
  })
}

async function useNext(context: Context, { cutOff = 0 }: UseOptions): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const { next } = await client.call(showServerKey, {})
    if (next === null) {
      throw new CliError('refused', 'no next key is announced', {
        wayOut:
          'Make one with `seaworthy server key rotate`, and wait until devices have confirmed it.',
      })
    }
    const unheard = next.tokens.count - next.tokens.used
    await context.confirm(
      `Show ${next.pin} from now on and destroy the old key? ${next.devices.confirmed} of ${next.devices.count} devices have confirmed it; ${unheard} tokens were not used since ${next.announcedAt}, and their command lines must pair again.`,
    )
    const done = await client.call(useServerKey, {
      body: { pin: next.pin, unconfirmedMax: cutOff },
    })
    context.show(done, () => [
      `The server shows the key ${done.pin}. The old one is destroyed.`,
      ...(done.cutOff === 0
        ? []
        : [
            context.paint.yellow(
              `${done.cutOff} devices had not confirmed it and refuse the server: change \`pin\` in the agent.json of each.`,
            ),
          ]),
      'Whoever trusts the CA certificate of this server fetches /ca.crt anew. Files for new devices that were made before name the old pin: make them again.',
    ])
  })
}
