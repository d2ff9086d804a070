import assert from 'node:assert/strict'
import { hash, randomBytes } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import type { TestContext } from 'node:test'
import { before, test } from 'node:test'
import type { ContentSource } from '@seaworthy/oci/content'
import type { ImageLayout } from '@seaworthy/oci/layout'
import { createLayout } from '@seaworthy/oci/layout'
import type { CraftedBundle, CraftedFile } from '@seaworthy/oci/crafted-release'
import { craftLayer, craftRelease } from '@seaworthy/oci/crafted-release'
import { buildRelease } from '@seaworthy/oci/release'
import type { BundleDescriber } from '@seaworthy/oci/release-documents'
import { newId } from '@seaworthy/std/ids'
import { systemRandom } from '@seaworthy/std/random'
import type { PublishedContent } from '@seaworthy/trust/tuf'
import { buildProposal, formatProposal, parseMetadata, withChain } from '@seaworthy/trust/tuf'
import type { RepositorySimulator } from '@seaworthy/trust/testing'
import { createRepositorySimulator } from '@seaworthy/trust/testing'
import type { Prompt } from './ports.ts'
import { findSigned } from './commands/releases/export.ts'
import { join } from 'node:path'
import { writeExport } from './release-export.ts'
import { mediaTypeOf } from '@seaworthy/sbom/documents'
import { readHandedOver } from './handed-over-sboms.ts'
import { createSbomDescriber } from './release-sboms.ts'
import type { CliUser } from './testing/cli-user.ts'
import { createCliUser } from './testing/cli-user.ts'
import { runCommand } from './testing/ports.ts'
import { packContent } from './trust/proposed-content.ts'

/**
 * A signer without network, and a repository in which a hostile publisher proposes what they like.
 */

let repository: RepositorySimulator
let rootDigest: string
const platform = 'linux/amd64'
const app = (content: string): CraftedFile => ({ path: 'bin/app', content, isExecutable: true })
const start = (...command: string[]): CraftedFile => ({
  path: 'seaworthy.json',
  content: JSON.stringify({ start: command }),
})
const honest = craftLayer([app('#!/bin/sh\n'), start('./bin/app')])

before(async () => {
  repository = await createRepositorySimulator(new Date())
  rootDigest = `sha256:${hash('sha256', repository.anchor, 'hex')}`
  await repository.addProduct('web')
  await repository.addChannel('web', 'stable')
})

async function readCurrent() {
  const read = (name: string) => repository.files.get(name)!
  const roles = await Promise.all(
    [...repository.targets].map(
      async ([role, { version }]) =>
        [role, await parseMetadata('targets', read(`${version}.${role}.json`), 'strict')] as const,
    ),
  )
  return { root: await parseMetadata('root', repository.anchor, 'strict'), roles: new Map(roles) }
}

interface Signer {
  user: CliUser
  layout: ImageLayout
}

async function createSigner(t: TestContext): Promise<Signer> {
  const user = await createCliUser(t, 'signer')
  return { user, layout: await createLayout(user.file('content'), systemRandom) }
}

/**
 * Puts bundles into the layout as a release of `web`, and gives what an honest publisher would have
 * signed about it.
 */
async function push(layout: ImageLayout, version: string, ...bundles: CraftedBundle[]) {
  const { bytes } = await craftRelease(layout, { product: 'web', version, bundles })
  return contentOf(
    version,
    bundles.map((bundle) => bundle.platform),
    bytes,
  )
}

function contentOf(version: string, platforms: readonly string[], bytes: Uint8Array) {
  return {
    product: 'web',
    channel: 'stable',
    version,
    kind: 'bundle',
    platforms: platforms.toSorted(),
    hardware: [],
    security: false,
    floor: 0,
    length: bytes.length,
    sha256: hash('sha256', bytes, 'hex'),
    sha512: hash('sha512', bytes, 'hex'),
  } satisfies PublishedContent
}

