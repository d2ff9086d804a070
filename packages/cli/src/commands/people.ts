/** `seaworthy person …`: who may sign in to the server with a browser. */
import type { Command } from 'commander'
import { listPersonKeys, removePersonKey } from '@seaworthy/api/account-keys'
import { createInvitation, reinvitePerson } from '@seaworthy/api/invitations'
import type { InvitationView } from '@seaworthy/api/invitations'
import {
  disablePerson,
  enablePerson,
  listPeople,
  setPerson,
  showPerson,
} from '@seaworthy/api/people'
import type { PersonView } from '@seaworthy/api/people'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { collect, collectRoles, roleOption } from '../options.ts'
import { tableOfKeys } from '../output/account-keys.ts'
import { formatAgo, harmless } from '../output/format.ts'
import { describeRoles, rolesOfPeople } from '../output/roles.ts'
import { describeOutcome, dryRunQuery } from '../output/rights-outcome.ts'
import type { CliPorts } from '../ports.ts'
import { collectPages, withConnection } from '../connection.ts'

export function addPersonCommands(program: Command, ports: CliPorts): void {
  const person = program.command('person').description('people who sign in with a browser')
  person
    .command('list')
    .description('list people, disabled ones included')
    .action(withContext(ports, list))
  person
    .command('show <id>')
    .description('show a person, and the SSH and OpenPGP keys of their account')
    .action(withContext(ports, show))
  person
    .command('key')
    .description('SSH and OpenPGP keys of people’s accounts')
    .command('remove <id> <key-id>')
    .description('remove a key from a person’s account')
    .action(withContext(ports, removeKey))
  person
    .command('invite')
    .description('make a link by which one person comes in; it is shown once, for seven days')
    .requiredOption('--role <role>', rolesOfPeople, roleOption)
    .option('--denied-by <role>', 'deny them what this role denies, repeatable', collectRoles)
    .option('--product <name>', 'limit the person to this product, repeatable', collect)
    .option('--fleet <name>', 'limit the person to this fleet, repeatable', collect)
    .option('--name <name>', 'whom you expect')
    .option('--email <address>', 'where to reach them')
    .action(withContext(ports, invite))
  person
    .command('reinvite <id>')
    .description('make a link by which a person who lost every passkey registers a new one')
    .action(withContext(ports, reinvite))
  person
    .command('role <id> <role>')
    .description(`change what a person may do: ${rolesOfPeople}`)
    .option('--denied-by <role>', 'deny them what this role denies, repeatable', collectRoles)
    .option('--denied-nothing', 'end what further roles deny them')
    .option('--dry-run', 'say what would end and what stays, and change nothing')
    .action(
      withContext(ports, (context, id: string, role: string, options: ChangeOptions) =>
        changeRole(context, id, { ...options, role: roleOption(role) }),
      ),
    )
  person
    .command('disable <id>')
    .description('disable a person: their sessions and the tokens that they made end')
    .option('--dry-run', 'say what would end and what stays, and change nothing')
    .action(withContext(ports, disable))
  person
    .command('enable <id>')
    .description('enable a person again')
    .action(withContext(ports, enable))
}

async function list(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const people = await collectPages((query) => client.call(listPeople, { query }))
    const now = context.ports.clock.now()
    context.show(people, () =>
      context.table<PersonView>(
        [
          { title: 'id', text: (p) => p.id },
          { title: 'name', text: (p) => p.name, isShrinkable: true },
          { title: 'role', text: describeRoles },
          { title: 'limited to', text: describeLimits, isShrinkable: true },
          { title: 'signed in', text: (p) => formatAgo(p.lastSignInAt, now), isDroppable: true },
          { title: 'state', text: (p) => (p.disabledAt === null ? 'may sign in' : 'disabled') },
        ],
        people,
        'Nobody yet. `seaworthy up` prints the link for the first owner.',
      ),
    )
  })
}

