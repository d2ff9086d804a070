/** `seaworthy device …` */
import type { Command } from 'commander'
import { Option } from 'commander'
import type { DeviceSort, DeviceView } from '@seaworthy/api/devices'
import {
  countDevices,
  deviceSort,
  listDevices,
  removeDevice,
  setDevice,
  showDevice,
} from '@seaworthy/api/devices'
import type { BodyInputOf, ReplyOf } from '@seaworthy/api/route'
import { explainDevice, listDeviceUpdates } from '@seaworthy/api/updates'
import { showDeviceExposure } from '@seaworthy/api/vulnerabilities'
import { showFleet } from '@seaworthy/api/fleets'
import { TrustError } from '@seaworthy/std/refusal'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import type { DeviceFilterOptions } from '../device-filter.ts'
import { addFilterOptions, filterOf } from '../device-filter.ts'
import { CliError } from '../failure.ts'
import { findDeviceId } from '../find-device.ts'
import { describeFailure, reasonOf } from '../output/failure.ts'
import { formatCount, formatPast, formatMs, harmless } from '../output/format.ts'
import { describeMachine } from '../output/machine.ts'
import { describeRefusal } from '../output/refusal-words.ts'
import { collect, collectPairs, wholeNumber } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import type { Connection } from '../connection.ts'
import { collectPages, withConnection } from '../connection.ts'
import type { KnownSecrets } from '../readers/known-secrets.ts'
import { describeRotation, findKnownIfAllowed } from '../readers/known-secrets.ts'
import { endAsReader, requireMemory } from '../readers/choose.ts'
import { describeStanding } from '../readers/words.ts'
import { readRecord } from '../readers/file.ts'
import { judgeReaders } from '../readers/verdicts.ts'
import { checkFleet, checkOneDevice, howToEnrol, withoutEnrolment } from '../trust/enrolments.ts'
import { addMoveCommand } from './device-moves.ts'
import { addForeignDeviceCommands } from './foreign-devices.ts'
import { describeWhy } from './rollouts/index.ts'
import { countFound, describeCounts, orDenied } from './vulnerabilities/view.ts'

export function addDeviceCommands(program: Command, ports: CliPorts): void {
  const device = program.command('device').description('the machines')
  addForeignDeviceCommands(device, ports)
  addFilterOptions(
    device.command('list').description('list devices with what they run; options narrow the list'),
  )
    .option('--count', 'say only how many they are')
    .addOption(
      new Option('--sort <order>', 'the order; with - in front the other way round')
        .choices(deviceSort.options)
        .conflicts('count'),
    )
    .addOption(
      new Option('--limit <count>', 'at most this many, the first in the order')
        .argParser(wholeNumber(1, 1_000_000))
        .conflicts('count'),
    )
    .action(withContext(ports, list))
  device
    .command('show <device>')
    .description('show one device with its key and its last signed reports')
    .action(withContext(ports, show))
  device
    .command('enrolments')
    .description('verify which devices of a fleet were enrolled by holders of its product')
    .requiredOption('--fleet <name>', 'the fleet')
    .action(withContext(ports, showEnrolments))
  device
    .command('why <device>')
    .description('say in one sentence why a device gets what it gets next')
    .option('--time-zone <zone>', 'for times in the sentence (default: the zone of this machine)')
    .action(withContext(ports, explain))
  device
    .command('updates <device>')
    .description('list the updates of a device, newest first, with every step')
    .option('--limit <count>', 'at most this many', wholeNumber(1, 10_000), 20)
    .action(withContext(ports, showUpdates))
  device
    .command('set <device>')
    .description('change name, tags or fleet of a device')
    .option('--name <name>', 'a name for people')
    .option('--tag <name=value>', 'set the tags, repeatable; replaces those it had', collectPairs)
    .option('--add-tag <name=value>', 'one more tag, or another value, repeatable', collectPairs)
    .option('--remove-tag <name>', 'take a tag away, repeatable', collect)
    .option('--fleet <name>', 'move it to another fleet')
    .option(
      '--identity-settled',
      'the other machine that used its identity is off: it counts as one device again',
    )
    .action(withContext(ports, set))
  addMoveCommand(device, ports)
  device
    .command('remove <device...>')
    .description('remove devices; their credentials end at once')
    .action(withContext(ports, remove))
}

interface ListOptions extends DeviceFilterOptions {
  count?: boolean
  sort?: DeviceSort
  limit?: number
}

interface SetOptions {
  identitySettled?: boolean
  name?: string
  tag?: Record<string, string>
  addTag?: Record<string, string>
  removeTag?: string[]
  fleet?: string
}

