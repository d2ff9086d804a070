/** `seaworthy mirror …`: static mirrors for devices. Nothing in them needs trust. */
import type { Command } from 'commander'
import type { ContentSource, ContentTarget } from '@seaworthy/oci/content'
import { copyContent, missing } from '@seaworthy/oci/content'
import type { Digest } from '@seaworthy/oci/digests'
import { verifyBytes } from '@seaworthy/oci/digests'
import { makeFolders } from '@seaworthy/oci/folders'
import { manifestSizeMax } from '@seaworthy/oci/manifests'
import { utf8Decode } from '@seaworthy/std/bytes'
import { manifestType } from '@seaworthy/oci/layout'
import { isPin } from '@seaworthy/std/pins'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { quoted } from '@seaworthy/std/printable'
import { formatInstant } from '@seaworthy/std/time'
import { readBody } from '@seaworthy/std/http'
import type { Release, StateSlot, StateStore, TrustedFile } from '@seaworthy/trust/tuf'
import {
  channelRole,
  createTrustState,
  isName,
  listReleases,
  openTufClient,
} from '@seaworthy/trust/tuf'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import type { Connection } from '../connection.ts'
import { withConnection } from '../connection.ts'
import type { Context } from '../context.ts'
import { createContext } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { CliError, ExitCodeError } from '../failure.ts'
import { addHelpBelow } from '../help.ts'
import { openMirrorFolder } from '../mirror-folder.ts'
import { wholeNumber } from '../options.ts'
import { formatCount, harmless } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import { productContent } from '../registry.ts'
import { withFileLock } from '../state/file-lock.ts'
import { builtAt } from '../trust/anchor.ts'
import type { RepositoryView } from '../trust/repository-view.ts'
import {
  createMetadataFetch,
  fetchRootHistory,
  requireFresh,
  requireRepository,
} from '../trust/repository-view.ts'

interface ChannelName {
  readonly product: string
  readonly channel: string
}

interface MirrorOptions {
  channel: ChannelName[]
  newest?: number
  content?: boolean
}

export function addMirrorCommands(program: Command, ports: CliPorts): void {
  const mirror = program
    .command('mirror')
    .description('static mirrors, from which devices may fetch what is signed')
  const sync = mirror
    .command('sync <dir>')
    .description('make or refresh a folder that any web server can serve to devices')
    .requiredOption(
      '--channel <product/channel>',
      'what the mirror is for, repeatable',
      collectChannels,
    )
    .option('--newest <count>', 'this many releases of each channel (default: all)', countOption)
    .option('--content', 'read every byte that is there, and replace what is wrong')
    .action(async (dir: string, options: MirrorOptions, command: Command) =>
      syncMirror(createContext(ports, command), dir, options),
    )
  addHelpBelow(
    sync,
    `Run it again and again, more often than the timestamp expires: docs/OPERATIONS.md has a timer.
Devices name the mirror in agent.json ("mirrors"). They verify what it serves as they verify the server: it needs no trust, and no token reaches it.`,
  )
  mirror
    .command('check <url>')
    .description('compare a mirror with the server: exit code 0 whole and new, 3 not')
    .requiredOption(
      '--channel <product/channel>',
      'what the mirror is for, repeatable',
      collectChannels,
    )
    .option('--newest <count>', 'as it was given to `mirror sync`', countOption)
    .option('--content', 'read and verify every byte, not only lengths')
    .option(
      '--pin <sha256:…>',
      'the public key of the mirror, where no certificate authority vouches for it',
    )
    .action(async (url: string, options: MirrorOptions & { pin?: string }, command: Command) =>
      checkMirror(createContext(ports, command), url, options),
    )
}

const countOption = wholeNumber(1, 100_000)