/** The file that a signer is handed: with the content of `source`, or with none. */
async function writeProposal(
  { user }: Signer,
  content: PublishedContent,
  source?: ContentSource,
): Promise<string> {
  const current = await readCurrent()
  const now = new Date()
  const proposal = await buildProposal({ kind: 'publish', content }, current, {
    id: newId('proposal', now, systemRandom),
    now,
  })
  const proven = withChain(proposal, [current.root], current.roles)
  const evidence =
    source === undefined ? {} : (await packContent(proven, current, () => source)).evidence
  const path = user.file('proposal.json')
  await writeFile(path, formatProposal({ ...proven, evidence }))
  return path
}

const show = (path: string, ...more: string[]) => [
  'proposal',
  'show',
  path,
  '--root',
  rootDigest,
  ...more,
]

async function makeKey(user: CliUser): Promise<string[]> {
  await user.ok('key', 'create', user.file('key'))
  return ['--key', user.file('key'), '--root', rootDigest]
}

test('T11 a builder that lies about its file tree: the signer sees no difference and signs nothing', async (t) => {
  const signer = await createSigner(t)
  const { user, layout } = signer
  const backDoored = craftLayer([app('#!/bin/sh\nnc -l 4444 | sh &\n'), start('./bin/app')])
  const content = await push(layout, '1.0', {
    platform,
    layer: backDoored.layer,
    listed: honest.files,
  })
  const path = await writeProposal(signer, content, layout)
  const lie =
    /file list of linux\/amd64 is not what its layer holds: it says "bin\/app" with 10 bytes.*\(file_list_mismatch\)/
  assert.match(await user.fails(3, ...show(path)), lie)
  const key = await makeKey(user)
  assert.match(await user.fails(3, 'proposal', 'sign', path, ...key, '--unchecked'), lie)
  // The same with the content beside the file.
  const bare = await writeProposal(signer, content)
  assert.match(await user.fails(3, ...show(bare, '--content', user.file('content'))), lie)
  for (const bundle of [
    { platform, layer: honest.layer },
    { platform, layer: honest.layer, listed: honest.files, filedUnder: '..' },
  ]) {
    const other = await writeProposal(signer, await push(layout, '1.0', bundle), layout)
    assert.match(await user.fails(3, ...show(other)), /\(file_list_mismatch\)/)
  }
})

