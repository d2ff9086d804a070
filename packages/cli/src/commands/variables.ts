/** `seaworthy variable …`: settings of applications that need not be secret. */
import type { Command } from 'commander'
import { listDevices, showDevice } from '@seaworthy/api/devices'
import type { VariableView } from '@seaworthy/api/variables'
import { listVariables, removeVariable, setVariable } from '@seaworthy/api/variables'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { formatAgo, harmless } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import { describeArrivals } from '../readers/arrival-table.ts'
import type { SettingArrival } from '../readers/arrivals.ts'
import { followVariable } from '../readers/arrivals.ts'
import type { Connection } from '../connection.ts'
import { collectPages, withConnection } from '../connection.ts'
import type { SettingOptions } from '../setting-scope.ts'
import { addScopeOptions, findScope, requireSettingName } from '../setting-scope.ts'
import type { ReleaseDefaults } from '../trust/release-defaults.ts'
import { readReleaseDefaults } from '../trust/release-defaults.ts'

export function addVariableCommands(program: Command, ports: CliPorts): void {
  const variable = program
    .command('variable')
    .description('values for the applications of a fleet or device')
  addScopeOptions(variable.command('set <name> <value>'))
    .description('set a variable; devices take it over at their next check-in')
    .option('--again', 'also when it has that value: devices on which it failed try it again')
    .action(
      withContext(ports, (context, name: string, value: string, options: SetOptions) =>
        set(context, { name, value }, options),
      ),
    )
  addScopeOptions(variable.command('list'))
    .description('list the variables of a fleet, and those of a device where it is named')
    .option(
      '--effective',
      'what the device gets: its own, else of its fleet, else the default of its release',
    )
    .action(withContext(ports, list))
  addScopeOptions(variable.command('show <name>'))
    .description('show on how many devices a variable has arrived, and which failed with it')
    .action(withContext(ports, show))
  addScopeOptions(variable.command('remove <name>'))
    .description('remove a variable')
    .action(withContext(ports, remove))
}

interface SetOptions extends SettingOptions {
  again?: boolean
}

async function set(
  context: Context,
  { name, value }: { name: string; value: string },
  options: SetOptions,
): Promise<void> {
  requireSettingName('variable', name)
  await withConnection(context, async (connection) => {
    const { fleet, ofDevice } = await findScope(connection, options)
    const view = await connection.client.call(setVariable, {
      params: { fleet, variable: name },
      body: { value, ...ofDevice, ...(options.again === true ? { isAgain: true as const } : {}) },
    })
    context.show(view, () => [`Set ${name}, version ${view.version}.`])
  })
}

async function list(
  context: Context,
  options: SettingOptions & { effective?: boolean },
): Promise<void> {
  await withConnection(context, async (connection) => {
    const { fleet, deviceId, ofDevice } = await findScope(connection, options)
    const { items } = await connection.client.call(listVariables, {
      params: { fleet },
      query: ofDevice,
    })
    const isEffective = options.effective === true
    const found =
      isEffective && deviceId !== undefined ? await readDefaults(connection, deviceId) : undefined
    const shown = isEffective ? effective(items, found) : items.map(rowOf)
    const now = context.ports.clock.now()
    context.show(shown, () =>
      context.table<Row>(
        [
          { title: 'name', text: (v) => v.name },
          { title: 'value', text: (v) => v.value, isShrinkable: true },
          { title: 'of', text: describeOrigin },
          { title: 'version', text: (v) => String(v.version ?? '-'), align: 'right' },
          {
            title: 'set',
            text: (v) => (v.setAt === null ? '-' : formatAgo(v.setAt, now)),
            isDroppable: true,
          },
          { title: 'by', text: (v) => v.setBy ?? '-', isDroppable: true, isShrinkable: true },
        ],
        shown,
        'No variables yet: see `seaworthy variable set --help`.',
      ),
    )
    if (found !== undefined && 'unread' in found) {
      context.warn(
        `The defaults of release ${harmless(found.version)} are not shown, because they could not be read: ${found.unread}`,
      )
    }
  })
}

/** A variable that somebody has set, or the default of the release that a device runs. */
type Row = Pick<VariableView, 'name' | 'deviceId' | 'value'> & {
  readonly of: 'device' | 'fleet' | 'release'
  readonly version: number | string | null
  readonly setAt: string | null
  readonly setBy: string | null
}

function rowOf(view: VariableView): Row {
  return { ...view, of: view.deviceId === null ? 'fleet' : 'device' }
}

function describeOrigin(row: Row): string {
  return row.of === 'release' ? 'its release' : `the ${row.of}`
}

async function readDefaults(connection: Connection, deviceId: string): Promise<ReleaseDefaults> {
  const view = await connection.client.call(showDevice, { params: { deviceId } })
  return await readReleaseDefaults(connection, view)
}

/** Texts for people, in the order in which they are shown. */
const arrivals: Readonly<Record<SettingArrival, string>> = {
  confirmed: 'its application is healthy with it',
  failed: 'its application did not become healthy with it: it has the previous values',
  asked_since: 'it has asked the server since',
  not_seen_since: 'it has not asked since: it does not have it',
  without_key: 'it speaks another protocol: no variable reaches it',
}

async function show(context: Context, name: string, options: SettingOptions): Promise<void> {
  await withConnection(context, async (connection) => {
    const { fleet, deviceId, ofDevice } = await findScope(connection, options)
    const { client } = connection
    const { items } = await client.call(listVariables, { params: { fleet }, query: ofDevice })
    const variable = items.find((one) => one.name === name && one.deviceId === (deviceId ?? null))
    if (variable === undefined) {
      throw new CliError('notFound', `there is no variable ${name} of ${deviceId ?? fleet}`, {
        wayOut: `See \`seaworthy variable list --fleet ${fleet}\`.`,
      })
    }
    const seen = await collectPages((query) =>
      client.call(listDevices, { query: { ...query, fleet } }),
    )
    const devices = followVariable(variable, seen)
    context.show({ ...variable, fleet, devices }, () => [
      ...context.fields([
        ['variable', name],
        ['of', deviceId ?? `the fleet ${fleet}`],
        ['value', variable.value],
        ['version', String(variable.version)],
        ['set', `${formatAgo(variable.setAt, context.ports.clock.now())} by ${variable.setBy}`],
      ]),
      ...describeArrivals(context, devices, arrivals),
    ])
  })
}

/** What is set for the device comes first, then what is set for its fleet, then the release. */
function effective(items: readonly VariableView[], found: ReleaseDefaults | undefined): Row[] {
  const ofRelease =
    found === undefined || 'unread' in found
      ? []
      : [...found.defaults].map(([name, value]): Row => ({
          ...{ name, value, deviceId: null, of: 'release' },
          ...{ version: found.version, setAt: null, setBy: null },
        }))
  const rows = [...items.map(rowOf), ...ofRelease]
  const order = ['device', 'fleet', 'release']
  return rows
    .filter(
      (row) =>
        !rows.some((one) => one.name === row.name && order.indexOf(one.of) < order.indexOf(row.of)),
    )
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

async function remove(context: Context, name: string, options: SettingOptions): Promise<void> {
  await context.confirm(`Remove the variable ${name}?`)
  await withConnection(context, async (connection) => {
    const { fleet, ofDevice } = await findScope(connection, options)
    await connection.client.call(removeVariable, {
      params: { fleet, variable: name },
      query: ofDevice,
    })
    context.show({ removed: name }, () => [`Removed ${name}.`])
  })
}