async function list(
  context: Context,
  { count, sort, limit, ...options }: ListOptions,
): Promise<void> {
  const now = context.ports.clock.now()
  const filter = filterOf(options, now)
  await withConnection(context, async ({ client }) => {
    if (count === true) {
      const counted = await client.call(countDevices, { query: filter })
      context.show(counted, () => [formatCount(counted.count, 'device')])
      return
    }
    const order = sort === undefined ? {} : { sort }
    const found = await collectPages(
      (query) => client.call(listDevices, { query: { ...query, ...filter, ...order } }),
      limit,
    )
    const devices = found.slice(0, limit)
    // An empty list for a fleet that does not exist would be misleading.
    if (devices.length === 0 && filter.fleet !== undefined) {
      await client.call(showFleet, { params: { fleet: filter.fleet } })
    }
    context.show(devices, () =>
      context.table<DeviceView>(
        [
          { title: 'id', text: (d) => d.id },
          { title: 'name', text: (d) => d.name ?? '-', isShrinkable: true },
          { title: 'fleet', text: (d) => d.fleet, isShrinkable: true },
          { title: 'running', text: describeVersion, isShrinkable: true },
          { title: 'update', text: describeUpdateShortly },
          {
            title: 'refused',
            isDroppable: true,
            text: (d) =>
              d.identitySharedSince === null
                ? (d.lastRefusal?.code ?? (d.configuration?.failed ? 'values_put_back' : '-'))
                : 'identity_shared',
          },
          { title: 'seen', text: (d) => formatPast(d.lastSeenAt, now), isDroppable: true },
        ],
        devices,
        Object.keys(filter).some((part) => part !== 'fleet')
          ? 'No device matches.'
          : 'No devices yet: see `seaworthy provisioning-key create --help`.',
      ),
    )
  })
}

async function show(context: Context, given: string): Promise<void> {
  await withConnection(context, async (connection) => {
    const deviceId = await findDeviceId(connection, given)
    const view = await connection.client.call(showDevice, { params: { deviceId } })
    const reading = await describeReader(context, connection, view)
    const known = await orDenied(
      connection.client.call(showDeviceExposure, { params: { deviceId } }),
    )
    const now = context.ports.clock.now()
    context.show({ ...view, reading, ...countFound(known, now) }, () => [
      ...describe(context, view, now),
      ...describeCounts(known, now),
      ...describeFailure(context, view),
      ...context.fields([
        [
          'key',
          view.publicKey === null
            ? undefined
            : `${view.publicKey.scheme} ${view.publicKey.keyval.public.replaceAll('\n', ' ').trim()}`,
        ],
        ['enrolment', reading.enrolment],
        ['secrets', reading.secrets],
        ['signed reports', String(view.reports.length)],
      ]),
      ...context.table<(typeof view.reports)[number]>(
        [
          { title: 'sequence', text: (r) => String(r.report.sequence), align: 'right' },
          { title: 'at', text: (r) => r.report.at },
          { title: 'state', text: (r) => r.report.update.state },
          { title: 'running', text: (r) => r.report.running?.version ?? '-' },
          { title: 'counter', text: (r) => String(r.report.committedCounter), align: 'right' },
          {
            title: 'refusals',
            text: (r) => r.report.refusals.map((one) => one.code).join(' ') || '-',
          },
        ],
        view.reports,
        'No signed report yet.',
      ),
    ])
  })
}

/** Whether secrets reach the device, as this machine itself verifies and remembers it. */
async function describeReader(
  context: Context,
  connection: Connection,
  { id: deviceId, name, fleet, publicKey, enrolment }: ReplyOf<typeof showDevice>,
): Promise<{ enrolment: string; secrets: string }> {
  const unreached = 'none reaches it'
  if (publicKey === null || enrolment === null) {
    const why = publicKey === null ? 'it has no key' : withoutEnrolment
    return {
      enrolment: `not enrolled: ${why}`,
      secrets: publicKey === null ? unreached : `${unreached}. ${howToEnrol(fleet, deviceId)}`,
    }
  }
  try {
    const shown = { deviceId, name, publicKey, enrolment, seals: [] }
    const checked = await checkOneDevice(context, connection, fleet, shown)
    const judged = judgeReaders(await readRecord(connection), checked)
    const [reader] = judged.enrolled
    if (reader === undefined) {
      const why = judged.notEnrolled[0]?.refusal?.why ?? ''
      return { enrolment: `not enrolled: ${why}`, secrets: unreached }
    }
    const { provisioningKeyId, holderKeyIds, readerId } = reader.device.enrolled
    const holders = holderKeyIds.map((id) => id.slice(0, 16)).join(', ')
    return {
      enrolment: `by the provisioning key ${provisioningKeyId.slice(0, 16)}, which ${holders} signed for ${fleet}`,
      secrets: `as key ${readerId}: ${describeStanding(reader)}`,
    }
  } catch (error) {
    if (!(error instanceof TrustError || error instanceof CliError)) throw error
    return { enrolment: `NOT CHECKED: ${error.message}`, secrets: 'NOT CHECKED' }
  }
}

