/**
 * A secret is sealed to the devices that people accepted as readers. Those that nobody has
 * accepted are shown, asked for where somebody can answer, and wait otherwise.
 */
import { TrustError } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import { formatCount } from '../output/format.ts'
import type { Connection } from '../connection.ts'
import type { SettingTarget } from '../setting-scope.ts'
import type { CheckedDevice } from '../trust/enrolments.ts'
import { checkFleet } from '../trust/enrolments.ts'
import { changeRecord, readRecord, requireChangeable } from './file.ts'
import type { FleetTarget, Reader, ReaderFault } from './record.ts'
import { endReaders, withFleet, withReaders } from './record.ts'
import type { EnrolledDevice, JudgedDevice, JudgedFleet } from './verdicts.ts'
import { acceptedReader, judgeReaders } from './verdicts.ts'
import { describeOthers } from './words.ts'

/** Verifies the enrolments of a fleet, and compares its devices with what is remembered. */
export async function judgeFleet(
  context: Context,
  connection: Connection,
  fleet: string,
): Promise<JudgedFleet> {
  const checked = await checkFleet(context, connection, fleet)
  return judgeReaders(await readRecord(connection), checked)
}

export interface ChoiceOptions {
  /** How many new ones are accepted without a question; none with 0. */
  readonly acceptNew?: number | undefined
  /** The product that the fleet must run, as a person names it. */
  readonly product?: string | undefined
  /** Nothing is asked for and nothing is remembered. */
  readonly isDry?: boolean
}

export interface ReaderChoice {
  readonly judgement: JudgedFleet
  /** Safe to seal to. */
  readonly readers: readonly EnrolledDevice[]
  /** Enrolled, and nobody has accepted them. */
  readonly waiting: readonly JudgedDevice[]
  readonly notEnrolled: readonly CheckedDevice[]
}

/**
 * Chooses among all devices of the fleet, or judges one of them, and remembers what was accepted
 * and who is gone.
 */
export async function chooseReaders(
  context: Context,
  connection: Connection,
  { fleet, deviceId }: Pick<SettingTarget, 'fleet' | 'deviceId'>,
  { acceptNew, product, isDry = false }: ChoiceOptions,
): Promise<ReaderChoice> {
  const judgement = await judgeFleet(context, connection, fleet)
  const isMeant = (device: CheckedDevice) => deviceId === undefined || device.deviceId === deviceId
  const enrolled = judgement.enrolled.filter(({ device }) => isMeant(device))
  const notEnrolled = judgement.notEnrolled.filter(isMeant)
  const unaccepted = enrolled.filter(({ standing }) => standing !== 'accepted')
  warnOfOthers(context, { judgement, unaccepted, notEnrolled })
  const accepted = await accept(context, connection, judgement, {
    unaccepted,
    acceptNew,
    product,
    isDry,
  })
  const gone = deviceId === undefined ? judgement.gone : []
  if (!isDry && accepted.length + gone.length > 0) {
    await remember(context, connection, judgement, { accepted, gone })
  }
  const waiting = unaccepted.filter((one) => !accepted.includes(one))
  const readers = enrolled.filter((one) => !waiting.includes(one)).map(({ device }) => device)
  if (!isDry && enrolled.length > 0 && readers.length === 0) {
    throw new CliError(
      'refused',
      `nobody has accepted ${deviceId ?? `a device of ${fleet}`} as a reader: nothing was sealed`,
      {
        wayOut: `Compare them (\`seaworthy reader list --fleet ${fleet}\`), then run \`seaworthy reader accept --fleet ${fleet}\`, or give --accept-new COUNT.`,
      },
    )
  }
  return { judgement, readers, waiting, notEnrolled }
}

async function accept(
  context: Context,
  connection: Connection,
  judgement: JudgedFleet,
  {
    unaccepted,
    acceptNew,
    product,
    isDry = false,
  }: ChoiceOptions & { readonly unaccepted: readonly JudgedDevice[] },
): Promise<readonly JudgedDevice[]> {
  await requireProduct(connection, judgement, { acceptNew, product })
  if (acceptNew !== undefined) return takeCounted(unaccepted, acceptNew)
  if (isDry || unaccepted.length === 0 || !context.ports.prompt.isInteractive) return []
  await confirmReaders(context, judgement, unaccepted.length)
  return unaccepted
}

/**
 * Devices that are accepted by number or key are not shown with their fleet, so that a server could
 * show the fleet as one of another product. So a person names the product first, or has done so
 * before.
 */
