/** `seaworthy apply` and `show --declarative`: fleets and devices as files that people keep. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { DeviceView } from '@seaworthy/api/devices'
import { listDevices, showDevice } from '@seaworthy/api/devices'
import type { FleetView } from '@seaworthy/api/fleets'
import { listFleets, removeFleet, setFleet } from '@seaworthy/api/fleets'
import { listProducts } from '@seaworthy/api/products'
import type { Connection } from '../connection.ts'
import { collectPages, withConnection } from '../connection.ts'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import type { Declaration, DeclaredFleet } from '../declarations/declaration.ts'
import {
  declarationBytesMax,
  declareDevices,
  mergeDeclarations,
  parseDeclaration,
} from '../declarations/declaration.ts'
import type { DeclarationStep } from '../declarations/plan.ts'
import { describeStep, planChanges } from '../declarations/plan.ts'
import { exitCodes } from '../exit-codes.ts'
import { CliError, ExitCodeError } from '../failure.ts'
import { findDeviceId } from '../find-device.ts'
import type { CliPorts } from '../ports.ts'
import { readBounded } from '../state/files.ts'
import { changeDevice } from './devices.ts'
import { makeFleet } from './fleets.ts'

export function addApplyCommands(program: Command, ports: CliPorts): void {
  program
    .command('apply <file-or-dir>')
    .description('make fleets and devices what a file says, or all *.json files of a folder')
    .option('--dry-run', 'say what would change, and end with exit code 1 where anything would')
    .option('--prune', 'also remove fleets that no file declares, after a question')
    .action(withContext(ports, apply))
  program
    .command('show')
    .description('print what is there as a file for `apply`')
    .option('--declarative', 'the form that `apply` reads: names, never ids')
    .option('--devices', 'also devices whose name only they have: their fleets and tags')
    .action(withContext(ports, show))
}

interface ApplyOptions {
  dryRun?: boolean
  prune?: boolean
}

async function apply(context: Context, path: string, options: ApplyOptions): Promise<void> {
  const declared = await readDeclarations(path)
  await withConnection(context, async (connection) => {
    const present = await readPresent(connection, declared)
    const { steps, impossible } = planChanges(declared, present, options.prune === true)
    if (impossible.length > 0) {
      throw new CliError('refused', impossible.join('; '), {
        wayOut: 'Nothing was changed. `seaworthy product list` shows the channels that are signed.',
      })
    }
    const lines = steps.flatMap(describeStep)
    const isDryRun = options.dryRun === true
    if (isDryRun || steps.length === 0) {
      context.show({ steps, isApplied: steps.length === 0 }, () =>
        steps.length === 0
          ? ['Everything is as declared.']
          : [...lines, `Changes: ${steps.length}. Nothing was changed.`],
      )
      if (steps.length > 0) throw new ExitCodeError(exitCodes.failed)
      return
    }
    for (const line of lines) context.say(line)
    const removed = steps.flatMap((step) => (step.kind === 'remove-fleet' ? [step.name] : []))
    if (removed.length > 0) {
      await context.confirm(`Remove the fleets ${removed.join(', ')} for good?`)
    }
    for (const step of steps) await carryOut(context, connection, step)
    context.show({ steps, isApplied: true }, () => [`Changes made: ${steps.length}.`])
  })
}

/** Does what the words of the step say. */
export async function carryOut(
  context: Context,
  connection: Connection,
  step: DeclarationStep,
): Promise<void> {
  const { client } = connection
  switch (step.kind) {
    case 'create-fleet':
      await makeFleet(context, connection, { name: step.name, ...step.fleet })
      return
    case 'set-fleet':
      await client.call(setFleet, { params: { fleet: step.name }, body: step.changes })
      return
    case 'set-device':
      await changeDevice(context, connection, step.id, step.changes)
      return
    case 'remove-fleet':
      await client.call(removeFleet, { params: { fleet: step.name } })
  }
}

/** The most files that one folder may have. */
const filesMax = 200

async function readDeclarations(path: string): Promise<Declaration> {
  const isFolder = (await stat(path)).isDirectory()
  const names = isFolder ? (await readdir(path)).filter((name) => name.endsWith('.json')) : []
  if (isFolder && (names.length === 0 || names.length > filesMax)) {
    throw new CliError('usage', `${path} has ${names.length} files that end with .json`, {
      wayOut: `Give a file, or a folder with 1 to ${filesMax} of them.`,
    })
  }
  const paths = isFolder ? names.toSorted().map((name) => join(path, name)) : [path]
  const files: { path: string; declaration: Declaration }[] = []
  for (const file of paths) {
    const bytes = await readBounded(file, declarationBytesMax)
    files.push({ path: file, declaration: parseDeclaration(file, bytes) })
  }
  return mergeDeclarations(files)
}

async function readPresent(connection: Connection, declared: Declaration) {
  const { client } = connection
  const fleets = await collectPages((query) => client.call(listFleets, { query }))
  const products = await collectPages((query) => client.call(listProducts, { query }))
  const devices = new Map<string, DeviceView>()
  for (const name of declared.devices.keys()) {
    const deviceId = await findDeviceId(connection, name)
    devices.set(name, await client.call(showDevice, { params: { deviceId } }))
  }
  const channels = products.flatMap(({ name, channels: own }) =>
    own.map((channel) => `${name}/${channel.name}`),
  )
  return { fleets, devices, channels: new Set(channels) }
}

interface ShowOptions {
  declarative?: boolean
  devices?: boolean
}

async function show(context: Context, options: ShowOptions): Promise<void> {
  if (options.declarative !== true) {
    throw new CliError('usage', 'show prints one form only, and it was not asked for', {
      wayOut: 'Give --declarative; `seaworthy fleet show` and `device show` are for people.',
    })
  }
  await withConnection(context, async ({ client }) => {
    const fleets = await collectPages((query) => client.call(listFleets, { query }))
    const devices =
      options.devices === true
        ? await collectPages((query) => client.call(listDevices, { query }))
        : undefined
    const declaration = {
      fleets: Object.fromEntries(fleets.map((fleet) => [fleet.name, declareFleet(fleet)])),
      ...(devices === undefined ? {} : { devices: declareDevices(devices) }),
    }
    context.show(declaration, () => JSON.stringify(declaration, undefined, 2).split('\n'))
  })
}

/** Everything that a file may say of the fleet. */
function declareFleet(fleet: FleetView): DeclaredFleet {
  const { product, channel, pollSeconds, pinnedVersion, updatesEnabled } = fleet
  const { follow, reboot, sharedIdentity } = fleet
  return {
    ...{ product, channel, pollSeconds, pinnedVersion, updatesEnabled },
    ...{ follow, reboot, sharedIdentity },
  }
}