async function showEnrolments(context: Context, { fleet }: { fleet: string }): Promise<void> {
  await withConnection(context, async (connection) => {
    const { devices } = await checkFleet(context, connection, fleet)
    const list = devices.map(({ deviceId, name, keyId, refusal }) => ({
      deviceId,
      name,
      keyId,
      isEnrolled: refusal === undefined,
      code: refusal?.code ?? null,
      why: refusal?.why ?? null,
    }))
    context.show(list, () =>
      context.table<(typeof list)[number]>(
        [
          { title: 'id', text: (d) => d.deviceId },
          { title: 'name', text: (d) => d.name ?? '-', isShrinkable: true },
          { title: 'enrolment', text: (d) => (d.isEnrolled ? 'enrolled' : 'not enrolled') },
          { title: 'why', text: (d) => d.why ?? '-', isShrinkable: true },
        ],
        list,
        'No devices with keys of their own yet.',
      ),
    )
    if (list.some(({ isEnrolled }) => !isEnrolled)) context.warn(howToEnrol(fleet))
  })
}

async function explain(
  context: Context,
  given: string,
  { timeZone = context.ports.timeZone }: { timeZone?: string },
): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const deviceId = await findDeviceId({ client }, given)
    const why = await client.call(explainDevice, { params: { deviceId }, query: { timeZone } })
    const { configuration } = await client.call(showDevice, { params: { deviceId } })
    context.show({ ...why, configuration }, () => [
      ...describeWhy(context, why, timeZone),
      ...explainValues(configuration),
    ])
  })
}

/** Says why the application has older variables and secrets than are set, where it has. */
function explainValues(configuration: DeviceView['configuration']): string[] {
  const { version = null, failed } = configuration ?? {}
  if (failed === undefined) return []
  const has = version === null ? 'none' : `those of version ${version}`
  return [
    `Its application did not become healthy with version ${failed.version} of its variables and secrets (${harmless(failed.code)}): it has ${has}, until others are set or another release runs.`,
  ]
}

function describeValues({ configuration }: DeviceView): string | undefined {
  if (configuration === null) return undefined
  const { version, failed } = configuration
  const has = version === null ? 'none yet' : `version ${version}`
  return failed === undefined
    ? has
    : `${has}; version ${failed.version} was put back: ${harmless(failed.code)}`
}

type DeviceUpdate = ReplyOf<typeof listDeviceUpdates>['items'][number]

async function showUpdates(
  context: Context,
  given: string,
  { limit }: { limit: number },
): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const deviceId = await findDeviceId({ client }, given)
    const found = await collectPages(
      (query) => client.call(listDeviceUpdates, { params: { deviceId }, query }),
      limit + 1,
    )
    const updates = found.slice(0, limit)
    context.show(updates, () =>
      updates.length === 0
        ? ['No rollout has offered it anything yet.']
        : updates.flatMap(describeDeviceUpdate),
    )
    if (found.length > limit) context.warn(`There are more than ${limit}: see --limit.`)
  })
}

function describeDeviceUpdate(update: DeviceUpdate): string[] {
  const { version, rolloutId, wave, events } = update
  return [
    `${version}  ${rolloutId}  wave ${wave}: ${update.state}${codeOf(update)}${reasonOf(update)}`,
    ...events.map((event) => `  ${event.at}  ${event.attempt}  ${event.state}${codeOf(event)}`),
  ].map(harmless)
}

function codeOf({ code }: { code: string | null }): string {
  return code === null ? '' : ` (${code})`
}

async function set(
  context: Context,
  given: string,
  { name, tag, addTag, removeTag, fleet, identitySettled }: SetOptions,
): Promise<void> {
  const body = {
    ...(name === undefined ? {} : { name }),
    ...(tag === undefined ? {} : { tags: tag }),
    ...(addTag === undefined ? {} : { addTags: addTag }),
    ...(removeTag === undefined ? {} : { removeTags: removeTag }),
    ...(fleet === undefined ? {} : { fleet }),
    ...(identitySettled === true ? { identityShared: false as const } : {}),
  }
  if (Object.keys(body).length === 0) {
    throw new CliError('usage', 'nothing to change was given', {
      wayOut: 'See `seaworthy device set --help`.',
    })
  }
  await withConnection(context, async (connection) => {
    const deviceId = await findDeviceId(connection, given)
    const view = await changeDevice(context, connection, deviceId, body)
    context.show(view, () => describe(context, view, context.ports.clock.now()))
  })
}