function collectChannels(text: string, before: readonly ChannelName[] = []): ChannelName[] {
  const [product = '', channel = '', ...more] = text.split('/')
  if (more.length > 0 || !isName(product) || !isName(channel)) {
    throw new CliError('usage', `--channel: ${quoted(text)} is not of the form PRODUCT/CHANNEL`, {
      wayOut: 'For example gateway/stable; see `seaworthy product list`.',
    })
  }
  return [...before, { product, channel }]
}

interface WantedChannel extends ChannelName {
  readonly releases: readonly Release[]
}

/** The newest releases of each channel, as its keys signed them. */
function wantedOf(
  { roles }: Pick<RepositoryView['current'], 'roles'>,
  { channel: names, newest }: MirrorOptions,
): WantedChannel[] {
  return names.map((name) => {
    const metadata = roles.get(channelRole(name.product, name.channel))
    if (metadata === undefined) {
      throw new CliError('notFound', `there is no channel ${name.product}/${name.channel}`, {
        wayOut: 'See `seaworthy product list` and `seaworthy trust status`.',
      })
    }
    return { ...name, releases: listReleases(metadata.signed).releases.slice(0, newest) }
  })
}

const productsOf = ({ channel }: MirrorOptions) => [
  ...new Set(channel.map(({ product }) => product)),
]
const rolesOf = ({ channel }: MirrorOptions) =>
  new Set([
    'targets',
    ...channel.flatMap((one) => [one.product, channelRole(one.product, one.channel)]),
  ])

async function syncMirror(context: Context, folder: string, options: MirrorOptions): Promise<void> {
  const { ports } = context
  makeFolders(folder)
  await withConnection(context, (connection) =>
    withFileLock(ports, `${folder}/mirror.json`, async () => {
      const view = await requireRepository(context, connection, productsOf(options))
      requireFresh(context, view, [...rolesOf(options)])
      const channels = wantedOf(view.current, options)
      const mirror = await openMirrorFolder(folder, {
        ...{ random: ports.random, isRead: options.content === true },
      })
      const progress = context.progress('mirror')
      let doneBytes = 0
      for (const { product, channel, releases } of channels) {
        const source = productContent(connection, product)
        const target = mirror.content(product)
        for (const release of releases) {
          await copyContent({
            ...{ source, target, digest: digestOfRelease(release) },
            onProgress: (bytes) => progress.update((doneBytes += bytes)),
          })
          const { bytes } = await source.readManifest(digestOfRelease(release))
          for (const digest of [release.sha256, release.sha512]) {
            const name = `${digest}.${release.version}`
            await mirror.putMetadata(bytes, 'targets', product, channel, name)
          }
        }
      }
      const files = await metadataFiles(connection, view, options)
      for (const { name, bytes } of files) {
        if (name === timestampName) await mirror.note()
        await mirror.putMetadata(bytes, name)
      }
      const removed = await mirror.finish()
      progress.finish()
      const releases = channels.reduce((sum, one) => sum + one.releases.length, 0)
      const expires = expiryOf(view)
      context.show({ folder, releases, bytes: doneBytes, removed, expires }, () => [
        `${folder} holds ${formatCount(releases, 'release')}; ${formatCount(removed, 'file')} no longer wanted went.`,
        `Devices take it until ${expires}: run this again before.`,
      ])
    }),
  )
}

const digestOfRelease = ({ sha256 }: Release): Digest => `sha256:${sha256}`

function expiryOf({ files }: RepositoryView): string {
  const timestamp = files.find(({ name }) => name === timestampName)
  const { signed } = parseAnyJsonText(utf8Decode(timestamp!.bytes)) as {
    signed: { expires: string }
  }
  return signed.expires
}

const timestampName = 'timestamp.json'

/** What devices of these channels ask for, the timestamp last. */
async function metadataFiles(
  connection: Connection,
  view: RepositoryView,
  options: MirrorOptions,
): Promise<{ name: string; bytes: Uint8Array }[]> {
  const roots = await fetchRootHistory(connection, view)
  const roles = rolesOf(options)
  const isWanted = (name: string) => {
    const role = /^\d+\.(.+)\.json$/.exec(name)?.[1] ?? ''
    return role === 'snapshot' || roles.has(role)
  }
  return [
    ...roots.map((root) => ({ name: `${root.signed.version}.root.json`, bytes: root.bytes })),
    ...view.files.filter(({ name }) => isWanted(name)),
    ...view.files.filter(({ name }) => name === timestampName),
  ]
}

