/** `seaworthy credential …`: what opens other systems, lent for a time. */
import type { Command } from 'commander'
import type { LeaseView } from '@seaworthy/api/leases'
import { endLease, listLeases, openLease, requestLease } from '@seaworthy/api/leases'
import type { StoredCredentialView } from '@seaworthy/api/stored-credentials'
import {
  addStoredCredential,
  listStoredCredentials,
  removeStoredCredential,
  replaceStoredCredential,
  showStoredCredential,
} from '@seaworthy/api/stored-credentials'
import { base64Decode, base64Encode, utf8Decode } from '@seaworthy/std/bytes'
import { printable } from '@seaworthy/std/printable'
import { secondMs } from '@seaworthy/std/time'
import type { Context } from '../context.ts'
import { createContext, withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { requireTogether } from '../option-use.ts'
import { durationWithDefault } from '../options.ts'
import { formatAgo, formatPast, formatMs, harmless } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import { collectPages, withConnection } from '../connection.ts'
import { readFileOrInput, writeDurably } from '../state/files.ts'

const valueBytesMax = 16_384
const leasesMax = 1000

interface ValueOptions {
  file?: string
  stdin?: boolean
  about?: string
  memberOf?: string
}

interface AddOptions extends ValueOptions {
  postgresql?: boolean
}

interface RequestOptions {
  reason: string
  /** Milliseconds. */
  for: number
}

export function addStoredCredentialCommands(program: Command, ports: CliPorts): void {
  const credential = program
    .command('credential')
    .description('credentials of other systems, lent for a time to whoever gives a reason')
  addValueOptions(credential.command('add <name>'))
    .description('store a credential, which the server encrypts under a key kept elsewhere')
    .option('--postgresql', 'it is the URL of a PostgreSQL: each lease gets an account of its own')
    .action(async (name: string, options: AddOptions, command: Command) => {
      requireTogether<AddOptions>(command, 'memberOf', 'postgresql')
      await add(createContext(ports, command), name, options)
    })
  addValueOptions(credential.command('replace <name>'))
    .description('replace the value, after a lease of it or when it was changed over there')
    .action(withContext(ports, replace))
  credential
    .command('list')
    .description('list stored credentials; never their values')
    .action(withContext(ports, list))
  credential
    .command('show <name>')
    .description('show a stored credential with its leases; never its value')
    .action(withContext(ports, show))
  credential
    .command('request <name>')
    .description('ask for a credential; `credential lease` then gets it')
    .requiredOption('--reason <text>', 'why, for whoever approves it and for the log')
    .addOption(
      durationWithDefault('--for <duration>', 'how long it is lent', {
        ...{ least: '1m', most: '7d', standard: '1h' },
      }),
    )
    .action(withContext(ports, request))
  credential
    .command('lease <lease>')
    .description('get what was asked for, once; another person may have to approve it first')
    .option('-o, --output <file>', 'write it to a new file, byte for byte, instead of showing it')
    .action(withContext(ports, lease))
  credential
    .command('leases')
    .description('list who asked for which credential, and has it, newest first')
    .action(withContext(ports, leases))
  credential
    .command('revoke <lease>')
    .description('end a lease: your own, or if you may replace credentials, anybody’s')
    .action(withContext(ports, revoke))
  credential
    .command('remove <name>')
    .description('remove a stored credential; its leases stay on record')
    .action(withContext(ports, remove))
}

function addValueOptions(command: Command): Command {
  return command
    .option('--file <file>', 'read the value from a file, byte for byte')
    .option('--stdin', 'read it from standard input, byte for byte')
    .option('--about <text>', 'what it opens, for whoever looks for it')
    .option('--member-of <role>', 'the role of the PostgreSQL that each account is a member of')
}

async function readValue({ ports }: Context, { file, stdin }: ValueOptions): Promise<string> {
  if ((file === undefined) === (stdin !== true)) {
    throw new CliError('usage', 'give either --file or --stdin', {
      wayOut: 'A credential is never an argument, which others on this machine could read.',
    })
  }
  return base64Encode(await readFileOrInput(ports, file, valueBytesMax))
}

const partsOf = ({ about, memberOf }: ValueOptions) => ({
  ...(about === undefined ? {} : { about }),
  ...(memberOf === undefined ? {} : { memberOf }),
})

async function add(context: Context, name: string, options: AddOptions): Promise<void> {
  const kind = options.postgresql === true ? 'postgresql' : 'value'
  const value = await readValue(context, options)
  await withConnection(context, async ({ client }) => {
    const body = { name, kind, value, ...partsOf(options) } as const
    const view = await client.call(addStoredCredential, { body })
    context.show(view, () => [
      `Stored ${view.name}. Whoever needs it: \`seaworthy credential request ${view.name} --reason TEXT\`.`,
    ])
  })
}

async function replace(context: Context, name: string, options: ValueOptions): Promise<void> {
  const value = await readValue(context, options)
  await withConnection(context, async ({ client }) => {
    const view = await client.call(replaceStoredCredential, {
      params: { credential: name },
      body: { value, ...partsOf(options) },
    })
    context.show(view, () => [`Replaced ${view.name}: this is version ${view.version}.`])
  })
}

async function list(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const items = await collectPages((query) => client.call(listStoredCredentials, { query }))
    const now = context.ports.clock.now()
    context.show(items, () =>
      context.table<StoredCredentialView>(
        [
          { title: 'name', text: (c) => c.name },
          { title: 'opens', text: (c) => c.target ?? harmless(c.about), isShrinkable: true },
          { title: 'version', text: (c) => String(c.version), align: 'right' },
          { title: 'leases open', text: (c) => String(c.leasesOpen), align: 'right' },
          { title: 'set', text: (c) => formatAgo(c.setAt, now), isDroppable: true },
          { title: 'by', text: (c) => c.setBy, isDroppable: true, isShrinkable: true },
        ],
        items,
        'No credentials yet: see `seaworthy credential add --help`.',
      ),
    )
  })
}