/** Changes a device. One that joins another fleet is no reader of the one that it leaves. */
export async function changeDevice(
  context: Context,
  connection: Connection,
  deviceId: string,
  body: BodyInputOf<typeof setDevice>,
): Promise<DeviceView> {
  const { fleet } = body
  if (fleet !== undefined) await requireMemory(context, connection)
  const view = await connection.client.call(setDevice, { params: { deviceId }, body })
  if (fleet !== undefined) await endAsReader(context, connection, deviceId, fleet)
  return view
}

async function remove(context: Context, given: readonly string[]): Promise<void> {
  await withConnection(context, async (connection) => {
    const { client } = connection
    // All are found before the first is removed.
    const ids = await Promise.all(given.map(async (one) => findDeviceId(connection, one)))
    await context.confirm(
      `Remove ${formatCount(ids.length, 'device')} (${ids.join(', ')}) and end their credentials?`,
    )
    await requireMemory(context, connection)
    const known: KnownSecrets[] = []
    for (const deviceId of ids) {
      const before = await findKnownIfAllowed(connection, deviceId)
      await client.call(removeDevice, { params: { deviceId } })
      await endAsReader(context, connection, deviceId)
      context.say(`Removed ${deviceId}.`)
      if (before === undefined) continue
      known.push(before)
      for (const line of describeRotation(before)) context.say(line)
    }
    if (context.options.json) context.show({ removed: ids, known }, () => [])
  })
}

function describe(context: Context, view: DeviceView, now: Date): string[] {
  return context.fields([
    ['device', view.id],
    ['name', view.name ?? undefined],
    ['fleet', view.fleet],
    ['protocol', view.protocol === 'agent' ? undefined : view.protocol],
    ['platform', view.platform],
    ['hardware', view.hardware ?? undefined],
    ['agent', view.protocol === 'agent' ? view.agentVersion : undefined],
    ...describeMachine(view, now),
    [
      'tags',
      Object.entries(view.tags)
        .map(([key, value]) => `${key}=${value}`)
        .join(' ') || undefined,
    ],
    [
      'running',
      view.running === null
        ? (describeUnsigned(view) ?? 'nothing yet')
        : `${view.running.product} ${view.running.version}, counter ${view.running.counter}`,
    ],
    ['digest', view.running === null ? undefined : `sha256:${view.running.sha256}`],
    ['update', describeUpdate(view)],
    ['variables and secrets', describeValues(view)],
    [
      'last refusal',
      view.lastRefusal === null
        ? undefined
        : [
            `${view.lastRefusal.code}, ${formatPast(view.lastRefusal.at, now)}`,
            describeRefusal(view.lastRefusal.code),
            view.lastRefusal.reason ?? undefined,
          ]
            .filter((part) => part !== undefined)
            .join(': '),
    ],
    [
      'metadata age',
      view.timestampAgeSeconds === null
        ? view.protocol === 'agent'
          ? 'never verified'
          : undefined
        : formatMs(view.timestampAgeSeconds * 1000),
    ],
    ['clock', describeClock(view)],
    [
      'identity',
      view.identitySharedSince === null
        ? undefined
        : `two machines seem to use it, since ${view.identitySharedSince}: turn one off, then device set --identity-settled`,
    ],
    ['seen', formatPast(view.lastSeenAt, now)],
    ['registered', view.registeredAt],
  ])
}

function describeVersion(view: DeviceView): string {
  return view.running?.version ?? describeUnsigned(view) ?? '-'
}

/** The version that the machine itself reports: nobody has signed it. */
function describeUnsigned({ unsignedVersion }: DeviceView): string | undefined {
  return unsignedVersion === null ? undefined : `${harmless(unsignedVersion)} (not signed)`
}

/** A clock that differs by more than this is `off` for the server. */
const clockOffSeconds = 60

function describeClock({ clockOffsetSeconds: offset }: DeviceView): string | undefined {
  if (offset === null) return undefined
  if (Math.abs(offset) <= clockOffSeconds) return 'right'
  const span = formatMs(Math.abs(offset) * 1000)
  return `${span} ${offset > 0 ? 'ahead of' : 'behind'} the server's, when it last got a token`
}

/** Leaves out the product and the channel, which are those of the fleet. */
function describeUpdateShortly({ update }: DeviceView): string {
  if (update === null) return '-'
  const version = update.targetPath?.split('/').at(-1)
  return [update.state, version, update.code].filter((part) => part !== undefined).join(' ')
}

function describeUpdate({ update }: DeviceView): string {
  if (update === null) return '-'
  return [update.state, update.targetPath, update.code]
    .filter((part) => part !== undefined)
    .join(' ')
}