interface CheckedRole {
  readonly role: string
  readonly mirror: number | null
  readonly server: number
}

async function checkMirror(
  context: Context,
  url: string,
  options: MirrorOptions & { pin?: string },
): Promise<void> {
  const origin = originOf(url)
  if (options.pin !== undefined && !isPin(options.pin)) {
    throw new CliError('usage', '--pin is not of the form sha256:<43 characters>')
  }
  await withConnection(context, async (connection) => {
    const view = await requireRepository(context, connection, productsOf(options))
    const { transport, close } = context.ports.createTransport(
      options.pin === undefined ? { allowPlain: true } : { pin: options.pin },
    )
    try {
      const mirror = { ...connection, transport, server: { ...connection.server, url: origin } }
      await report(context, origin, await compare(context, { mirror, view, options }))
    } finally {
      close()
    }
  })
}

interface Comparison {
  readonly roles: readonly CheckedRole[]
  readonly expires: string | null
  readonly releases: number
  readonly problems: readonly string[]
}

async function compare(
  context: Context,
  {
    mirror,
    view,
    options,
  }: {
    mirror: Connection
    view: Awaited<ReturnType<typeof requireRepository>>
    options: MirrorOptions
  },
): Promise<Comparison> {
  const problems: string[] = []
  const client = await openTufClient(
    { anchor: view.anchor.bytes, profile: 'strict', notBefore: builtAt },
    {
      clock: context.ports.clock,
      store: await memoryState(view.anchor.bytes),
      fetchMetadata: createMetadataFetch(mirror),
    },
  )
  const note = async (what: string, work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await work()
      return true
    } catch (error) {
      if (!(error instanceof TrustError || error instanceof Refusal)) throw error
      problems.push(`${what}: ${error.message} (${error.code})`)
      return false
    }
  }
  if (!(await note('metadata', () => client.refresh()))) {
    return { roles: [], expires: null, releases: 0, problems }
  }
  let releases = 0
  for (const { product, channel } of options.channel) {
    await note(`${product}/${channel}`, async () => {
      const { signed } = await client.loadChannel(product, channel)
      for (const release of listReleases(signed).releases.slice(0, options.newest)) {
        const isWhole = await note(release.path, () =>
          checkRelease(context, mirror, { release, product, isRead: options.content === true }),
        )
        if (isWhole) releases++
      }
    })
  }
  const roles = versionsOf(client.trustedFiles(), view, options)
  for (const { role, mirror: own, server } of roles) {
    if (own === server) continue
    const has = own === null ? 'is not there' : `is version ${own}`
    problems.push(`${role} ${has}; the server has version ${server}`)
  }
  const timestamp = client.status().roles.find(({ role }) => role === 'timestamp')!
  return { roles, releases, problems, expires: formatInstant(timestamp.expiresAt) }
}

/** Manifests are read and verified; blobs are there in their length, or are read too. */
async function checkRelease(
  context: Context,
  mirror: Connection,
  { release, product, isRead }: { release: Release; product: string; isRead: boolean },
): Promise<void> {
  const source = mirrorContent(mirror, product)
  const target: ContentTarget = {
    async hasBlob({ digest, size }) {
      if (isRead) return false
      const response = await ask(mirror, `/v2/${product}/blobs/${digest}`, digest)
      const length = response.headers['content-length']
      for await (const _ of response.body) break
      if (length === undefined || Number(length) === size) return true
      throw new Refusal<'blob_cut'>('blob_cut', `${digest} has ${length} bytes of ${size}`)
    },
    async putBlob(_expected, open) {
      for await (const _ of open()) context.ports.signal.throwIfAborted()
    },
    async putManifest() {},
  }
  await copyContent({ source, target, digest: digestOfRelease(release) })
  const [place, version] = [release.path.split('/').slice(0, -1).join('/'), release.version]
  const path = `/tuf/targets/${place}/${release.sha256}.${version}`
  const response = await ask(mirror, path, digestOfRelease(release))
  const bytes = await readBody(response, manifestSizeMax)
  verifyBytes(bytes, { digest: digestOfRelease(release), size: release.length })
}