test('B4 T11 attack: a builder whose bill of materials leaves a package out, or names another content: signers see that it is not what the content says', async (t) => {
  const signer = await createSigner(t)
  const { user, layout } = signer
  const folder = user.file('app')
  for (const name of ['tide', 'moon']) {
    await mkdir(join(folder, 'node_modules', name), { recursive: true })
    const file = join(folder, 'node_modules', name, 'package.json')
    await writeFile(file, JSON.stringify({ name, version: '1.0.0' }))
  }
  const propose = async (version: string, createDescriber: () => BundleDescriber) => {
    const source = { kind: 'folder', path: folder } as const
    const release = { product: 'web', version, platforms: [{ platform, source }] }
    const { bytes } = await buildRelease({ ...release, layout, createDescriber })
    return await writeProposal(signer, contentOf(version, [platform], bytes), layout)
  }
  const describe = createSbomDescriber({ product: 'web', version: '1.0' })
  const shown = await user.ok(...show(await propose('1.0', describe)))
  assert.match(shown, /Bill of materials of linux\/amd64: 2 components, as computed here/)
  assert.doesNotMatch(shown, /builder's word|nobody has checked/)

  const lies: Record<string, () => BundleDescriber> = {
    'a package is left out': () => {
      const honestly = describe()
      const { files } = honestly
      let isHidden = false
      return {
        describe: (...args) => honestly.describe(...args),
        files: {
          beginFile: (path, ...rest) => {
            isHidden = path === 'node_modules/moon/package.json'
            return files.beginFile(isHidden ? 'moon.txt' : path, ...rest)
          },
          writeFile: (piece) => files.writeFile(piece),
          endFile: () => files.endFile(),
        },
      }
    },
    'it is that of another version': describe,
  }
  for (const [lie, createDescriber] of Object.entries(lies)) {
    const told = await user.ok(...show(await propose('1.1', createDescriber)))
    const line =
      "! The bill of materials of linux/amd64 (cyclonedx, spdx, packages) is not what is computed here from the content: it is its builder's word"
    if (lie.startsWith('a package')) assert.ok(told.includes(line), told)
    else {
      // The list of packages names neither release nor content, and is true.
      assert.ok(told.includes(line.replace(', packages', '')), told)
      assert.match(told, /Bill of materials of linux\/amd64: 2 components, as computed here/)
    }
    assert.match(told, /documents? that no device looks at and nobody has checked/)
  }
})

test('B4 T11 attack: a bill of materials that is handed over is never shown as computed, whatever it says', async (t) => {
  const signer = await createSigner(t)
  const { user, layout } = signer
  const folder = user.file('app')
  await mkdir(folder)
  await writeFile(join(folder, 'data.txt'), 'nothing that names a package')
  const describe = createSbomDescriber({ product: 'web', version: '1.0' })
  const computed = { path: folder, kind: 'folder' } as const
  const clean = JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', components: [] })
  const file = user.file('clean.cdx.json')
  await writeFile(file, clean)
  const handedOver = (await readHandedOver([file], [platform])).get(platform)!
  const forged = handedOver.map(({ bytes }) => ({ mediaType: mediaTypeOf.cyclonedx, bytes }))
  const propose = async (documents: typeof handedOver, isDescribed: boolean) => {
    const { bytes } = await buildRelease({
      ...{ product: 'web', version: '1.0', layout },
      platforms: [{ platform, source: computed, handedOver: documents }],
      ...(isDescribed ? { createDescriber: describe } : {}),
    })
    return await user.ok(
      ...show(await writeProposal(signer, contentOf('1.0', [platform], bytes), layout)),
    )
  }
  const told = await propose(handedOver, true)
  assert.match(told, /Bill of materials of linux\/amd64: 0 components, as computed here/)
  assert.match(told, /Handed over for linux\/amd64: 1 bill of materials, which nothing here has/)
  const alone = await propose(handedOver, false)
  assert.match(alone, /Handed over for linux\/amd64/)
  assert.doesNotMatch(alone, /as computed here/)
  // A document of the type of a computed one is compared with the content.
  assert.match(
    await propose(forged, false),
    /! The bill of materials of linux\/amd64 \(cyclonedx\) is/,
  )
})

test('T11 without the content everything is NOT CHECKED, and --yes does not sign it', async (t) => {
  const signer = await createSigner(t)
  const { user, layout } = signer
  const content = await push(layout, '1.0', {
    platform,
    layer: honest.layer,
    listed: honest.files,
  })
  const documentsOnly: ContentSource = {
    ...layout,
    readBlob: (expected) => layout.readBlob({ ...expected, digest: `sha256:${'0'.repeat(64)}` }),
  }
  const key = await makeKey(user)
  for (const [source, what] of [
    [undefined, /! NOT CHECKED {2}web 1\.0: not even its index/],
    [documentsOnly, /! NOT CHECKED {2}linux\/amd64: its content \(sha256:/],
  ] as const) {
    const path = await writeProposal(signer, content, source)
    assert.match(await user.ok(...show(path)), what)
    const sign = ['proposal', 'sign', path, ...key]
    assert.match(await user.fails(3, '--yes', ...sign), /NOT CHECKED: [^]*--unchecked/)
    // The key speaks for nothing here: that this is what stops it says that the content did not.
    assert.match(await user.fails(3, ...sign, '--unchecked'), /\(key_not_authorised\)/)
    const carried = ['--content', user.file('content')]
    const shown = await user.ok(...show(path, ...carried))
    assert.doesNotMatch(shown, /NOT CHECKED/)
    assert.match(shown, /File tree of web 1\.0 \(the channel has no release yet\): 33 B, computed/)
    assert.match(await user.fails(3, ...sign, ...carried), /\(key_not_authorised\)/)
  }
})

test('T11 content that just fits into an exported file is read out of it', async (t) => {
  const signer = await createSigner(t)
  const { user, layout } = signer
  // The packed content is as long as the random bytes, and a third longer in the file.
  const content = randomBytes(60 * 1024 * 1024).toString('base64')
  const large = craftLayer([app('#!/bin/sh\n'), { path: 'noise', content }])
  const bundle = { platform, layer: large.layer, listed: large.files }
  const path = await writeProposal(signer, await push(layout, '1.0', bundle), layout)
  const shown = await user.ok(...show(path))
  assert.doesNotMatch(shown, /NOT CHECKED/)
  assert.match(shown, /File tree of web 1\.0 .*: 80\.0 MiB, computed here/)
})

test('T11 what is to be signed about a release is compared with the release: kind, platforms, length, names', async (t) => {
  const signer = await createSigner(t)
  const { user, layout } = signer
  const bundle = { platform, layer: honest.layer, listed: honest.files }
  const content = await push(layout, '1.0', bundle)
  for (const lie of [
    { kind: 'container' as const },
    { platforms: [platform, 'linux/arm64'] },
    { length: content.length + 1 },
    { sha512: 'a'.repeat(128) },
    { version: '1.1' },
  ]) {
    const path = await writeProposal(signer, { ...content, ...lie }, layout)
    const name = Object.keys(lie)[0]!
    assert.match(
      await user.fails(3, ...show(path)),
      new RegExp(`what is to be signed says ${name} .*\\(release_mismatch\\)`),
    )
  }
})

test('B7 lines that deserve a second look come first and are never cut, however long the list is', async (t) => {
  const signer = await createSigner(t)
  const { user, layout } = signer
  const many = Array.from({ length: 300 }, (_, i) => `${i}`.padStart(3, '0'))
  const old = craftLayer([
    app('#!/bin/sh\n'),
    start('./bin/app'),
    { path: 'tools/run', content: 'x' },
    ...many.map((name) => ({ path: `a/${name}`, content: name })),
  ])
  const next = craftLayer([
    app('#!/bin/sh\n:\n'),
    start('/bin/sh', '-c', './bin/app'),
    { path: 'tools/run', content: 'x', isExecutable: true },
    { path: 'zz', content: 'z' },
    { path: 'tools/x  1 B', content: 'looks like two columns' },
    ...many.map((name) => ({ path: `a/${name}`, content: `${name}!` })),
    ...many.map((name) => ({ path: `z/${name}`, content: name, isExecutable: true })),
  ])
  const before = await push(layout, '1.0', { platform, layer: old.layer, listed: old.files })
  await repository.addRelease('web', 'stable', '1.0', { ...before, floor: 1 })
  const after = await push(layout, '2.0', { platform, layer: next.layer, listed: next.files })
  const path = await writeProposal(signer, after, layout)
  const lines = (await user.ok(...show(path))).split('\n')
  const tree = lines.slice(lines.findIndex((line) => line.startsWith('File tree of web 2.0')) + 1)
  const alerts = tree.filter((line) => line.startsWith('  ! '))
  assert.equal(alerts.length, 300 + 5)
  assert.deepEqual(tree.slice(0, alerts.length), alerts)
  for (const alert of [
    '  ! linux/amd64  seaworthy.json: start was ["./bin/app"], is ["/bin/sh","-c","./bin/app"]',
    '  ! linux/amd64  ~ tools/run  1 B: mode 0644 -> 0755',
    '  ! linux/amd64  + zz  1 B: new at the root',
    '  ! linux/amd64  ~ bin/app  10 B -> 12 B: executable, seaworthy.json runs it',
    '  ! linux/amd64  + z/: new at the root',
    '  ! linux/amd64  + z/299  3 B  executable: new executable',
  ]) {
    assert.ok(alerts.includes(alert), `${alert}\n${alerts.slice(0, 5).join('\n')}`)
  }
  assert.match(tree.join('\n'), /… and \d+ more \(--all shows them\)/)

  // Whoever signs reads the rest, or reads in the question that they did not. A yes to everything
  // hides nothing.
  const key = await makeKey(user)
  const sign = ['proposal', 'sign', path, ...key]
  const yes = await user.run('--yes', ...sign)
  assert.match(yes.err, /\(key_not_authorised\)/)
  assert.match(
    yes.out,
    /entries that the list left out:[^]* {2}linux\/amd64 {2}~ a\/299 {2}3 B -> 4 B/,
  )
  const asJson = await user.run('--yes', '--json', ...sign)
  assert.match(asJson.err, /linux\/amd64 {2}~ a\/299/)
  for (const wantsAll of [true, false]) {
    const questions: string[] = []
    const prompt: Prompt = {
      isInteractive: true,
      askSecrets: () => Promise.reject(new Error('not asked here')),
      askYesNo: async (question) => {
        questions.push(question)
        return wantsAll && questions.length === 1
      },
    }
    const { out, err } = await runCommand(sign, { prompt })
    assert.match(err, /not confirmed; nothing was done/)
    assert.match(
      questions[0]!,
      /^\d+ entries not shown: linux\/amd64: 300 changed, \d added \(.*\)\. Show them now\?$/,
    )
    assert.equal(out.includes('~ a/299'), wantsAll)
    assert.equal(/with \d+ entries of the file tree unseen\?$/.test(questions[1]!), !wantsAll)
  }
  const all = await user.ok(...show(path, '--all'))
  assert.doesNotMatch(all, /… and/)
  assert.match(all, /~ a\/299 {2}3 B -> 4 B/)
  assert.match(all, /\+ "tools\/x {2}1 B" {2}22 B/)
})

test('T11 a release that was signed with a lie does not keep a better one from being signed, and verify says what it is', async (t) => {
  const signer = await createSigner(t)
  const { user, layout } = signer
  const backDoored = craftLayer([app('#!/bin/sh\nevil\n'), start('./bin/app')])
  const bad = await push(layout, '3.0', {
    platform,
    layer: backDoored.layer,
    listed: honest.files,
  })
  await repository.addRelease('web', 'stable', '3.0', { ...bad, floor: 1 })
  const good = await push(layout, '4.0', { platform, layer: honest.layer, listed: honest.files })
  const path = await writeProposal(signer, good, layout)
  const shown = await user.ok(...show(path))
  const lie = /NOT CHECKED:? +3\.0, with which it is compared, lies about its content: linux\/amd64/
  assert.match(shown, lie)
  assert.match(shown, /~ bin\/app {2}15 B -> 10 B/)
  const sign = ['proposal', 'sign', path, ...(await makeKey(user))]
  assert.match(await user.fails(3, '--yes', ...sign), lie)
  assert.match(await user.fails(3, ...sign, '--unchecked'), /\(key_not_authorised\)/)

  // An exported folder as somebody with all the rights of the server would make it.
  const folder = user.file('export')
  await mkdir(`${folder}/tuf`, { recursive: true })
  await createLayout(`${folder}/oci`, systemRandom)
  for (const [name, bytes] of repository.files) {
    const [version, role] = name.split(/\.(.*)\.json$/)
    const isNewest = role !== undefined && repository.targets.get(role)?.version === Number(version)
    if (isNewest || role === 'root') await writeFile(`${folder}/tuf/${name}`, bytes)
  }
  const selection = { format: 'seaworthy-export-v1', product: 'web', channel: 'stable' }
  await writeFile(`${folder}/release.json`, JSON.stringify({ ...selection, version: '3.0' }))
  const exported = await createLayout(`${folder}/oci`, systemRandom)
  await push(exported, '3.0', { platform, layer: backDoored.layer, listed: honest.files })
  assert.match(
    await user.fails(3, 'release', 'verify', folder, '--root', rootDigest),
    /\(file_list_mismatch\)/,
  )
})

test('T11 an export of a crafted release writes nothing beside its folder, and refuses what lies', async (t) => {
  const { user, layout } = await createSigner(t)
  const crafted = { platform, layer: honest.layer, listed: honest.files, filedUnder: '..' }
  const content = await push(layout, '5.0', crafted)
  await repository.addRelease('web', 'stable', '5.0', { ...content, floor: 1 })
  const current = await readCurrent()
  const release = findSigned(current, 'web', '5.0', 'stable')
  const anchor = { digest: rootDigest.slice('sha256:'.length), bytes: repository.anchor }
  const files = [...repository.files].map(([name, bytes]) => ({ name, bytes }))
  const folder = user.file('exports/web')
  const input = { folder, release, source: layout, random: systemRandom, onProgress: () => {} }
  const roots = [current.root]
  await assert.rejects(writeExport({ ...input, view: { anchor, current, roots, files }, roots }), {
    code: 'file_list_mismatch',
  })
  assert.deepEqual(await readdir(user.file('exports')), ['web'])
})