async function show(context: Context, name: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(showStoredCredential, { params: { credential: name } })
    const of = await collectPages(
      (query) => client.call(listLeases, { query: { ...query, credential: name } }),
      leasesMax,
    )
    const now = context.ports.clock.now()
    context.show({ ...view, leases: of }, () => [
      ...context.fields([
        ['credential', view.name],
        ['about', view.about === '' ? undefined : harmless(view.about)],
        ['PostgreSQL', view.target ?? undefined],
        ['accounts are members of', view.memberOf ?? undefined],
        ['version', `${view.version}, set ${formatPast(view.setAt, now)} by ${view.setBy}`],
      ]),
      ...describeLeases(context, of),
    ])
  })
}

async function leases(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const all = await collectPages((query) => client.call(listLeases, { query }), leasesMax)
    context.show(all, () => describeLeases(context, all))
  })
}

function describeLeases(context: Context, items: readonly LeaseView[]): string[] {
  const now = context.ports.clock.now()
  return context.table<LeaseView>(
    [
      { title: 'id', text: (l) => l.id },
      { title: 'credential', text: (l) => l.credential },
      { title: 'state', text: (l) => l.endReason ?? l.state },
      { title: 'for', text: (l) => formatMs(l.seconds * secondMs), align: 'right' },
      { title: 'ends', text: (l) => formatAgo(l.endedAt ?? l.expiresAt, now), isDroppable: true },
      { title: 'version', text: (l) => (l.version === null ? '-' : String(l.version)) },
      { title: 'account', text: describeAccount, isDroppable: true },
      { title: 'by', text: (l) => l.requestedBy, isShrinkable: true },
      { title: 'reason', text: (l) => harmless(l.reason), isShrinkable: true },
    ],
    items,
    'Nobody has asked for a credential.',
  )
}

function describeAccount({ account, accountGoneAt, state }: LeaseView): string {
  if (account === null) return '-'
  if (accountGoneAt !== null) return 'dropped'
  return state === 'ended' ? 'not dropped yet' : account
}

async function request(context: Context, name: string, options: RequestOptions): Promise<void> {
  const { reason, for: ms } = options
  await withConnection(context, async ({ client }) => {
    const view = await client.call(requestLease, {
      body: { credential: name, reason, seconds: Math.floor(ms / secondMs) },
    })
    context.show(view, () => [
      `Asked for ${view.credential}, for ${formatMs(ms)}. Get it with \`seaworthy credential lease ${view.id}\`.`,
    ])
  })
}

async function lease(
  context: Context,
  leaseId: string,
  { output }: { output?: string },
): Promise<void> {
  const { ports } = context
  await withConnection(context, async ({ client }) => {
    // A file that cannot be written is found before the value is gone.
    if (output !== undefined) await writeDurably(output, '', { random: ports.random, isNew: true })
    const opened = await client.call(openLease, { params: { leaseId } })
    const bytes = base64Decode(opened.value)
    const { credential, expiresAt } = opened.lease
    const until = `${credential} is yours until ${expiresAt}. Give it back earlier with \`seaworthy credential revoke ${leaseId}\`.`
    if (output !== undefined) {
      await writeDurably(output, bytes, { random: ports.random })
      context.show(opened.lease, () => [`Written to ${output}.`, until])
      return
    }
    context.show(opened, () => showValue(context, bytes))
    context.warn(until)
  })
}

/** A value that is not plain text cannot be shown as it is, and is not handed out a second time. */
function showValue(context: Context, bytes: Uint8Array): string[] {
  const lines = readLines(bytes)
  if (lines !== undefined) return lines
  context.warn('It is no plain text: this is Base64.')
  return [base64Encode(bytes)]
}

function readLines(bytes: Uint8Array): string[] | undefined {
  try {
    const lines = utf8Decode(bytes).replace(/\n$/, '').split('\n')
    return lines.every((line) => printable(line) === line) ? lines : undefined
  } catch {
    return undefined
  }
}

async function revoke(context: Context, leaseId: string): Promise<void> {
  await context.confirm(`End ${leaseId}?`)
  await withConnection(context, async ({ client }) => {
    const view = await client.call(endLease, { params: { leaseId } })
    context.show(view, () => [
      `${view.id} has ended.`,
      ...(view.version === null
        ? []
        : [
            view.account === null
              ? `Whoever has seen ${view.credential} knows it: replace it with \`seaworthy credential replace ${view.credential}\`.`
              : `Its account is dropped; \`seaworthy credential show ${view.credential}\` says when it is gone.`,
          ]),
    ])
  })
}

async function remove(context: Context, name: string): Promise<void> {
  await context.confirm(`Remove the credential ${name}?`)
  await withConnection(context, async ({ client }) => {
    await client.call(removeStoredCredential, { params: { credential: name } })
    context.show({ removed: name }, () => [`Removed ${name}.`])
  })
}
