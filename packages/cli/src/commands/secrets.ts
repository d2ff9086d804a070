/** `seaworthy secret …`: secrets that only enrolled devices can read. */
import type { Command } from 'commander'
import { listDevices } from '@seaworthy/api/devices'
import type { SecretView } from '@seaworthy/api/secrets'
import { showFleet } from '@seaworthy/api/fleets'
import { listSecrets, removeSecret, setHeldSecret, setSecret } from '@seaworthy/api/secrets'
import { base64Encode } from '@seaworthy/std/bytes'
import { createSecretEnvelope, secretBytesMax, versionAt } from '@seaworthy/trust/secrets'
import { dayMs } from '@seaworthy/std/time'
import type { Context } from '../context.ts'
import { createContext, withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { ensureHolderKey } from '../keys/holder-key.ts'
import {
  forgetCopy,
  rememberCopy,
  requireCopyMemory,
  requireOwnCopies,
} from '../keys/own-copies.ts'
import { requireDeviceId } from '../find-device.ts'
import { formatAgo, formatCount } from '../output/format.ts'
import { nodeSealing } from '../keys/sealing.ts'
import type { CliPorts } from '../ports.ts'
import type { SecretArrival } from '../readers/arrivals.ts'
import { followSecret, isSealedTo } from '../readers/arrivals.ts'
import { describeArrivals } from '../readers/arrival-table.ts'
import { describeRotation, findKnownSecrets } from '../readers/known-secrets.ts'
import type { ReaderChoice } from '../readers/choose.ts'
import { chooseReaders, judgeFleet, requireProduct } from '../readers/choose.ts'
import { readRecord } from '../readers/file.ts'
import { requireSameFleet } from '../readers/record.ts'
import { nameDevice } from '../readers/words.ts'
import type { EnrolledDevice } from '../readers/verdicts.ts'
import { collectPages, withConnection } from '../connection.ts'
import type { SettingOptions } from '../setting-scope.ts'
import { addScopeOptions, findScope, requireSettingName } from '../setting-scope.ts'
import { takeOptions } from '../option-use.ts'
import { readFileOrInput } from '../state/files.ts'
import { checkFleet, howToEnrol } from '../trust/enrolments.ts'
import { copyBinding, copyOf, isOfHolder, sealToDevices } from '../trust/sealing.ts'
import { addAcceptNewOption } from './readers.ts'

export function addSecretCommands(program: Command, ports: CliPorts): void {
  const secret = program
    .command('secret')
    .description(
      'secrets for the applications of a fleet or device; the server can read only those that it was given to hold',
    )
  addSealOptions(addScopeOptions(secret.command('set <name>')))
    .description('seal a secret to each device that was accepted as a reader')
    .option('--file <file>', 'read the secret from a file, byte for byte')
    .option('--stdin', 'read it from standard input, byte for byte')
    .option('--server-held', 'let the server read it, and seal it to devices that come later')
    .action(async (name: string, options: SetOptions, command: Command) => {
      if (options.serverHeld !== true) return set(createContext(ports, command), name, options)
      const used = ['serverHeld', 'file', 'stdin', 'fleet', 'device', 'product'] as const
      takeOptions<SetOptions>(command, '--server-held', used)
      return giveToServer(createContext(ports, command), name, options)
    })
  addScopeOptions(secret.command('list'))
    .description('list secrets and how many devices wait for them; never their values')
    .action(withContext(ports, list))
  addScopeOptions(secret.command('show <name>'))
    .description('show how far a secret has come to how many devices; never its value')
    .action(withContext(ports, show))
  secret
    .command('known-to <device-id>')
    .description(
      'list the secrets that were sealed to a device: what it, or a thief of it, can read',
    )
    .action(withContext(ports, listKnownTo))
  addSealOptions(secret.command('seal'))
    .description('seal all that is missing to devices that came later')
    .requiredOption('--fleet <name>', 'the fleet')
    .action(withContext(ports, seal))
  addScopeOptions(secret.command('remove <name>'))
    .description('remove a secret')
    .action(withContext(ports, remove))
}

function addSealOptions(command: Command): Command {
  return addAcceptNewOption(command).option('--dry-run', 'say to whom it would be sealed, only')
}

interface ReaderOptions {
  acceptNew?: number
  product?: string
  dryRun?: boolean
}

interface SealOptions extends ReaderOptions {
  fleet: string
}

interface SetOptions extends SettingOptions, ReaderOptions {
  file?: string
  stdin?: boolean
  serverHeld?: boolean
}

async function readSecret(
  { ports }: Context,
  { file, stdin }: SetOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  if ((file === undefined) === (stdin !== true)) {
    throw new CliError('usage', 'give either --file or --stdin', {
      wayOut: 'A secret is never an argument, which others on this machine could read.',
    })
  }
  try {
    return await readFileOrInput(ports, file, secretBytesMax)
  } catch (cause) {
    if (!(cause instanceof CliError)) throw cause
    throw new CliError('refused', `a secret has at most ${secretBytesMax} bytes`, {
      cause,
      wayOut: 'Ship what is longer in a release, encrypted, and set its key as the secret.',
    })
  }
}

async function set(context: Context, name: string, options: SetOptions): Promise<void> {
  requireSettingName('secret', name)
  const value = await readSecret(context, options)
  await withConnection(context, async (connection) => {
    const scope = await findScope(connection, options)
    const choice = await chooseReaders(context, connection, scope, {
      acceptNew: options.acceptNew,
      product: options.product,
      isDry: options.dryRun ?? false,
    })
    if (scope.deviceId !== undefined && choice.readers.length + choice.waiting.length === 0) {
      throw new CliError('refused', `${scope.deviceId} is not enrolled: nothing was sealed`, {
        wayOut: howToEnrol(scope.fleet, scope.deviceId),
      })
    }
    if (options.dryRun === true) {
      value.fill(0)
      showSealed(context, { name, version: null }, choice)
      return
    }
    const envelope = await createSecretEnvelope(nodeSealing)
    const holder = await ensureHolderKey(context, connection)
    const { nextVersion: version, items } = await connection.client.call(listSecrets, {
      params: { fleet: scope.fleet },
      query: scope.ofDevice,
    })
    const earlier = items.find((one) => isOf(one, name, scope.deviceId))
    requirePlausible(version, context.ports.clock.now())
    const copy = await envelope.seal(holder.publicKey, copyBinding(scope, { name, version }), value)
    if (scope.deviceId === undefined) await requireCopyMemory(context, connection)
    await connection.client.call(setSecret, {
      params: { fleet: scope.fleet, secret: name },
      body: {
        ...scope.ofDevice,
        version,
        holderKey: base64Encode(holder.publicKey),
        holderCopy: base64Encode(copy),
      },
    })
    if (scope.deviceId === undefined) {
      await rememberCopy(context, connection, scope.fleet, { name, holderCopy: base64Encode(copy) })
    }
    await sealToDevices(connection, envelope, scope, { name, version, value }, choice.readers)
    value.fill(0)
    showSealed(context, { name, version }, choice, earlier?.keeper === 'server')
  })
}

const isOf = (secret: SecretView, name: string, deviceId: string | undefined) =>
  secret.name === name && secret.deviceId === (deviceId ?? null)

const pricesOfHolding = [
  'Whoever has the server, or its backups, with the master key can read it.',
  'So can whoever has an `agent.json` of the fleet with an enrolment key: nobody accepts readers.',
]

/**
 * Only the person who types this decides it: nothing that a server says makes this command send a
 * value that the server can read.
 */
async function giveToServer(context: Context, name: string, options: SetOptions): Promise<void> {
  requireSettingName('secret', name)
  const value = await readSecret(context, options)
  await withConnection(context, async (connection) => {
    const { fleet, deviceId, ofDevice } = await findScope(connection, options)
    const { product } = await connection.client.call(showFleet, { params: { fleet } })
    requireSameFleet(await readRecord(connection), { fleet, product })
    await requireProduct(connection, { fleet, product }, { product: options.product })
    const whose = deviceId ?? `the fleet ${fleet}`
    await context.confirm(
      `${pricesOfHolding.join(' ')} Give ${name} of ${whose} (product ${product}) to the server ${connection.server.url}?`,
    )
    // The copies that this machine made of earlier versions are sealed to nobody any more.
    if (deviceId === undefined) await forgetCopy(context, connection, fleet, name)
    const view = await connection.client.call(setHeldSecret, {
      params: { fleet, secret: name },
      body: { product, value: base64Encode(value), ...ofDevice },
    })
    value.fill(0)
    const { holderKey: _key, holderCopy: _copy, ...shown } = view
    context.show(shown, () => [
      `The server holds ${name}, version ${view.version}, and seals it to each enrolled device of ${whose} that asks.`,
      ...pricesOfHolding,
    ])
  })
}

/** The most readers that are listed; `--json` names all. */
const namedMax = 20

/** Nothing has been done yet where there is no version. */
function showSealed(
  context: Context,
  { name, version }: { name: string; version: number | null },
  { judgement: { fleet, product }, readers, waiting, notEnrolled }: ReaderChoice,
  wasServerHeld = false,
): void {
  const shown = {
    wasServerHeld,
    name,
    version,
    fleet,
    product,
    sealedFor: version === null ? 0 : readers.length,
    notEnrolled: notEnrolled.length,
    notAccepted: waiting.length,
    readers: readers.map(keysOf),
    waiting: waiting.map((one) => ({ ...keysOf(one.device), standing: one.standing })),
  }
  if (readers.length === 0 && notEnrolled.length > 0) {
    const who = notEnrolled.length === 1 ? 'its device is not' : 'none of its devices is'
    context.warn(
      context.paint.yellow(`WARNING: ${name} reaches nobody in ${fleet}: ${who} enrolled.`),
    )
  }
  const count = formatCount(readers.length, 'device')
  const whose = `of ${fleet} (product ${product})`
  context.show(shown, () => [
    version === null
      ? `Would seal ${name} to ${count} ${whose}.`
      : `Sealed ${name}, version ${version}, to ${count} ${whose}.`,
    ...readers.slice(0, namedMax).map((one) => `  ${nameDevice(one)}`),
    ...(readers.length > namedMax ? [`  and ${readers.length - namedMax} more (--json)`] : []),
    ...(waiting.length === 0
      ? []
      : [`${formatCount(waiting.length, 'device')} that nobody has accepted: not sealed to.`]),
    ...(notEnrolled.length === 0
      ? []
      : [`${formatCount(notEnrolled.length, 'device')} not enrolled: not sealed to.`]),
    ...(wasServerHeld
      ? [
          'The server held it until now, and could read the value before: change it where it counts.',
          'The server’s copy is destroyed. New devices wait for `seaworthy secret seal`.',
        ]
      : []),
  ])
}

function keysOf({ deviceId, name, enrolled }: EnrolledDevice) {
  return { deviceId, name, key: enrolled.readerId }
}

/**
 * Versions are at most the seconds since 2026, unless changes come faster. A server that names one
 * far ahead would make devices refuse every later secret.
 */
function requirePlausible(version: number, now: Date): void {
  if (version <= versionAt(new Date(now.getTime() + dayMs))) return
  throw new CliError('refused', `the server asks for version ${version}, which is in the future`, {
    wayOut: 'Check the clock of this machine; if it is right, tell whoever runs the server.',
  })
}

async function list(context: Context, options: SettingOptions): Promise<void> {
  await withConnection(context, async (connection) => {
    const scope = await findScope(connection, options)
    const { devices } = await checkFleet(context, connection, scope.fleet)
    const enrolled = devices.filter(
      ({ deviceId, refusal }) => refusal === undefined && (scope.deviceId ?? deviceId) === deviceId,
    )
    const { items } = await connection.client.call(listSecrets, {
      params: { fleet: scope.fleet },
      query: scope.ofDevice,
    })
    const now = context.ports.clock.now()
    const shown = items.map(({ holderKey: _key, holderCopy: _copy, ...secret }, i) => ({
      ...secret,
      waiting: enrolled.filter((device) => !isSealedTo(device, items[i]!)).length,
    }))
    context.show(shown, () =>
      context.table<(typeof shown)[number]>(
        [
          { title: 'name', text: (s) => s.name },
          { title: 'of', text: (s) => (s.deviceId === null ? 'the fleet' : 'the device') },
          {
            title: 'kept by',
            text: (s) => (s.isDamaged ? 'the server: damaged' : keepers[s.keeper]),
          },
          { title: 'version', text: (s) => String(s.version), align: 'right' },
          { title: 'devices waiting', text: (s) => String(s.waiting), align: 'right' },
          { title: 'set', text: (s) => formatAgo(s.setAt, now), isDroppable: true },
          { title: 'by', text: (s) => s.setBy, isDroppable: true, isShrinkable: true },
          { title: 'sealed by', text: sealerOf, isShrinkable: true },
        ],
        shown,
        'No secrets yet: see `seaworthy secret set --help`.',
      ),
    )
    const unreached = devices.filter(
      ({ deviceId, refusal }) => refusal !== undefined && (scope.deviceId ?? deviceId) === deviceId,
    )
    if (unreached.length === 0) return
    const count = formatCount(unreached.length, 'device is', 'devices are')
    context.warn(
      `${count} not enrolled in ${scope.fleet}, and no secret reaches ${unreached.length === 1 ? 'it' : 'them'}. ${howToEnrol(scope.fleet, scope.deviceId)}`,
    )
  })
}

const keepers = { people: 'people', server: 'the server' } as const

function sealerOf({ keeper, sealedBy }: Pick<SecretView, 'keeper' | 'sealedBy'>): string {
  return keeper === 'server' ? keepers.server : (sealedBy ?? 'nobody')
}

/** Texts for people, in the order in which they are shown. */
const arrivals: Readonly<Record<SecretArrival, string>> = {
  confirmed: 'its application is healthy with all values',
  failed: 'its application did not become healthy with it: it has the previous values',
  asked_since: 'sealed to it, and it has asked the server since',
  not_seen_since: 'sealed to it, but it has not asked since: it does not have this version',
  not_sealed: 'not sealed to it yet: `seaworthy secret seal`',
  not_accepted: 'nobody accepted it here: `seaworthy reader list`',
  not_enrolled: 'not enrolled: `seaworthy device enrolments`',
  without_key: 'it has no key: no secret reaches it',
}

const notAsked =
  'it has not asked for it yet, when the server seals it; or its provisioning key did not name its enrolment key: remove it and give it a new agent.json'

async function show(context: Context, name: string, options: SettingOptions): Promise<void> {
  await withConnection(context, async (connection) => {
    const { fleet, deviceId, ofDevice } = await findScope(connection, options)
    const { client } = connection
    const { items, version } = await client.call(listSecrets, {
      params: { fleet },
      query: ofDevice,
    })
    const secret = items.find((one) => isOf(one, name, deviceId))
    if (secret === undefined) {
      throw new CliError('notFound', `there is no secret ${name} of ${deviceId ?? fleet}`, {
        wayOut: `See \`seaworthy secret list --fleet ${fleet}\`.`,
      })
    }
    const judged = await judgeFleet(context, connection, fleet)
    const seen = await collectPages((query) =>
      client.call(listDevices, { query: { ...query, fleet } }),
    )
    const isServerHeld = !isOfHolder(secret)
    // A secret that the server holds is sealed to every enrolled device, accepted by people or not.
    const enrolled = judged.enrolled.map((one) =>
      isServerHeld ? { ...one, standing: 'accepted' as const } : one,
    )
    const devices = followSecret(secret, version, { ...judged, enrolled }, seen)
    const { holderKey: _key, holderCopy: _copy, ...view } = secret
    const texts = isServerHeld ? { ...arrivals, not_sealed: notAsked } : arrivals
    context.show({ ...view, fleet, product: judged.product, devices }, () => [
      ...context.fields([
        ['secret', name],
        ['of', deviceId ?? `the fleet ${fleet} (product ${judged.product})`],
        ['kept by', keepers[secret.keeper]],
        [
          'read by',
          isServerHeld ? 'its devices, and the server' : 'its devices, and whoever set it',
        ],
        ['version', String(secret.version)],
        ['set', `${formatAgo(secret.setAt, context.ports.clock.now())} by ${secret.setBy}`],
      ]),
      ...(secret.isDamaged
        ? [
            'What the server holds does not open as this version: no device gets it until it is set again.',
          ]
        : []),
      ...describeArrivals(context, devices, texts),
    ])
  })
}

/** The device is named by its id, since devices say their names themselves. */
async function listKnownTo(context: Context, deviceId: string): Promise<void> {
  await withConnection(context, async (connection) => {
    const known = await findKnownSecrets(connection, requireDeviceId(deviceId))
    context.show(known, () => [
      ...context.table<(typeof known.secrets)[number]>(
        [
          { title: 'name', text: (s) => s.name },
          { title: 'of', text: (s) => (s.isOfFleet ? 'the fleet' : 'the device') },
          { title: 'version', text: (s) => String(s.version), align: 'right' },
        ],
        known.secrets,
        'No secret was ever sealed to it.',
      ),
      ...describeRotation(known),
    ])
  })
}

async function seal(
  context: Context,
  { fleet, acceptNew, product, dryRun }: SealOptions,
): Promise<void> {
  const isDry = dryRun ?? false
  await withConnection(context, async (connection) => {
    const scope = await findScope(connection, { fleet })
    const choice = await chooseReaders(context, connection, scope, { acceptNew, product, isDry })
    const { items } = await connection.client.call(listSecrets, { params: { fleet }, query: {} })
    const envelope = await createSecretEnvelope(nodeSealing)
    const holder = await ensureHolderKey(context, connection)
    const own = base64Encode(holder.publicKey)
    const missing = items
      .filter(isOfHolder)
      .map((secret) => ({
        secret,
        waiting: choice.readers.filter((device) => !isSealedTo(device, secret)),
      }))
      .filter(({ waiting }) => waiting.length > 0)
    const ofOwn = missing.map(({ secret }) => secret).filter((one) => one.holderKey === own)
    await requireOwnCopies(connection, fleet, ofOwn)
    const done: { name: string; sealedFor: number; devices: ReturnType<typeof keysOf>[] }[] = []
    const foreign: string[] = []
    for (const { secret, waiting } of missing) {
      if (secret.holderKey !== own) {
        foreign.push(secret.name)
        continue
      }
      const { name, version } = secret
      if (!isDry) {
        const value = await envelope.open(holder, copyBinding(scope, secret), copyOf(secret))
        await sealToDevices(connection, envelope, scope, { name, version, value }, waiting)
        value.fill(0)
      }
      done.push({ name, sealedFor: waiting.length, devices: waiting.map(keysOf) })
    }
    const notAccepted = choice.waiting.length
    context.show({ isDry, sealed: done, ofOthers: foreign, notAccepted }, () => [
      ...done.map(
        ({ name, sealedFor }) =>
          `${isDry ? 'Would seal' : 'Sealed'} ${name} to ${formatCount(sealedFor, 'device')}.`,
      ),
      ...foreign.map(
        (name) => `${name} was set on another machine: run \`seaworthy secret seal\` there.`,
      ),
      ...(notAccepted === 0
        ? []
        : [`${formatCount(notAccepted, 'device')} that nobody has accepted: not sealed to.`]),
      ...(done.length + foreign.length + notAccepted === 0 ? ['Nothing is missing.'] : []),
    ])
  })
}

async function remove(context: Context, name: string, options: SettingOptions): Promise<void> {
  await context.confirm(`Remove the secret ${name}?`)
  await withConnection(context, async (connection) => {
    const { fleet, ofDevice } = await findScope(connection, options)
    // The copy is forgotten first, so that it is sealed to nobody even if the call fails.
    if (options.device === undefined) await forgetCopy(context, connection, fleet, name)
    await connection.client.call(removeSecret, { params: { fleet, secret: name }, query: ofDevice })
    context.show({ removed: name }, () => [`Removed ${name}.`])
  })
}
