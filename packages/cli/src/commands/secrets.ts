/** `seaworthy secret …`: what only devices read that holders have enrolled. */
import type { Command } from 'commander'
import type { SecretView } from '@seaworthy/api/secrets'
import { listSecrets, removeSecret, setSecret } from '@seaworthy/api/secrets'
import { base64Encode } from '@seaworthy/std/bytes'
import { createSecretEnvelope, secretBytesMax } from '@seaworthy/trust/secrets'
import { dayMs, secondMs } from '@seaworthy/std/time'
import type { Context } from '../context.ts'
import { createContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { ensureHolderKey } from '../keys/holder-key.ts'
import { formatAgo, formatCount } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import type { Session } from '../session.ts'
import { withSession } from '../session.ts'
import type { SettingOptions, SettingTarget } from '../setting-scope.ts'
import { addScopeOptions, findScope } from '../setting-scope.ts'
import { readBounded } from '../state/files.ts'
import type { CheckedDevice } from '../trust/enrolments.ts'
import { checkFleet } from '../trust/enrolments.ts'
import { copyBinding, copyOf, sealToDevices } from '../trust/sealing.ts'

export function addSecretCommands(program: Command, ports: CliPorts): void {
  const secret = program
    .command('secret')
    .description('secrets for the applications of a fleet or device, which the server cannot read')
  addScopeOptions(secret.command('set <name>'))
    .description('seal a secret to each enrolled device')
    .option('--file <file>', 'read the secret from a file, byte for byte')
    .option('--stdin', 'read it from standard input, byte for byte')
    .action(async (name: string, options: SetOptions, command: Command) =>
      set(createContext(ports, command), name, options),
    )
  addScopeOptions(secret.command('list'))
    .description('list secrets and how many devices wait for them; never their values')
    .action(async (options: SettingOptions, command: Command) =>
      list(createContext(ports, command), options),
    )
  secret
    .command('seal')
    .description('seal all that is missing to devices that came later')
    .requiredOption('--fleet <name>', 'the fleet')
    .action(async (options: { fleet: string }, command: Command) =>
      seal(createContext(ports, command), options),
    )
  addScopeOptions(secret.command('remove <name>'))
    .description('remove a secret')
    .action(async (name: string, options: SettingOptions, command: Command) =>
      remove(createContext(ports, command), name, options),
    )
}

interface SetOptions extends SettingOptions {
  file?: string
  stdin?: boolean
}

async function readSecret({ file, stdin }: SetOptions): Promise<Uint8Array<ArrayBuffer>> {
  if ((file === undefined) === (stdin !== true)) {
    throw new CliError('usage', 'give --file or --stdin, one of them', {
      wayOut: 'A secret is never an argument, which others on this machine could read.',
    })
  }
  try {
    return await readBounded(file ?? '/dev/stdin', secretBytesMax)
  } catch (cause) {
    if (!(cause instanceof CliError)) throw cause
    throw new CliError('refused', `a secret has at most ${secretBytesMax} bytes`, {
      cause,
      wayOut: 'Ship what is longer in a release, encrypted, and set its key as the secret.',
    })
  }
}

/** The devices that the secret is for, each with what was verified of it. */
async function checkDevices(
  context: Context,
  session: Session,
  { fleet, deviceId }: SettingTarget,
): Promise<readonly CheckedDevice[]> {
  const { devices } = await checkFleet(context, session, fleet)
  return deviceId === undefined ? devices : devices.filter((one) => one.deviceId === deviceId)
}

async function set(context: Context, name: string, options: SetOptions): Promise<void> {
  const value = await readSecret(options)
  await withSession(context, async (session) => {
    const scope = await findScope(session, options)
    const devices = await checkDevices(context, session, scope)
    const left = devices.filter(({ refusal }) => refusal !== undefined)
    for (const { deviceId, refusal } of left) {
      context.warn(`${deviceId} is not enrolled and does not get it: ${refusal!.why}.`)
    }
    if (scope.deviceId !== undefined && left.length === devices.length) {
      throw new CliError('refused', `${scope.deviceId} is not enrolled: nothing was sealed`, {
        wayOut: 'Register it anew with a key of `seaworthy provisioning-key create --sign-with …`.',
      })
    }
    const envelope = await createSecretEnvelope()
    const holder = await ensureHolderKey(context, session)
    const { nextVersion: version } = await session.client.call(listSecrets, {
      params: { fleet: scope.fleet },
      query: scope.ofDevice,
    })
    requirePlausible(version, context.ports.clock.now())
    const copy = await envelope.seal(holder.publicKey, copyBinding(scope, { name, version }), value)
    await session.client.call(setSecret, {
      params: { fleet: scope.fleet, secret: name },
      body: {
        ...scope.ofDevice,
        version,
        holderKey: base64Encode(holder.publicKey),
        holderCopy: base64Encode(copy),
      },
    })
    const sealed = await sealToDevices(session, envelope, scope, { name, version, value }, devices)
    value.fill(0)
    context.show({ name, version, sealedFor: sealed, notEnrolled: left.length }, () => [
      `Sealed ${name}, version ${version}, to ${formatCount(sealed, 'device', 'devices')}.`,
      ...(left.length === 0
        ? []
        : [`${formatCount(left.length, 'device', 'devices')} not enrolled did not get it.`]),
    ])
  })
}

const versionsBegin = Date.UTC(2026, 0, 1)

/**
 * Versions are at most the seconds since 2026, unless changes come faster. A server that tells one
 * far ahead would have devices refuse every secret after it.
 */
function requirePlausible(version: number, now: Date): void {
  if (version <= (now.getTime() - versionsBegin + dayMs) / secondMs) return
  throw new CliError('refused', `the server asks for version ${version}, which is of the future`, {
    wayOut: 'Check the clock of this machine; if it is right, tell who runs the server.',
  })
}

/** Devices that are enrolled and do not have this version yet. */
function waitingFor(secret: SecretView, devices: readonly CheckedDevice[]): CheckedDevice[] {
  return devices.filter(
    ({ refusal, seals }) =>
      refusal === undefined &&
      !seals.some(
        (one) =>
          one.name === secret.name &&
          one.isOfFleet === (secret.deviceId === null) &&
          one.version === secret.version,
      ),
  )
}

async function list(context: Context, options: SettingOptions): Promise<void> {
  await withSession(context, async (session) => {
    const scope = await findScope(session, options)
    const devices = await checkDevices(context, session, scope)
    const { items } = await session.client.call(listSecrets, {
      params: { fleet: scope.fleet },
      query: scope.ofDevice,
    })
    const now = context.ports.clock.now()
    const shown = items.map(({ holderKey: _key, holderCopy: _copy, ...secret }, i) => ({
      ...secret,
      waiting: waitingFor(items[i]!, devices).length,
    }))
    context.show(shown, () =>
      context.table<(typeof shown)[number]>(
        [
          { title: 'name', text: (s) => s.name },
          { title: 'of', text: (s) => (s.deviceId === null ? 'the fleet' : 'the device') },
          { title: 'version', text: (s) => String(s.version), align: 'right' },
          { title: 'devices waiting', text: (s) => String(s.waiting), align: 'right' },
          { title: 'set', text: (s) => formatAgo(s.setAt, now), isDroppable: true },
          { title: 'by', text: (s) => s.setBy, isDroppable: true, isShrinkable: true },
        ],
        shown,
        'No secrets yet: see `seaworthy secret set --help`.',
      ),
    )
  })
}

async function seal(context: Context, { fleet }: { fleet: string }): Promise<void> {
  await withSession(context, async (session) => {
    const scope = await findScope(session, { fleet })
    const devices = await checkDevices(context, session, scope)
    const { items } = await session.client.call(listSecrets, { params: { fleet }, query: {} })
    const envelope = await createSecretEnvelope()
    const holder = await ensureHolderKey(context, session)
    const own = base64Encode(holder.publicKey)
    const done: { name: string; sealedFor: number }[] = []
    const foreign: string[] = []
    for (const secret of items) {
      const waiting = waitingFor(secret, devices)
      if (waiting.length === 0) continue
      if (secret.holderKey !== own) {
        foreign.push(secret.name)
        continue
      }
      const value = await envelope.open(holder, copyBinding(scope, secret), copyOf(secret))
      const { name, version } = secret
      const sealedFor = await sealToDevices(
        session,
        envelope,
        scope,
        { name, version, value },
        waiting,
      )
      value.fill(0)
      done.push({ name, sealedFor })
    }
    context.show({ sealed: done, ofOthers: foreign }, () => [
      ...done.map(
        ({ name, sealedFor }) =>
          `Sealed ${name} to ${formatCount(sealedFor, 'device', 'devices')}.`,
      ),
      ...foreign.map(
        (name) => `${name} was set on another machine: run \`seaworthy secret seal\` there.`,
      ),
      ...(done.length + foreign.length === 0 ? ['Nothing is missing.'] : []),
    ])
  })
}

async function remove(context: Context, name: string, options: SettingOptions): Promise<void> {
  await context.confirm(`Remove the secret ${name}?`)
  await withSession(context, async (session) => {
    const { fleet, ofDevice } = await findScope(session, options)
    await session.client.call(removeSecret, { params: { fleet, secret: name }, query: ofDevice })
    context.show({ removed: name }, () => [`Removed ${name}.`])
  })
}
