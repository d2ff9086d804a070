/** `seaworthy role …`: what roles allow and deny, and custom roles. */
import type { Command } from 'commander'
import { changeRole, createRole, listRoles, removeRole, showRole } from '@seaworthy/api/roles'
import type { RoleFacts, RoleView } from '@seaworthy/api/roles'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { collect } from '../options.ts'
import { formatCount, harmless } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import { withConnection } from '../connection.ts'

export function addRoleCommands(program: Command, ports: CliPorts): void {
  const role = program.command('role').description('what roles allow and deny')
  role
    .command('list')
    .description('list the built-in roles and your own')
    .option('--permissions', 'list every permission that a custom role may allow instead')
    .action(
      withContext(ports, (context, options: { permissions?: boolean }) =>
        list(context, options.permissions === true),
      ),
    )
  role
    .command('show <name>')
    .description('show what a role allows and denies, and who holds it')
    .action(withContext(ports, show))
  role
    .command('create <name>')
    .description('make a role; nobody can allow or deny more than they may do themselves')
    .requiredOption('--purpose <sentence>', 'what it is for')
    .option('--allow <permission>', 'what it allows, repeatable', collect)
    .option(
      '--deny <permission>',
      'what it denies whoever has it, whatever another role allows, repeatable',
      collect,
    )
    .action(withContext(ports, create))
  role
    .command('change <name>')
    .description('change a role for all who hold it; what exceeds it then, ends')
    .option('--purpose <sentence>', 'what it is for')
    .option('--allow <permission>', 'what it allows from now on, repeatable', collect)
    .option('--deny <permission>', 'what it denies from now on, repeatable', collect)
    .option(
      '--neither <permission>',
      'what it neither allows nor denies from now on, repeatable',
      collect,
    )
    .option('--dry-run', 'say what would change and who is touched, and change nothing')
    .action(withContext(ports, change))
  role
    .command('remove <name>')
    .description('remove a role that nobody holds')
    .action(withContext(ports, remove))
}

async function list(context: Context, wantsPermissions: boolean): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const { items, permissions, always } = await client.call(listRoles, {})
    if (wantsPermissions) {
      const rows = permissions.map((name) => ({ name, isAlways: always.includes(name) }))
      context.show(rows, () =>
        rows.map(({ name, isAlways }) => (isAlways ? `${name}  (every role)` : name)),
      )
      return
    }
    context.show(items, () =>
      context.table<RoleView>(
        [
          { title: 'name', text: (r) => r.name },
          { title: 'for', text: (r) => r.purpose, isShrinkable: true },
          { title: 'allows', text: (r) => String(r.allows.length), align: 'right' },
          { title: 'denies', text: (r) => String(r.denies.length), align: 'right' },
          { title: 'held by', text: (r) => describeCount(r.holdersCount), align: 'right' },
        ],
        items,
        'No roles.',
      ),
    )
  })
}

const describeCount = (count: number | null) => (count === null ? 'built in' : String(count))

async function show(context: Context, name: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const role = await client.call(showRole, { params: { role: name } })
    context.show(role, () => [
      ...context.fields([
        ['role', role.name],
        ['for', role.purpose],
        ['allows', listed(role.allows)],
        ['denies', listed(role.denies)],
        [
          'changed',
          role.changedAt === null ? 'built in' : `${role.changedAt} by ${role.changedBy}`,
        ],
      ]),
      ...describeHolders(role),
    ])
  })
}

const listed = (names: readonly string[]) => (names.length === 0 ? '-' : names.join(' '))

function describeHolders({ holders }: RoleFacts): string[] {
  if (holders === null) return []
  const { people, tokens, invitations, identityProviders } = holders
  const lines = [
    ...people.map(({ id, name }) => `  ${id}   ${name}`),
    ...tokens.map(({ id, name }) => `  ${id}   ${name}`),
    ...invitations.map((id) => `  ${id}`),
    ...identityProviders.map((name) => `  a group at the identity provider ${name}`),
  ]
  return lines.length === 0 ? ['Nobody holds it.'] : ['It is held by:', ...lines.map(harmless)]
}

interface CreateOptions {
  purpose: string
  allow?: string[]
  deny?: string[]
}

async function create(context: Context, name: string, options: CreateOptions): Promise<void> {
  const { purpose, allow = [], deny = [] } = options
  await withConnection(context, async ({ client }) => {
    const body = { name, purpose, allows: allow, denies: deny }
    const role = await client.call(createRole, { body })
    context.show(role, () => [
      `Made the role ${role.name}: it allows ${role.allows.length} and denies ${role.denies.length} permissions.`,
    ])
  })
}

interface ChangeOptions {
  purpose?: string
  allow?: string[]
  deny?: string[]
  neither?: string[]
  dryRun?: boolean
}

async function change(context: Context, name: string, options: ChangeOptions): Promise<void> {
  const { purpose, allow = [], deny = [], neither = [], dryRun = false } = options
  const named = [...allow, ...deny, ...neither]
  const twice = named.find((one, index) => named.indexOf(one) !== index)
  if (twice !== undefined) throw new CliError('usage', `${twice} is named twice`)
  if (named.length === 0 && purpose === undefined) {
    throw new CliError('usage', 'say what changes: --allow, --deny, --neither or --purpose')
  }
  await withConnection(context, async ({ client }) => {
    const before = await client.call(showRole, { params: { role: name } })
    const kept = (list: readonly string[]) => list.filter((one) => !named.includes(one))
    const body = {
      purpose: purpose ?? before.purpose,
      allows: [...kept(before.allows), ...allow],
      denies: [...kept(before.denies), ...deny],
      version: before.version,
    }
    const effect = describeEffect(before, body)
    if (dryRun) {
      const value = { before, after: { ...body, version: before.version + 1 }, isDryRun: true }
      context.show(value, () => [...effect, 'Nothing was changed.'])
      return
    }
    if ((before.holdersCount ?? 0) > 0) {
      for (const line of effect) context.warn(line)
      await context.confirm(`Change the role ${name}?`)
    }
    const role = await client.call(changeRole, { params: { role: name }, body })
    context.show(role, () => [`Changed the role ${role.name}, version ${role.version}.`])
  })
}

interface Rules {
  readonly allows: readonly string[]
  readonly denies: readonly string[]
}

function describeEffect(before: RoleFacts, after: Rules): string[] {
  const added = (a: readonly string[], b: readonly string[]) => b.filter((one) => !a.includes(one))
  const differences = [
    ['now allows', added(before.allows, after.allows)],
    ['no longer allows', added(after.allows, before.allows)],
    ['now denies', added(before.denies, after.denies)],
    ['no longer denies', added(after.denies, before.denies)],
  ] as const
  const {
    people = [],
    tokens = [],
    invitations = [],
    identityProviders = [],
  } = before.holders ?? {}
  return [
    ...differences
      .filter(([, names]) => names.length > 0)
      .map(([what, names]) => `The role ${before.name} ${what} ${names.join(', ')}.`),
    `It touches ${formatCount(people.length, 'person', 'people')}, ${formatCount(tokens.length, 'token')}, ${formatCount(invitations.length, 'invitation')} and the groups of ${formatCount(identityProviders.length, 'identity provider')}.`,
    'What holders handed out beyond the change ends; so do tokens, passkeys and sessions of holders whom somebody let in who could not give the role now.',
  ]
}

async function remove(context: Context, name: string): Promise<void> {
  await context.confirm(`Remove the role ${name}?`)
  await withConnection(context, async ({ client }) => {
    await client.call(removeRole, { params: { role: name } })
    context.show({ removed: name }, () => [`Removed the role ${name}.`])
  })
}
