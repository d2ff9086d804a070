/**
 * `seaworthy tuf …`: a plain TUF client for any conforming repository; the folder of metadata is
 * its anchor and its cache.
 */
import type { Command } from 'commander'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolders } from '@seaworthy/oci/folders'
import { isPin } from '@seaworthy/std/pins'
import { BodyTooLongError, isRedirect, readBody } from '@seaworthy/std/http'
import type { HttpResponse, Transport } from '@seaworthy/std/http'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import type {
  FetchMetadata,
  MetadataFolder,
  PlainTarget,
  Profile,
  StreamingHash,
  StrongHash,
} from '@seaworthy/trust/tuf'
import {
  defaultTufLimits,
  initPlainClient,
  refreshPlainClient,
  trustError,
  verifyTarget,
} from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError, describeFailure, ExitCodeError } from '../failure.ts'
import { exitCodes } from '../exit-codes.ts'
import { addHelpBelow } from '../help.ts'
import { formatBytes, harmless } from '../output/format.ts'
import { collect } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import { isMissing, readBounded, replaceDurably, writeDurably } from '../state/files.ts'
import { readKept } from '../state/kept-files.ts'

export function addTufCommands(program: Command, ports: CliPorts): void {
  const tuf = program
    .command('tuf')
    .description('a plain TUF client for any repository; its options stand before the verb')
    .requiredOption('--metadata-dir <dir>', 'trusted metadata, exactly as received')
    .option('--metadata-url <url>', 'where the repository serves metadata')
    .option('--target-name <path>', 'a target to download, repeatable', collect)
    .option('--target-base-url <url>', 'where the repository serves targets')
    .option('--target-dir <dir>', 'where downloaded targets go')
    .option(
      '--pin <sha256:…>',
      'the public key of the server, where no certificate authority vouches for it',
    )
    .option('--strict', "accept only the strict profile of Seaworthy's own repositories")
  addHelpBelow(tuf, 'Exit codes of this command: 0 done, 1 anything else.')
  tuf
    .command('init <root-file>')
    .description('trust this root.json')
    .action(
      withContext(ports, (context, file: string, _options: object, command: Command) =>
        asPlainClient(context, () => init(context, tufOptions(command), file)),
      ),
    )
  tuf
    .command('refresh')
    .description('bring the metadata up to date, verified')
    .action(
      withContext(ports, (context, _options: object, command: Command) =>
        asPlainClient(context, () => refresh(context, tufOptions(command))),
      ),
    )
  tuf
    .command('download')
    .description('refresh, then download and verify the targets named')
    .action(
      withContext(ports, (context, _options: object, command: Command) =>
        asPlainClient(context, () => download(context, tufOptions(command))),
      ),
    )
}

interface TufOptions {
  metadataDir: string
  metadataUrl?: string
  targetName?: string[]
  targetBaseUrl?: string
  targetDir?: string
  pin?: string
  strict?: boolean
}

function tufOptions(command: Command): TufOptions {
  return command.optsWithGlobals<TufOptions>()
}

/** The protocol of the TUF conformance suite knows two outcomes: 0 and 1. */
async function asPlainClient({ ports, options }: Context, act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    const end = new ExitCodeError(exitCodes.failed, { cause: error })
    if (options.json) throw end
    const { why, code } = describeFailure(error)
    ports.err.write(`seaworthy: tuf: ${harmless(why)}${code === undefined ? '' : ` (${code})`}\n`)
    if (options.verbose && error instanceof Error) {
      ports.err.write(`${harmless(error.stack ?? '').replaceAll(String.raw`\u{a}`, '\n')}\n`)
    }
    throw end
  }
}

function clientOptions(ports: CliPorts, options: TufOptions): { profile: Profile; now: Date } {
  return { profile: options.strict ? 'strict' : 'conforming', now: ports.clock.now() }
}

async function init(context: Context, options: TufOptions, file: string): Promise<void> {
  const { ports } = context
  const root = await readBounded(file, defaultTufLimits.rootBytesMax)
  makeFolders(options.metadataDir)
  await initPlainClient(root, clientOptions(ports, options), metadataFolder(ports, options))
  const { metadataDir } = options
  const sha256 = createHash('sha256').update(root).digest('hex')
  context.show({ metadataDir, root: sha256 }, () => [
    `${metadataDir} trusts the root sha256:${sha256}. Compare it with the digest that you were given.`,
  ])
}

async function refresh(context: Context, options: TufOptions): Promise<void> {
  const { ports } = context
  await withTransport(ports, options, async (transport) => {
    await refreshWith(ports, options, transport)
  })
  const { metadataDir } = options
  context.show({ metadataDir }, () => [
    `The metadata in ${metadataDir} is verified, and up to date.`,
  ])
}

function refreshWith(ports: CliPorts, options: TufOptions, transport: Transport) {
  const base = requireUrl('--metadata-url', options.metadataUrl)
  return refreshPlainClient(clientOptions(ports, options), {
    folder: metadataFolder(ports, options),
    fetchMetadata: createMetadataFetch(base, transport),
  })
}