export async function requireProduct(
  connection: Connection,
  judgement: Pick<JudgedFleet, 'fleet' | 'product'>,
  { acceptNew = 0, product }: Pick<ChoiceOptions, 'acceptNew' | 'product'>,
): Promise<void> {
  const { fleet } = judgement
  if (product !== undefined) {
    if (product === judgement.product) return
    throw new TrustError<ReaderFault>(
      'fleet_of_other_product',
      `${fleet} runs ${product} as you say, and the server says ${judgement.product}`,
    )
  }
  if (acceptNew === 0 || (await readRecord(connection)).fleets.has(fleet)) return
  throw new CliError('usage', `which product ${fleet} runs is not remembered here`, {
    wayOut: 'Name it: --product PRODUCT. The server alone is not believed.',
  })
}

/** The new devices, if there are exactly as many as were named. */
export function takeCounted(
  unaccepted: readonly JudgedDevice[],
  count: number,
): readonly JudgedDevice[] {
  if (count === 0) return []
  const fresh = unaccepted.filter(({ standing }) => standing === 'new')
  if (fresh.length === count) return fresh
  const changed = unaccepted.length - fresh.length
  const more = changed === 0 ? '' : `, and ${changed} more changed`
  throw new CliError(
    'refused',
    `--accept-new says ${count}, but ${formatCount(fresh.length, 'device is', 'devices are')} new${more}`,
    {
      wayOut:
        'Compare them (`seaworthy reader list`), then repeat the command with their number. Devices that changed are accepted by key only: `seaworthy reader accept --key KEY`.',
    },
  )
}

/**
 * Asks a person. `--yes` does not answer this: somebody looks at who will read a secret, or names
 * them.
 */
export async function confirmReaders(
  { ports }: Context,
  { fleet, product }: Pick<JudgedFleet, 'fleet' | 'product'>,
  count: number,
): Promise<void> {
  const question = `Accept ${count === 1 ? 'this device' : `these ${count} devices`} as ${count === 1 ? 'a reader' : 'readers'} of the secrets of ${fleet}, a fleet of the product ${product}?`
  if (await ports.prompt.askYesNo(question)) return
  throw new CliError('failed', 'not confirmed; nothing was done', {
    wayOut: 'Give --accept-new 0 to go on without them.',
  })
}

/** Those that are gone are ended first: one of them may have come back under another id. */
export async function remember(
  context: Context,
  connection: Connection,
  { fleet, product }: Pick<JudgedFleet, 'fleet' | 'product'>,
  { accepted, gone }: { accepted: readonly JudgedDevice[]; gone: readonly Reader[] },
): Promise<void> {
  const now = formatInstant(context.ports.clock.now())
  const goneIds = new Set(gone.map(({ readerId }) => readerId))
  await changeRecord(context, connection, (record) => {
    const isGone = (one: Reader, where: string) => where === fleet && goneIds.has(one.readerId)
    const readers = accepted.map(({ device }) => acceptedReader(device, now))
    const without = endReaders(record, isGone, now).record
    return readers.length === 0 ? without : withReaders(without, { fleet, product }, readers)
  })
}

/**
 * Throws where `rememberFleet` and `endAsReader` would fail. It is called before the server acts.
 */
export async function requireMemory(context: Context, connection: Connection): Promise<void> {
  if (connection.server.rootDigest === undefined) return
  await requireChangeable(context, connection)
}

/** A person named what this fleet runs: no server says another from now on. */
export async function rememberFleet(
  context: Context,
  connection: Connection,
  named: FleetTarget,
): Promise<void> {
  if (connection.server.rootDigest === undefined) return
  await changeRecord(context, connection, (record) => withFleet(record, named))
}

/** Whoever takes a device out of a fleet seals nothing more to it, whatever the server says. */
export async function endAsReader(
  context: Context,
  connection: Connection,
  deviceId: string,
  staysIn?: string,
): Promise<void> {
  if (connection.server.rootDigest === undefined) return
  const now = formatInstant(context.ports.clock.now())
  const isMeant = (one: Reader, fleet: string) => one.deviceId === deviceId && fleet !== staysIn
  await changeRecord(context, connection, (record) => endReaders(record, isMeant, now).record)
}

function warnOfOthers(
  context: Context,
  others: Parameters<typeof describeOthers>[0] & { readonly judgement: JudgedFleet },
): void {
  for (const line of describeOthers(others)) context.warn(line)
}
