/** `seaworthy reader …`: the devices that people accepted as readers of a fleet's secrets. */
import type { Command } from 'commander'
import { formatInstant } from '@seaworthy/std/time'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { collect, wholeNumber } from '../options.ts'
import { formatCount } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import {
  confirmReaders,
  judgeFleet,
  remember,
  requireProduct,
  takeCounted,
} from '../readers/choose.ts'
import { describeStanding, nameDevice } from '../readers/words.ts'
import {
  changeRecord,
  readExported,
  readRecord,
  readReplaceable,
  setRecordAside,
  writeExported,
} from '../readers/file.ts'
import type { Reader } from '../readers/record.ts'
import {
  compareRecords,
  endReaders,
  shortReaderId,
  withoutFleet,
  withReaders,
} from '../readers/record.ts'
import type { JudgedDevice } from '../readers/verdicts.ts'
import { withPaired, withConnection } from '../connection.ts'

interface FleetOption {
  fleet: string
}

export function addReaderCommands(program: Command, ports: CliPorts): void {
  const reader = program
    .command('reader')
    .description('devices to which this machine seals secrets, as people accepted them')
  const inFleet = (command: Command) => command.requiredOption('--fleet <name>', 'the fleet')
  inFleet(reader.command('list'))
    .description('list the devices of a fleet, with their keys and which of them are accepted')
    .action(withContext(ports, list))
  addAcceptNewOption(inFleet(reader.command('accept')))
    .description('accept devices as readers, after their keys were compared')
    .option('--key <key>', 'accept this one, by all 64 digits of its key; repeatable', collect)
    .action(withContext(ports, accept))
  inFleet(reader.command('remove <key...>'))
    .description('seal nothing more to these, named by the first digits of their keys')
    .action(withContext(ports, remove))
  inFleet(reader.command('forget'))
    .description('forget the readers and the product of a fleet: it is as if never seen')
    .action(withContext(ports, forget))
  reader
    .command('export <file>')
    .description('write what this machine remembers, for others who seal')
    .action(withContext(ports, exportTo))
  reader
    .command('import <file>')
    .description('take over what somebody else accepted and ended')
    .option('--sha256 <digest>', 'the digest that `reader export` told: then nobody is asked')
    .action(withContext(ports, importFrom))
}

/** Each command that may meet a device for the first time has it. */
export function addAcceptNewOption(command: Command): Command {
  return command
    .option(
      '--accept-new <count>',
      'accept exactly this many new devices as readers; 0 lets them wait',
      wholeNumber(0, 1_000_000),
    )
    .option('--product <name>', 'the product that the fleet must run, whatever the server says')
}

interface AcceptOptions extends FleetOption {
  key?: string[]
  acceptNew?: number
  product?: string
}

async function list(context: Context, { fleet }: FleetOption): Promise<void> {
  await withConnection(context, async (connection) => {
    const { product, enrolled, notEnrolled, gone } = await judgeFleet(context, connection, fleet)
    const lines = [
      ...enrolled.map((one) => ({
        deviceId: one.device.deviceId,
        name: one.device.name,
        key: one.device.enrolled.readerId,
        provisioningKey: one.device.enrolled.provisioningKeyId,
        standing: one.standing as string,
        text: describeStanding(one),
      })),
      ...notEnrolled.map(({ deviceId, name, refusal }) => ({
        deviceId,
        name,
        key: null,
        provisioningKey: null,
        standing: 'not_enrolled',
        text: `not enrolled: ${refusal?.why ?? 'nothing proves it'}`,
      })),
      ...gone.map(({ deviceId, name, readerId }) => ({
        deviceId,
        name,
        key: readerId,
        provisioningKey: null,
        standing: 'gone',
        text: 'accepted, but no longer in the fleet',
      })),
    ]
    const shown = lines.map(({ text: _text, ...line }) => line)
    context.show({ fleet, product, devices: shown }, () => [
      `${fleet} is a fleet of the product ${product}.`,
      ...context.table<(typeof lines)[number]>(
        [
          { title: 'id', text: (one) => one.deviceId },
          { title: 'name', text: (one) => one.name ?? '-', isShrinkable: true },
          { title: 'key', text: (one) => shorten(one.key) },
          { title: 'reader', text: (one) => one.text, isShrinkable: true },
          {
            title: 'enrolled by',
            text: (one) => shorten(one.provisioningKey),
            isDroppable: true,
          },
        ],
        lines,
        'No devices with keys of their own yet.',
      ),
    ])
  })
}

function shorten(id: string | null): string {
  return id === null ? '-' : shortReaderId({ readerId: id })
}

async function accept(
  context: Context,
  { fleet, key: keys = [], acceptNew, product }: AcceptOptions,
): Promise<void> {
  await withConnection(context, async (connection) => {
    const judgement = await judgeFleet(context, connection, fleet)
    const named = keys.length + (acceptNew ?? 0)
    await requireProduct(connection, judgement, { acceptNew: named, product })
    const unaccepted = judgement.enrolled.filter(({ standing }) => standing !== 'accepted')
    const byKey = keys.map((key) => findByKey(unaccepted, key, fleet))
    const counted = acceptNew === undefined ? [] : takeCounted(unaccepted, acceptNew)
    let accepted = [...new Set([...byKey, ...counted])]
    if (keys.length === 0 && acceptNew === undefined && unaccepted.length > 0) {
      for (const one of unaccepted) {
        context.warn(`${nameDevice(one.device)}: ${describeStanding(one)}.`)
      }
      requireSomebody(context)
      await confirmReaders(context, judgement, unaccepted.length)
      accepted = unaccepted
    }
    await remember(context, connection, judgement, { accepted, gone: judgement.gone })
    const shown = accepted.map(({ device }) => ({
      deviceId: device.deviceId,
      name: device.name,
      key: device.enrolled.readerId,
    }))
    context.show({ fleet, product: judgement.product, accepted: shown }, () => [
      ...accepted.map(({ device }) => `Accepted ${nameDevice(device)}.`),
      ...(accepted.length === 0 ? ['Nothing is new.'] : []),
    ])
  })
}