function mirrorContent(mirror: Connection, product: string): ContentSource {
  return {
    async readManifest(digest) {
      const response = await ask(mirror, `/v2/${product}/manifests/${digest}`, digest)
      const bytes = await readBody(response, manifestSizeMax)
      return { bytes, mediaType: manifestType(bytes) }
    },
    async *readBlob({ digest }) {
      yield* (await ask(mirror, `/v2/${product}/blobs/${digest}`, digest)).body
    },
  }
}

async function ask({ transport, server }: Connection, path: string, digest: Digest) {
  const response = await transport({ method: 'GET', url: `${server.url}${path}` })
  if (response.status === 200) return response
  for await (const _ of response.body) break
  if (response.status === 404) return missing(digest)
  throw new CliError('failed', `the mirror answers ${response.status} for ${path}`, {
    wayOut: 'See its log, and whether the web server may read the folder.',
  })
}

function versionsOf(
  files: readonly TrustedFile[],
  view: RepositoryView,
  options: MirrorOptions,
): CheckedRole[] {
  const own = new Map<string, number>()
  for (const { name } of files) {
    const [, version, role] = /^(\d+)\.(.+)\.json$/.exec(name) ?? []
    if (role !== undefined) own.set(role, Math.max(own.get(role) ?? 0, Number(version)))
  }
  const { current, roots } = view
  const all = [...rolesOf(options)].map((role) => [role, current.roles.get(role)] as const)
  return [
    {
      role: 'root',
      mirror: own.get('root') ?? roots[0]?.signed.version ?? null,
      server: current.root?.signed.version ?? 0,
    },
    ...all.map(([role, metadata]) => ({
      role,
      mirror: own.get(role) ?? null,
      server: metadata?.signed.version ?? 0,
    })),
  ]
}

async function report(context: Context, url: string, found: Comparison): Promise<void> {
  const isWhole = found.problems.length === 0
  context.show({ url, ...found }, () => [
    ...context.table<CheckedRole>(
      [
        { title: 'ROLE', text: ({ role }) => role },
        { title: 'MIRROR', text: ({ mirror }) => (mirror === null ? '-' : String(mirror)) },
        { title: 'SERVER', text: ({ server }) => String(server) },
      ],
      found.roles,
      '',
    ),
    ...found.problems.map((problem) => context.paint.red(harmless(problem))),
    isWhole
      ? `${url} is whole: ${formatCount(found.releases, 'release')}. Devices take it until ${found.expires ?? 'now'}.`
      : `${url} is not what the server has. Run \`seaworthy mirror sync --content\` for its folder.`,
  ])
  if (!isWhole) throw new ExitCodeError(exitCodes.refused)
}

function originOf(text: string): string {
  const url = URL.parse(text)
  if (url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '') {
    return url.origin
  }
  throw new CliError('usage', `${quoted(text)} is not the address of a mirror`, {
    wayOut: 'Give what agent.json names: https://HOST or https://HOST:PORT, without a path.',
  })
}

/** A state that ends with the command: nothing that the mirror says is remembered. */
async function memoryState(anchor: Uint8Array): Promise<StateStore> {
  const slots = new Map<StateSlot, Uint8Array>()
  const store: StateStore = {
    read: (slot) => Promise.resolve(slots.get(slot)),
    async write(slot, bytes) {
      slots.set(slot, bytes)
    },
  }
  await createTrustState({ anchor, profile: 'strict', notBefore: builtAt }, store)
  return store
}