async function download(context: Context, options: TufOptions): Promise<void> {
  const { ports } = context
  const base = requireUrl('--target-base-url', options.targetBaseUrl)
  const { targetDir: folder, targetName: names = [] } = options
  if (folder === undefined) throw new CliError('usage', '--target-dir is missing')
  if (names.length === 0) throw new CliError('usage', '--target-name is missing')
  await withTransport(ports, options, async (transport) => {
    const client = await refreshWith(ports, options, transport)
    makeFolders(folder)
    const files: { path: string; file: string; length: number }[] = []
    for (const name of names) {
      const found = await client.findTarget(name)
      const path = join(folder, found.fileName)
      files.push({ path: name, file: path, length: found.target.length })
      if (await isThere(path, found)) continue
      await replaceDurably(path, { random: ports.random, mode: 0o644 }, async (file) => {
        const source = fetchTarget(context, transport, `${base}${found.urlPath}`, found)
        for await (const piece of source) await file.writeFile(piece)
      })
    }
    context.show(files, () =>
      files.map(({ path, file, length }) =>
        harmless(`${path}: ${file} (${formatBytes(length)}), verified`),
      ),
    )
  })
}

const openHash = (name: StrongHash): StreamingHash => {
  const hash = createHash(name)
  return { update: (piece) => void hash.update(piece), digest: () => hash.digest('hex') }
}

async function isThere(path: string, { target }: PlainTarget): Promise<boolean> {
  try {
    for await (const _ of verifyTarget(createReadStream(path), target, openHash));
    return true
  } catch (error) {
    // Another file under that name is replaced once the right one was verified.
    if (error instanceof TrustError || isMissing(error)) return false
    throw error
  }
}

/** The verified target, piece by piece: nothing of it may be used before the loop has ended. */
async function* fetchTarget(
  context: Context,
  transport: Transport,
  url: string,
  { path, target }: PlainTarget,
): AsyncGenerator<Uint8Array> {
  const response = await get(transport, url, path)
  if (response.status !== 200) {
    await closeBody(response)
    throw new CliError('failed', `${path}: the repository answers ${response.status}`, {
      wayOut: 'Check --metadata-url and --target-base-url, and whether the repository is complete.',
    })
  }
  const progress = context.progress(path)
  let length = 0
  for await (const piece of verifyTarget(response.body, target, openHash)) {
    length += piece.length
    progress.update(length, target.length)
    yield piece
  }
  progress.finish()
}

const redirectsMax = 4

/** Redirects are followed a few times, and only within the origin that the user named (RFD 21). */
async function get(transport: Transport, url: string, name: string): Promise<HttpResponse> {
  const refuse = (why: string) =>
    new Refusal<'redirect_refused'>('redirect_refused', `${name}: the repository redirects ${why}`)
  for (let at = url, count = 0; ; count++) {
    const response = await transport({ method: 'GET', url: at })
    if (!isRedirect(response.status)) return response
    await closeBody(response)
    const next = URL.parse(response.headers['location'] ?? '', at)
    if (next === null) throw refuse('to no address')
    if (next.origin !== new URL(at).origin) {
      throw refuse(
        `to ${next.origin}, and only the origin that was named is asked: if that place is meant, give its address`,
      )
    }
    if (count === redirectsMax) throw refuse(`more than ${redirectsMax} times`)
    at = next.href
  }
}

function createMetadataFetch(base: string, transport: Transport): FetchMetadata {
  return async (name, bytesMax) => {
    const response = await get(transport, `${base}${name}`, name)
    if (response.status === 200) {
      try {
        return await readBody(response, bytesMax)
      } catch (cause) {
        if (!(cause instanceof BodyTooLongError)) throw cause
        throw trustError('endless_data', `${name} is longer than ${bytesMax} bytes`, { cause })
      }
    }
    await closeBody(response)
    // Stores that do not permit listing answer 403 for what does not exist (specification 5.3.3
    // knows only "not found").
    if (response.status === 404 || response.status === 403) return undefined
    throw new CliError('failed', `${name}: the repository answers ${response.status}`, {
      wayOut: 'Check --metadata-url and --target-base-url, and whether the repository is complete.',
    })
  }
}

async function closeBody(response: HttpResponse): Promise<void> {
  for await (const _ of response.body) break
}

async function withTransport(
  ports: CliPorts,
  { pin }: TufOptions,
  act: (transport: Transport) => Promise<void>,
) {
  if (pin !== undefined && !isPin(pin))
    throw new CliError('usage', '--pin is not of the form sha256:<43 characters>')
  const { transport, close } = ports.createTransport(
    pin === undefined ? { allowPlain: true } : { pin },
  )
  try {
    await act((request) => transport({ ...request, signal: request.signal ?? ports.signal }))
  } finally {
    close()
  }
}

/**
 * The URL is always that of a folder: names are appended as they are, which leads nowhere else
 * (`encodeSegment`).
 */
function requireUrl(option: string, text: string | undefined): string {
  if (text === undefined) throw new CliError('usage', `${option} is missing`)
  const url = URL.parse(text)
  if (url === null) throw new CliError('usage', `${option} is not a URL`)
  if (url.search !== '' || url.hash !== '') {
    throw new CliError('usage', `${option} is a folder: it has no ? and no #`)
  }
  return url.href.endsWith('/') ? url.href : `${url.href}/`
}

const beginAnew =
  'Restore it from a backup, or begin anew from a root that you know: `seaworthy tuf init ROOT`, with an empty --metadata-dir.'
const metadataBytesMax = 64 * 1024 * 1024

function metadataFolder(ports: CliPorts, { metadataDir: folder }: TufOptions): MetadataFolder {
  return {
    read: (name) =>
      readKept({ path: join(folder, name), bytesMax: metadataBytesMax, wayOut: beginAnew }),
    write: (name, bytes) =>
      writeDurably(join(folder, name), bytes, { random: ports.random, mode: 0o644 }),
    async remove(name) {
      await unlink(join(folder, name)).catch((error: unknown) => {
        if (!isMissing(error)) throw error
      })
    },
  }
}