async function show(context: Context, personId: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const params = { personId }
    const person = await client.call(showPerson, { params })
    const { items: keys } = await client.call(listPersonKeys, { params })
    const now = context.ports.clock.now()
    context.show({ ...person, keys }, () => [
      ...context.fields([
        ['person', person.id],
        ['name', harmless(person.name)],
        ['role', describeRoles(person)],
        ['limited to', describeLimits(person)],
        ['signed in', formatAgo(person.lastSignInAt, now)],
        ['state', person.disabledAt === null ? 'may sign in' : 'disabled'],
        ['passkeys', String(person.passkeysCount)],
      ]),
      ...tableOfKeys(context, keys),
    ])
  })
}

async function removeKey(context: Context, personId: string, accountKeyId: string): Promise<void> {
  await context.confirm(`Remove ${accountKeyId} from the account of ${personId}?`)
  await withConnection(context, async ({ client }) => {
    await client.call(removePersonKey, { params: { personId, accountKeyId } })
    context.show({ removed: accountKeyId }, () => [`Removed ${accountKeyId}.`])
  })
}

function describeLimits({ products, fleets }: Pick<PersonView, 'products' | 'fleets'>): string {
  const limits = [...(products ?? []), ...(fleets ?? []).map((fleet) => `fleet ${fleet}`)]
  return limits.length === 0 ? '-' : limits.join(', ')
}

interface InviteOptions {
  role: string
  deniedBy?: string[]
  product?: string[]
  fleet?: string[]
  name?: string
  email?: string
}

async function invite(context: Context, options: InviteOptions): Promise<void> {
  const { role, deniedBy, product, fleet, name, email } = options
  await withConnection(context, async ({ client }) => {
    const made = await client.call(createInvitation, {
      body: {
        role,
        ...(deniedBy === undefined ? {} : { deniedBy }),
        ...(product === undefined ? {} : { products: product }),
        ...(fleet === undefined ? {} : { fleets: fleet }),
        ...(name === undefined ? {} : { name }),
        ...(email === undefined ? {} : { email }),
      },
    })
    showLink(context, made)
  })
}

async function reinvite(context: Context, personId: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    showLink(context, await client.call(reinvitePerson, { params: { personId } }))
  })
}

function showLink(context: Context, made: { view: InvitationView; link: string }): void {
  const { view, link } = made
  context.show(made, () => [
    ...context.fields([
      ['invitation', view.id],
      ['role', describeRoles(view)],
      ['limited to', describeLimits(view)],
      ['expires', view.expiresAt],
    ]),
    'Whoever opens this link first has the role. It is shown this once:',
    link,
  ])
}

interface DryRun {
  dryRun?: boolean
}

interface ChangeOptions extends DryRun {
  deniedBy?: string[]
  deniedNothing?: boolean
}

async function changeRole(
  context: Context,
  personId: string,
  { role, deniedBy, deniedNothing = false, dryRun }: ChangeOptions & { role: string },
): Promise<void> {
  if (deniedNothing && deniedBy !== undefined) {
    throw new CliError('usage', '--denied-by and --denied-nothing contradict each other')
  }
  const denied = deniedNothing ? [] : deniedBy
  await withConnection(context, async ({ client }) => {
    const body = { role, ...(denied === undefined ? {} : { deniedBy: denied }) }
    const query = dryRunQuery(dryRun)
    const person = await client.call(setPerson, { params: { personId }, query, body })
    const verb = dryRun === true ? 'would have' : 'has'
    context.show(person, () => [
      `${harmless(person.name)} ${verb} the role ${describeRoles(person)}.`,
      ...describeOutcome(person),
    ])
  })
}

async function disable(context: Context, personId: string, { dryRun }: DryRun): Promise<void> {
  if (dryRun !== true) {
    await context.confirm(`Disable ${personId}, and end their sessions and tokens?`)
  }
  await withConnection(context, async ({ client }) => {
    const query = dryRunQuery(dryRun)
    const person = await client.call(disablePerson, { params: { personId }, query })
    const name = harmless(person.name)
    context.show(person, () => [
      dryRun === true ? `${name} could no longer sign in.` : `${name} can no longer sign in.`,
      ...describeOutcome(person),
      'What devices in the field use goes on working: devices, and tokens of foreign devices from before their makers were stored (`seaworthy log verify --entries` says who made those).',
    ])
  })
}

async function enable(context: Context, personId: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const person = await client.call(enablePerson, { params: { personId } })
    context.show(person, () => [`${harmless(person.name)} can sign in again.`])
  })
}
