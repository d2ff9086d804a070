/** `seaworthy trust …`: who may say what. */
import type { Command } from 'commander'
import { createOnlineKey, showOnlineKeys, showTrustStatus } from '@seaworthy/api/trust'
import type { TrustStatus } from '@seaworthy/api/trust'
import type { PublicKey } from '@seaworthy/trust/keys'
import { keyId, parsePublicKey } from '@seaworthy/trust/keys'
import type { ChannelMarks, RoleAuthority } from '@seaworthy/trust/tuf'
import {
  changeAuthority,
  currentAuthority,
  delegatorOf,
  noMetadata,
  roleKindOf,
} from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { createContext, withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { readNamedKeys } from '../keys/key-files.ts'
import type { NamedKey } from '../keys/key-files.ts'
import { formatAgo, formatCount, formatMs } from '../output/format.ts'
import { takeOptions } from '../option-use.ts'
import { collect, wholeNumber } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import { withConnection } from '../connection.ts'
import type { Holder } from '../trust/holders.ts'
import { describeStays, findHolders, removedKeys } from '../trust/holders.ts'
import type { ProposalOptions } from '../trust/proposing.ts'
import { propose } from '../trust/proposing.ts'
import type { RepositoryView } from '../trust/repository-view.ts'
import { openForRoot, openRepository, requireAnchored } from '../trust/repository-view.ts'
import { requireSigning, signingKeys } from '../trust/signing.ts'
import { requireRole } from '../trust/open-proposals.ts'
import { addPassphraseOption, addSigningOptions } from './proposal-options.ts'

const thresholdOption = wholeNumber(1, 100)
const markOption = wholeNumber(0, 2 ** 31 - 1)

export function addTrustCommands(program: Command, ports: CliPorts): void {
  const trust = program.command('trust').description('the root of trust: roles, keys, thresholds')
  addPassphraseOption(
    trust
      .command('init')
      .description('create the root: which offline keys count from now on')
      .requiredOption(
        '--root-key <key-file>',
        'a root key, repeatable; private key files also sign, FILE.pub only names a key',
        collect,
      )
      .requiredOption('--threshold <count>', 'how many root keys must sign', thresholdOption)
      .option(
        '--targets-key <key-file>',
        'a key that decides on products, repeatable (default: the root keys)',
        collect,
      )
      .option('--targets-threshold <count>', 'how many of these must sign', thresholdOption)
      .option('--no-apply', 'leave publishing to somebody else when every threshold is met'),
  ).action(withContext(ports, init))
  trust
    .command('status')
    .description('every role with keys, threshold, lifetime and alarm; verified from our anchor')
    .action(withContext(ports, showStatus))
  addSigningOptions(
    trust
      .command('rotate <role>')
      .description('change the keys of a role: root, targets, snapshot, timestamp, P or P.CHANNEL')
      .option('--add <key-file>', 'a further key, repeatable', collect)
      .option('--remove <key-id>', 'a key that no longer counts, repeatable', collect)
      .option(
        '--new-online-key',
        'snapshot and timestamp: the server makes a new key for its old one',
      )
      .option('--threshold <count>', 'how many must sign from now on', thresholdOption)
      .option(
        '--restart-counter <counter>',
        'a channel whose stolen keys signed higher counters: the highest that is yours',
        markOption,
      )
      .option(
        '--restart-floor <floor>',
        'with --restart-counter: the floor that is yours',
        markOption,
      ),
  ).action(async (role: string, options: RotateOptions, command: Command) => {
    if (options.newOnlineKey === true) {
      takeOptions<RotateOptions>(command, '--new-online-key, for which the server makes the key', [
        ...(['newOnlineKey', 'signWith', 'passphraseFile', 'apply'] as const),
      ])
    }
    await rotate(createContext(ports, command), role, options)
  })
  addSigningOptions(
    trust
      .command('renew <role...>')
      .description('the same content with a new expiry, before a role expires'),
  ).action(withContext(ports, renew))
}

interface InitOptions {
  rootKey: string[]
  threshold: number
  targetsKey?: string[]
  targetsThreshold?: number
  passphraseFile?: string[]
  apply: boolean
}

async function init(context: Context, options: InitOptions): Promise<void> {
  const rootKeys = await readNamedKeys(options.rootKey)
  const targetsKeys =
    options.targetsKey === undefined ? rootKeys : await readNamedKeys(options.targetsKey)
  const root = authority('--threshold', rootKeys, options.threshold)
  const targets = authority(
    '--targets-threshold',
    targetsKeys,
    options.targetsThreshold ?? (options.targetsKey === undefined ? options.threshold : 1),
  )
  if (root.threshold < 2) {
    context.warn(
      context.paint.yellow(
        'WARNING: with a threshold of 1, whoever gets hold of one root key owns every device. Two of three is the least that is advised.',
      ),
    )
  }
  await withConnection(context, async (connection) => {
    const { anchor } = await openRepository(context, connection, [])
    if (anchor !== undefined) {
      throw new CliError('refused', `there is a root already, sha256:${anchor.digest}`, {
        wayOut: 'Change keys with `seaworthy trust rotate`.',
      })
    }
    const online = await connection.client.call(showOnlineKeys, {})
    await propose(context, connection, {
      intent: {
        kind: 'trust-init',
        roles: {
          root,
          targets,
          snapshot: onlineAuthority(online.snapshot),
          timestamp: onlineAuthority(online.timestamp),
        },
      },
      current: noMetadata,
      keys: signingKeys(rootKeys, targetsKeys),
      isStrict: false,
      passphraseFiles: options.passphraseFile,
      leaveOpen: !options.apply,
    })
  })
}

/** Keys and threshold that options named. */
export function authority(
  option: string,
  keys: readonly NamedKey[],
  threshold: number,
): RoleAuthority {
  if (threshold > keys.length) {
    throw neverMet(option, threshold, keys.length)
  }
  return { keys: keys.map(({ key }) => key), threshold }
}

export function neverMet(option: string, threshold: number, keysCount: number): CliError {
  return new CliError(
    'usage',
    `${option} ${threshold} with ${formatCount(keysCount, 'key')} can never be met`,
    { wayOut: `Name further keys, or ask for at most ${keysCount}: ${option} ${keysCount}.` },
  )
}

/** Online keys come from the server. What is not a key is refused here, not first by a device. */
function onlineAuthority(keys: readonly PublicKey[]): RoleAuthority {
  return { keys: keys.map((key) => parsePublicKey(key).key), threshold: keys.length }
}

interface RotateOptions extends ProposalOptions {
  newOnlineKey?: boolean
  add?: string[]
  remove?: string[]
  threshold?: number
  restartCounter?: number
  restartFloor?: number
}

/** The marks that the owners of a channel state anew, or `undefined` where they stay. */
function restartOf({ restartCounter, restartFloor }: RotateOptions): ChannelMarks | undefined {
  if (restartCounter === undefined && restartFloor === undefined) return undefined
  if (restartCounter === undefined || restartFloor === undefined) {
    throw new CliError('usage', '--restart-counter and --restart-floor go together', {
      wayOut:
        'Give both: the highest counter and the highest floor that you have signed yourselves.',
    })
  }
  return { counterHighest: restartCounter, floorHighest: restartFloor }
}

async function rotate(context: Context, role: string, options: RotateOptions): Promise<void> {
  const restart = restartOf(options)
  if (options.newOnlineKey === true) return rotateOnline(context, role, options)
  const added = await readNamedKeys(options.add ?? [])
  const signers = await readNamedKeys(options.signWith ?? [])
  requireSigning(signers)
  if (added.length === 0 && options.remove === undefined && options.threshold === undefined) {
    throw new CliError('usage', 'nothing to change was given', {
      wayOut: isOnline(role)
        ? 'Use --new-online-key: the server makes a new key for this role.'
        : 'Use --add, --remove or --threshold.',
    })
  }
  await withConnection(
    context,
    async (connection) => {
      const { current } = requireAnchored(
        isOfRoot(role)
          ? await openForRoot(context, connection)
          : await openRepository(context, connection, productsOf([role])),
      )
      const before = currentAuthority(role, current)
      if (before === undefined) {
        await requireRole(connection, current, role)
        throw new CliError('notFound', `there is no role ${role}`, {
          wayOut: 'See `seaworthy trust status` for the roles.',
        })
      }
      const changed = await changeAuthority(before, {
        add: added.map(({ key }) => key),
        remove: await Promise.all((options.remove ?? []).map((text) => findKeyId(before, text))),
        ...(options.threshold === undefined ? {} : { threshold: options.threshold }),
      })
      await propose(context, connection, {
        intent: {
          kind: 'rotate',
          role,
          authority: changed,
          ...(restart === undefined ? {} : { restart }),
        },
        current,
        keys: signingKeys(signers, added),
        isStrict: false,
        passphraseFiles: options.passphraseFile,
        leaveOpen: !options.apply,
      })
      const removed = await removedKeys(before, changed)
      for (const line of describeStays(role, removed, await findHolders(current)))
        context.warn(line)
    },
    { mayLackLog: isOfRoot(role) },
  )
}

function isOnline(role: string): role is 'snapshot' | 'timestamp' {
  return role === 'snapshot' || role === 'timestamp'
}

/** The server makes a new key of the role, and the next root names it instead of the old one. */
async function rotateOnline(context: Context, role: string, options: RotateOptions): Promise<void> {
  if (!isOnline(role)) {
    throw new CliError('usage', `--new-online-key is for snapshot and timestamp, not for ${role}`, {
      wayOut: 'Keys of other roles are offline: use --add KEY.pub and --remove KEY-ID.',
    })
  }
  const signers = await readNamedKeys(options.signWith ?? [])
  requireSigning(signers)
  await withConnection(
    context,
    async (connection) => {
      const { current } = requireAnchored(await openForRoot(context, connection))
      const online = await connection.client.call(createOnlineKey, { params: { role } })
      await propose(context, connection, {
        intent: { kind: 'rotate', role, authority: onlineAuthority(online[role]) },
        current,
        keys: signingKeys(signers),
        isStrict: false,
        passphraseFiles: options.passphraseFile,
        leaveOpen: !options.apply,
      })
    },
    { mayLackLog: true },
  )
}

/**
 * New keys of these roles change only the root; those of `targets` need its content signed anew.
 */
function isOfRoot(role: string): boolean {
  return role === 'root' || role === 'snapshot' || role === 'timestamp'
}

/** A key id may be cut short as long as it names one key of the role. */
async function findKeyId(before: RoleAuthority, text: string): Promise<string> {
  const ids = await Promise.all(before.keys.map((key) => keyId(key)))
  const found = ids.filter((id) => text.length >= 8 && id.startsWith(text))
  if (found.length === 1) return found[0]!
  throw new CliError('notFound', `${text} does not name one key of the role`, {
    wayOut: `Its keys: ${ids.join(', ')}.`,
  })
}

async function renew(context: Context, roles: string[], options: ProposalOptions): Promise<void> {
  const signers = await readNamedKeys(options.signWith ?? [])
  requireSigning(signers)
  await withConnection(
    context,
    async (connection) => {
      const { current } = requireAnchored(
        roles.every((role) => role === 'root')
          ? await openForRoot(context, connection)
          : await openRepository(context, connection, productsOf(roles)),
      )
      await propose(context, connection, {
        intent: { kind: 'renew', roles },
        current,
        keys: signers,
        isStrict: true,
        passphraseFiles: options.passphraseFile,
        leaveOpen: !options.apply,
      })
    },
    { mayLackLog: roles.every((role) => role === 'root') },
  )
}

/** The products that roles belong to: their channels have to be known to judge a change. */
function productsOf(roles: readonly string[]): string[] | 'all' {
  const kinds = roles.map((role) => roleKindOf(role))
  for (const [i, kind] of kinds.entries()) {
    if (kind === undefined) throw new CliError('usage', `${roles[i]} is not the name of a role`)
  }
  if (roles.some((role) => delegatorOf(role) === undefined || delegatorOf(role) === 'root'))
    return 'all'
  return kinds.flatMap((kind) => (kind !== undefined && 'product' in kind ? [kind.product] : []))
}

type RoleRow = TrustStatus['roles'][number]

async function showStatus(context: Context): Promise<void> {
  await withConnection(context, async (connection) => {
    const view = await openRepository(context, connection)
    const status = await connection.client.call(showTrustStatus, {})
    for (const row of status.roles) await requireAgreement(view, row)
    const holders = await findHolders(view.current)
    const now = context.ports.clock.now()
    const blind = status.blindTimeSeconds
    context.show({ ...status, anchor: view.anchor?.digest ?? null }, () =>
      view.anchor === undefined
        ? ['There is no trust root yet: `seaworthy key create`, then `seaworthy trust init`.']
        : [
            ...context.table<RoleRow>(
              [
                { title: 'role', text: (r) => r.role, isShrinkable: true },
                { title: 'version', text: (r) => String(r.version), align: 'right' },
                {
                  title: 'keys',
                  text: (r) =>
                    `${r.online ? 'online' : 'offline'} ${r.threshold} of ${r.keyIds.length}`,
                },
                { title: 'expires', text: (r) => formatAgo(r.expiresAt, now) },
                { title: 'used', text: (r) => `${Math.round(r.usedPercent)}%`, align: 'right' },
                { title: 'alarm', text: (r) => r.alarm },
              ],
              status.roles,
              'No roles.',
            ),
            '',
            ...context.table<Holder>(
              [
                { title: 'key', text: (h) => h.keyId },
                { title: 'speaks for', text: (h) => h.roles.join(', ') },
              ],
              holders,
              'No keys.',
            ),
            '',
            ...context.fields([
              ['anchor', `sha256:${view.anchor.digest}`],
              [
                'blind time',
                blind === null
                  ? undefined
                  : `${formatMs(blind * 1000)}: how long somebody with every online key could keep devices on what they have`,
              ],
            ]),
          ],
    )
  })
}

/** Requires that what the server says about roles is what we verified ourselves. */
async function requireAgreement({ current }: RepositoryView, row: RoleRow): Promise<void> {
  const authority = currentAuthority(row.role, current)
  const ids = await Promise.all((authority?.keys ?? []).map((key) => keyId(key)))
  const isSameAuthority =
    authority?.threshold === row.threshold &&
    ids.toSorted().join(' ') === row.keyIds.toSorted().join(' ')
  if (!isSameAuthority)
    throw disagreement('has other keys or another threshold than it serves', row)
  if (row.role === 'snapshot' || row.role === 'timestamp') return
  const signed = row.role === 'root' ? current.root?.signed : current.roles.get(row.role)?.signed
  if (signed?.version === row.version && signed.expires === row.expiresAt) return
  throw disagreement(`is version ${row.version}, but serves another one`, row)
}

function disagreement(what: string, { role }: RoleRow): CliError {
  return new CliError('refused', `the server says ${role} ${what}`, {
    wayOut:
      'Something may have been published in between: try again. If it stays, the server lies.',
  })
}