function requireSomebody({ ports }: Context): void {
  if (ports.prompt.isInteractive) return
  throw new CliError('usage', 'nobody is there to accept these readers', {
    wayOut: 'Name them with --key, or say how many are new with --accept-new.',
  })
}

function findByKey(unaccepted: readonly JudgedDevice[], key: string, fleet: string): JudgedDevice {
  if (!/^[0-9a-f]{64}$/.test(key)) {
    throw new CliError('usage', `${key} is not a whole key, which has 64 hexadecimal digits`, {
      wayOut: 'Whoever makes keys can choose their first digits: compare and name all of them.',
    })
  }
  const found = unaccepted.find(({ device }) => device.enrolled.readerId === key)
  if (found !== undefined) return found
  throw new CliError('notFound', `no device of ${fleet} that could be accepted has this key`, {
    wayOut: `See \`seaworthy --json reader list --fleet ${fleet}\`.`,
  })
}

async function remove(
  context: Context,
  keys: readonly string[],
  { fleet }: FleetOption,
): Promise<void> {
  const short = keys.find((key) => !/^[0-9a-f]{8,64}$/.test(key))
  if (short !== undefined) {
    throw new CliError('usage', `${short} is not the beginning of a key: give 8 to 64 digits`)
  }
  await withPaired(context, async (connection) => {
    const at = formatInstant(context.ports.clock.now())
    const isMeant = (one: Reader, where: string) =>
      where === fleet && keys.some((key) => one.readerId.startsWith(key))
    const { ended } = endReaders(await readRecord(connection), isMeant, at)
    if (ended.length === 0) {
      throw new CliError('notFound', `no reader of ${fleet} has such a key`, {
        wayOut: `See \`seaworthy reader list --fleet ${fleet}\`.`,
      })
    }
    await changeRecord(context, connection, (record) => endReaders(record, isMeant, at).record)
    context.show({ ended: ended.map(({ readerId }) => readerId) }, () => [
      ...ended.map((one) => `${one.deviceId} (key ${shortReaderId(one)}) is no longer a reader.`),
      'It keeps the secrets that it has: set those again that it must not know.',
    ])
  })
}

async function forget(context: Context, { fleet }: FleetOption): Promise<void> {
  await context.confirm(
    `Forget the product and all readers of ${fleet}, those that were ended included?`,
  )
  await withPaired(context, async (connection) => {
    await changeRecord(context, connection, (record) => withoutFleet(record, fleet))
    context.show({ forgotten: fleet }, () => [`Forgot the readers of ${fleet}.`])
  })
}

async function exportTo(context: Context, file: string): Promise<void> {
  await withPaired(context, async (connection) => {
    const { digest } = await writeExported(context, file, await readRecord(connection))
    context.show({ file, sha256: digest }, () => [
      `Wrote ${file}, sha256 ${digest}.`,
      'It holds no secret. Send the digest by another channel than the file.',
    ])
  })
}

async function importFrom(
  context: Context,
  file: string,
  { sha256 }: { sha256?: string },
): Promise<void> {
  await withPaired(context, async (connection) => {
    const { record: other, digest } = await readExported(file)
    if (sha256 !== undefined && sha256 !== digest) {
      throw new CliError('refused', `${file} has the digest ${digest}`, {
        wayOut: 'It is not the file that was exported, or was changed: get it again.',
      })
    }
    const { record: own, isDamaged } = await readReplaceable(connection)
    const differences = compareRecords(own, other)
    const changes = differences.flatMap(({ fleet, product, changed }) =>
      changed.map((one) => ({ fleet, product, ...one })),
    )
    if (sha256 === undefined && differences.length > 0) {
      for (const one of changes) {
        const what = one.endedAt === null ? 'accepts' : 'ends'
        context.warn(`${what} ${one.deviceId} (key ${shortReaderId(one)}) for ${one.fleet}`)
      }
      if (!context.ports.prompt.isInteractive) {
        throw new CliError('usage', 'nobody is there to accept what the file says', {
          wayOut: `Compare the digest with whoever exported it, and give it: --sha256 ${digest}.`,
        })
      }
      const fleets = differences.map(({ fleet, product }) => `${fleet} of ${product}`).join(', ')
      if (!(await context.ports.prompt.askYesNo(`Take over the readers of ${fleets}?`))) {
        throw new CliError('failed', 'not confirmed; nothing was done', { wayOut: 'Answer y.' })
      }
    }
    if (isDamaged) {
      const aside = await setRecordAside(context, connection)
      context.warn(
        `WARNING: the record of this machine was damaged, and is kept as ${aside}. What it said beyond the imported one is forgotten: whom it had accepted, and whom it had ended.`,
      )
    }
    await changeRecord(context, connection, (record) => {
      let merged = record
      for (const difference of compareRecords(record, other)) {
        merged = withReaders(merged, difference, difference.changed)
      }
      return merged
    })
    const accepted = changes.filter(({ endedAt }) => endedAt === null).length
    const ended = changes.length - accepted
    context.show({ accepted, ended, sha256: digest }, () => [
      `Took over ${formatCount(accepted, 'reader')} and ${formatCount(ended, 'end')}.`,
    ])
  })
}
