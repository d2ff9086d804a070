import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { hash, randomBytes } from 'node:crypto'
import { chmod, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { skipWithout } from '@seaworthy/std/testing/programs'
import { generateSigner } from '@seaworthy/trust/keys'
import { buildProposal, formatProposal, noMetadata } from '@seaworthy/trust/tuf'
import type { CliUser } from './testing/cli-user.ts'
import { createCliUser } from './testing/cli-user.ts'
import type { Scope } from './testing/scope.ts'
import { openFileScope } from './testing/scope.ts'
import { startServer } from './testing/server.ts'

const execute = promisify(execFile)

async function writeApplication(user: CliUser, name: string, files: Record<string, string>) {
  for (const [path, content] of Object.entries(files)) {
    const file = user.file(`${name}/${path}`)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
    if (path.startsWith('bin/')) await chmod(file, 0o755)
  }
  return user.file(name)
}

interface ProposalJson {
  id: string
  state: string
  complete: boolean
}

/** A server, three key holders on machines of their own, and a release published by two of them. */
async function publishFirstRelease(t: Scope) {
  const server = await startServer(t)
  const login = (token: string) => ['login', server.url, '--pin', server.pin, '--token', token]
  const ann = await createCliUser(t, 'ann')
  const ben = await createCliUser(t, 'ben')
  const eve = await createCliUser(t, 'eve')
  await ann.ok(...login(server.token))
  for (const [user, algorithm] of [
    [ann, 'ed25519'],
    [ben, 'p256'],
    [eve, 'ed25519'],
  ] as const) {
    await user.ok('key', 'create', user.file('key'), '--algorithm', algorithm)
  }
  const publicKeys = [ben, eve].flatMap((user) => ['--root-key', user.file('key.pub')])
  const initialized = await ann.run(
    'trust',
    'init',
    '--root-key',
    ann.file('key'),
    ...publicKeys,
    '--threshold',
    '2',
  )
  assert.equal(initialized.exitCode, 0, initialized.err)
  const id = /proposal sign (proposal_\w+) --key FILE/.exec(initialized.out)?.[1]
  assert.ok(id, initialized.out)

  // Ben signs on his own machine, with a token that was made for him.
  const made = await ann.json<{ token: string }>(
    'token',
    'create',
    'ben',
    '--role',
    'admin',
    '--expires',
    '1d',
  )
  await ben.ok(...login(made.token))
  const signed = await ben.ok('proposal', 'sign', id, '--key', ben.file('key'))
  assert.match(signed, /\+ key [0-9a-f]{64} ecdsa-sha2-nistp256/)
  assert.match(signed, /Trust is anchored at root sha256:[0-9a-f]{64}/)
  assert.match(signed, /Published: Create the trust root\./)
  const root = /root (sha256:[0-9a-f]{64})/.exec(signed)![1]!

  // Ann was there before the root: she anchors now, and what she anchors at is shown.
  const status = await ann.run('trust', 'status')
  assert.match(status.err, new RegExp(`WARNING: trust on first use: root ${root}`))
  const both = ['--sign-with', ann.file('key'), '--sign-with', ben.file('key')]
  await ann.ok('product', 'create', 'web', '--kind', 'bundle', ...both)
  const channelKeys = [ann, ben, eve].flatMap((user) => ['--key', user.file('key.pub')])
  await ann.ok('channel', 'create', 'web', 'stable', ...channelKeys, '--threshold', '2', ...both)
  const app = await writeApplication(ann, 'app-1', {
    'bin/app': '#!/bin/sh\n',
    'seaworthy.json': '{"start":["./bin/app"]}',
    'data.txt': 'one',
    'node_modules/tide/package.json': '{"name":"tide","version":"2.1.0","license":"ISC"}',
  })
  await ann.ok('release', 'create', 'web', '1.0', '--platform', 'linux/amd64', '--from', app)
  await ann.ok('publish', 'web', '1.0', '--channel', 'stable', ...both)
  return { server, ann, ben, eve, root, both, login }
}

/** The stories follow one another in one world: each names what it needs of those before it. */
const scope = openFileScope()
let world: Awaited<ReturnType<typeof publishFirstRelease>>

before(async () => {
  world = await publishFirstRelease(scope)
})

test('from login to a release that two of three signers published, one of them without network', async (t) => {
  const { ann, ben, eve, root, login, server } = world
  const manifest = '{"start":["./bin/app"]}'
  const files = { 'bin/app': '#!/bin/sh\n:\n', 'bin/tool': 'new', 'seaworthy.json': manifest }
  const broken = await writeApplication(ann, 'app-broken', { 'seaworthy.json': '{"start":7}' })
  const platform = ['--platform', 'linux/amd64']
  const refused = await ann.fails(
    3,
    'release',
    'create',
    'web',
    '2.0',
    ...platform,
    '--from',
    broken,
  )
  assert.match(refused, /seaworthy\.json: start: expected 1 to 256 texts/)
  const app = await writeApplication(ann, 'app-2', files)
  await ann.ok('release', 'create', 'web', '2.0', '--platform', 'linux/amd64', '--from', app)
  const proposed = await ann.json<ProposalJson>(
    'publish',
    'web',
    '2.0',
    '--channel',
    'stable',
    '--security',
    '--sign-with',
    ann.file('key'),
  )
  assert.equal(proposed.state, 'open')
  assert.equal(proposed.complete, false)
  const early = await ann.fails(3, 'proposal', 'apply', proposed.id)
  assert.match(early, /\(proposal_incomplete\)/)

  const again = await ann.run('proposal', 'sign', proposed.id, '--key', ann.file('key'))
  assert.match(again.err, /key has signed this proposal already: signing again changes nothing/)

  for (const write of [
    ['export', proposed.id],
    ['sign', ann.file('other.json'), '--key', ann.file('key')],
  ]) {
    const over = await ann.fails(3, 'proposal', ...write, '-o', ann.file('key.pub'))
    assert.match(over, /key\.pub exists already, and is not .*\n.*would be lost/)
  }

  // Eve's machine has no network: everything comes in one file, and only signatures go back.
  await ann.ok('proposal', 'export', proposed.id, '-o', ann.file('proposal.json'))
  await cp(ann.file('proposal.json'), eve.file('proposal.json'))
  assert.match(
    await ben.fails(2, 'proposal', 'import', eve.file('proposal.json')),
    /is the proposal itself, not the signatures of it\n.*proposal sign .* writes .*\.signatures/,
  )
  const offline = await createCliUser(t, 'offline', {
    createTransport: () => {
      throw new Error('this machine has no network')
    },
  })
  assert.match(
    await offline.fails(2, 'proposal', 'show', eve.file('proposal.json')),
    /--root sha256/,
  )
  const shown = await offline.ok('proposal', 'show', eve.file('proposal.json'), '--root', root)
  assert.match(shown, /\+ release web\/stable\/2\.0/)
  assert.match(shown, /counter 2, floor 1, security/)
  assert.match(shown, /File tree of web 2\.0, compared with 1\.0: 38 B, computed here/)
  assert.match(shown, /! linux\/amd64 {2}\+ bin\/tool {2}3 B {2}executable: new executable/)
  assert.match(shown, /- data\.txt/)
  assert.match(shown, /~ bin\/app {2}10 B -> 12 B/)
  await offline.ok(
    'proposal',
    'sign',
    eve.file('proposal.json'),
    '--key',
    eve.file('key'),
    '--root',
    root,
    '-o',
    eve.file('signatures.json'),
  )
  const carried = JSON.parse(await readFile(eve.file('signatures.json'), 'utf8')) as object
  assert.deepEqual(Object.keys(carried).toSorted(), ['format', 'proposal', 'signatures'])
  const imported = await ben.ok('proposal', 'import', eve.file('signatures.json'))
  assert.match(imported, /Published web 2\.0 on stable\./)

  const releases = await ben.json<{ version: string; channels: { counter: number }[] }[]>(
    'release',
    'list',
    'web',
  )
  assert.deepEqual(
    releases.map(({ version, channels }) => [version, channels.map(({ counter }) => counter)]),
    [
      ['2.0', [2]],
      ['1.0', [1]],
    ],
  )
  assert.match(await ben.ok('release', 'diff', 'web', '1.0', '2.0'), /- data\.txt/)
  assert.match(await ben.ok('release', 'verify', 'web', '2.0'), /Genuine/)
  assert.match(await ben.ok('log', 'verify'), /The audit log is whole/)
  type Entry = { index: number; actorName: string | null; action: string; outcome: string }
  const entries = async (...options: string[]) => ben.json<Entry[]>('log', 'list', ...options)
  const all = await entries('--within', '1h', '--limit', '100000')
  assert.deepEqual(
    all.map(({ index }) => index),
    all.map((_, i) => all.length - 1 - i),
    'every entry is there once, the newest first',
  )
  assert.deepEqual(await entries('--limit', '2'), all.slice(0, 2))
  assert.deepEqual(await entries('--before', '1h'), [])
  const named = all.find(({ actorName }) => actorName !== null)!
  assert.deepEqual(
    await entries('--actor', named.actorName!, '--limit', '100000'),
    all.filter(({ actorName }) => actorName === named.actorName),
  )
  assert.deepEqual(
    await entries('--action', named.action, '--outcome', 'done'),
    all.filter(({ action, outcome }) => action === named.action && outcome === 'done'),
  )
  assert.deepEqual(await entries('--text', 'in no entry'), [])
  assert.ok((await ben.ok('log', 'list')).includes(named.actorName!))

  // A new machine that is told the root's digest needs no trust on first use; a wrong digest is
  // refused.
  const token = (await ann.json<{ token: string }>('token', 'create', 'zoe', '--role', 'viewer'))
    .token
  const zoe = await createCliUser(t, 'zoe')
  assert.match(
    await zoe.fails(3, ...login(token), '--root', `sha256:${'0'.repeat(64)}`),
    /does not have the root/,
  )
  const paired = await zoe.run(...login(token), '--root', root)
  assert.deepEqual([paired.exitCode, paired.err], [0, ''])
  assert.match(await zoe.ok('product', 'list'), /web +bundle +2 of 3/)
  assert.match(
    await zoe.fails(4, 'fleet', 'create', 'f', '--product', 'web', '--channel', 'stable'),
    /\(permission_denied\)/,
  )
  assert.match(await zoe.fails(5, 'release', 'show', 'web', '9'), /\(release_not_found\)/)
  const elsewhere = server.pin.replace(/.{4}$/, 'AAAA')
  assert.match(
    await zoe.fails(3, '--server', 'x', 'login', server.url, '--pin', elsewhere, '--token', token),
    /\(pin_mismatch\)/,
  )
  assert.match(
    await zoe.fails(
      6,
      '--server',
      'x',
      'login',
      'https://127.0.0.1:1',
      '--pin',
      server.pin,
      '--token',
      token,
    ),
    /\(unreachable\)/,
  )
})

test('fleets, provisioning keys, tokens and devices', async () => {
  const { ann, root, server } = world
  await ann.ok('fleet', 'create', 'lab', '--product', 'web', '--channel', 'stable', '--poll', '30m')
  await ann.ok('fleet', 'set', 'lab', '--pin-version', '1.0', '--updates', 'off')
  const fleets = await ann.json<object[]>('fleet', 'list')
  assert.partialDeepStrictEqual(fleets, [
    {
      name: 'lab',
      pollSeconds: 1800,
      pinnedVersion: '1.0',
      updatesEnabled: false,
      devicesCount: 0,
    },
  ])
  await ann.ok('fleet', 'set', 'lab', '--unpin')
  assert.match(await ann.ok('fleet', 'show', 'lab'), /newest of the channel/)
  assert.match(await ann.fails(2, 'fleet', 'set', 'lab'), /nothing to change/)

  const agentFile = ann.file('agent.json')
  const made = await ann.json<{ view: { id: string } }>(
    'provisioning-key',
    'create',
    '--fleet',
    'lab',
    '--uses',
    '3',
    '--expires',
    '1d',
    '--agent-config',
    agentFile,
  )
  assert.equal((await stat(agentFile)).mode & 0o777, 0o600)
  const agent = JSON.parse(await readFile(agentFile, 'utf8')) as Record<string, string>
  assert.deepEqual(
    [agent['server'], agent['pin'], agent['product'], agent['channel'], `sha256:${agent['root']}`],
    [server.url, server.pin, 'web', 'stable', root],
  )
  assert.match(agent['provisioningKey']!, /^swp_/)
  const again = ['provisioning-key', 'create', '--fleet', 'lab', '--agent-config', agentFile]
  const refused = await ann.fails(3, ...again)
  assert.match(refused, /agent\.json exists already, and may hold a key.*\n.*--force/)
  assert.deepEqual(JSON.parse(await readFile(agentFile, 'utf8')), agent)
  await ann.ok(...again, '--force')
  assert.notEqual(
    (JSON.parse(await readFile(agentFile, 'utf8')) as typeof agent)['provisioningKey'],
    agent['provisioningKey'],
  )
  assert.match(await ann.ok('provisioning-key', 'list', '--fleet', 'lab'), new RegExp(made.view.id))
  await ann.ok('provisioning-key', 'revoke', made.view.id)
  assert.match(await ann.ok('device', 'list', '--fleet', 'lab'), /No devices yet/)
  for (const noun of ['device', 'rollout']) {
    assert.match(
      await ann.fails(5, noun, 'list', '--fleet', 'lap'),
      /no fleet lap \(fleet_not_found\)\nSee `seaworthy fleet list`/,
    )
  }
  assert.match(
    await ann.fails(5, 'device', 'show', `device_${'0'.repeat(26)}`),
    /\(device_not_found\)/,
  )

  await ann.ok('token', 'refresh')
  assert.match(await ann.ok('whoami'), /role: +admin/)
  const viewer = await ann.json<{ view: { id: string }; token: string }>(
    'token',
    'create',
    'v',
    '--role',
    'viewer',
  )
  const { id } = viewer.view
  const leak = ann.file('leak.txt')
  await writeFile(leak, `Authorization: Bearer ${viewer.token}\n`)
  const found = await ann.ok('token', 'identify', '--file', leak)
  assert.match(found, /name: +v\n.*goes back to: +server\n.*role: +viewer\n.*state: +valid/s)
  assert.match(found, new RegExp(`seaworthy token revoke ${id}`))
  assert.doesNotMatch(found, new RegExp(viewer.token.slice(-20)))
  const tried = await ann.ok('token', 'revoke', id, '--dry-run')
  assert.match(tried, new RegExp(`^Would revoke ${id}`))
  assert.match(await ann.ok('token', 'list'), new RegExp(id))
  await ann.ok('token', 'revoke', id)
  const ended = await ann.json('token', 'identify', '--file', leak)
  assert.partialDeepStrictEqual(ended, { id, state: 'revoked', lastUsedAt: null })
  await writeFile(leak, viewer.token.slice(0, -1))
  assert.match(await ann.fails(1, 'token', 'identify', '--file', leak), /cut or mistyped/)
  assert.match(await ann.ok('token', 'list'), /bootstrap|refreshed|admin/)
})

test('keys are rotated, roles renewed, releases withdrawn; a signer refuses what its own checks refuse', async () => {
  const { ann, ben, eve, both } = world
  // 2.0 was published by the first story.
  const newKey = ann.file('new-key')
  await ann.ok('key', 'create', newKey)
  const eveKey = await eve.json<{ keyId: string }>('key', 'show', eve.file('key.pub'))
  await ann.ok('trust', 'rotate', 'root', '--add', newKey, '--remove', eveKey.keyId, ...both)
  await ann.ok('trust', 'rotate', 'web.stable', '--remove', eveKey.keyId.slice(0, 12), ...both)
  await ann.ok('trust', 'renew', 'targets', 'web.stable', ...both)
  const status = await ben.json<{ roles: { role: string; version: number; keyIds: string[] }[] }>(
    'trust',
    'status',
  )
  const found = Object.fromEntries(status.roles.map((role) => [role.role, role]))
  assert.equal(found['root']!.version, 2)
  assert.ok(!found['root']!.keyIds.includes(eveKey.keyId))
  assert.equal(found['web.stable']!.keyIds.length, 2)
  assert.match(
    await ann.fails(5, 'trust', 'rotate', 'web', '--remove', 'ffffffff'),
    /does not name one key/,
  )

  const open = await ann.json<ProposalJson>('withdraw', 'web', '2.0', '--channel', 'stable')
  assert.match(
    await eve.fails(2, 'proposal', 'sign', open.id, '--key', eve.file('key')),
    /not paired/,
  )
  const refused = await ben.fails(3, 'proposal', 'sign', open.id, '--key', newKey)
  assert.match(refused, /\(key_not_authorised\)/)
  const renewed = await ann.json<ProposalJson>('trust', 'renew', 'web.stable', ...both)
  assert.equal(renewed.state, 'applied')
  assert.match(
    await ben.fails(3, 'proposal', 'sign', open.id, '--key', ben.file('key')),
    /\(proposal_outdated\)/,
  )
  const again = await ann.json<ProposalJson>('withdraw', 'web', '2.0', '--channel', 'stable')
  await ann.ok('proposal', 'reject', again.id, '--reason', 'changed our minds')
  await ann.ok('withdraw', 'web', '2.0', '--channel', 'stable', ...both)
  assert.match(await ann.fails(5, 'release', 'verify', 'web', '2.0'), /nobody has signed it/)
})

test('T8 an exported release is checked with sha256sum, jq and openssl alone, and any change is noticed', async (t) => {
  if (skipWithout(t, 'openssl', 'bash', 'jq', 'zstd')) return
  const { server, ann, ben, root, both } = world
  const newKey = ann.file('newer-key')
  await ann.ok('key', 'create', newKey)
  await ann.ok('trust', 'rotate', 'root', '--add', newKey, ...both)
  const folder = ben.file('export')
  await ben.ok('release', 'export', 'web', '1.0', '-o', `${folder}/`)
  await execute('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: folder })
  const instructions = await readFile(join(folder, 'VERIFY.md'), 'utf8')
  const [, words] = /^bash \.\.\/verify-export\.sh "\$ROOT" (.*?) +#/m.exec(instructions)!
  const script = fileURLToPath(new URL('verify-export.sh', import.meta.url))
  const run = async () => {
    await execute('bash', ['-c', 'rm -rf unpacked-*'], { cwd: folder })
    return await execute('bash', [script, root, ...words!.split(' ')], { cwd: folder })
  }
  const { stdout } = await run()
  assert.match(stdout, /^2\.root: signed by 2 keys that 1\.root names for root/m)
  assert.match(stdout, /^Genuine as of root \d: web\/stable\/1\.0\./m)
  const offline = await createCliUser(t, 'offline', {
    createTransport: () => {
      throw new Error('this machine has no network')
    },
  })
  assert.match(await offline.ok('release', 'verify', folder, '--root', root), /Genuine/)
  assert.match(
    await offline.fails(3, 'release', 'verify', folder, '--root', `sha256:${'1'.repeat(64)}`),
    /is not in what was given/,
  )

  // The plain TUF client needs nothing of ours but the first root and the pin.
  const plain = ['tuf', '--metadata-dir', offline.file('metadata'), '--strict', '--pin', server.pin]
  const targets = [
    '--target-base-url',
    `${server.url}/tuf/targets`,
    '--target-dir',
    offline.file('targets'),
  ]
  const wanted = [
    '--metadata-url',
    `${server.url}/tuf`,
    '--target-name',
    'web/stable/1.0',
    ...targets,
  ]
  await ben.ok(...plain, 'init', join(folder, 'tuf/1.root.json'))
  assert.match(
    await ben.ok(...plain, ...wanted, 'download'),
    /^web\/stable\/1\.0: \S+\/targets\/\S+ \(.*B\), verified$/m,
  )
  const [target] = await readdir(offline.file('targets'))
  const bytes = await readFile(join(offline.file('targets'), target!))
  assert.deepEqual(
    bytes,
    await readFile(join(folder, 'oci/blobs/sha256', hash('sha256', bytes, 'hex'))),
  )

  for (const name of ['linux-amd64.cdx.json', 'linux-arm64.cdx.json']) {
    const file = join(folder, 'sbom', name)
    // The second one is in no export: a file that was added must be found out, too.
    const honest = await readFile(file).catch(() => undefined)
    await writeFile(file, '{}')
    await assert.rejects(run(), new RegExp(`sbom/${name}`))
    if (honest === undefined) await rm(file)
    else await writeFile(file, honest)
  }
  await run()
  const signed = join(folder, 'signatures/web.stable.signed.json')
  const original = await readFile(signed, 'utf8')
  await writeFile(signed, original.replace('"counter":1', '"counter":2'))
  await assert.rejects(run())
  await writeFile(signed, original)
  const { sha256 } = await ben.json<{ sha256: string }>('release', 'verify', 'web', '1.0')
  const index = join(folder, 'oci/blobs/sha256', sha256)
  await writeFile(index, (await readFile(index, 'utf8')).replace('linux', 'Linux'))
  await assert.rejects(run())
  assert.match(
    await offline.fails(3, 'release', 'verify', folder, '--root', root),
    /\(wrong_hash\)/,
  )
})

test('B4 a release says what it is made of, as its signature covers it', async () => {
  const { ann, ben } = world
  const sbom = (...args: string[]) => ben.ok('release', 'sbom', 'web', '1.0', ...args)
  assert.match(await sbom(), /^npm  tide  2\.1\.0  ISC  node_modules\/tide\/package\.json$/m)
  assert.deepEqual(await ben.json('release', 'sbom', 'web', '1.0'), [
    {
      ...{ type: 'npm', name: 'tide', version: '2.1.0', licence: 'ISC' },
      path: 'node_modules/tide/package.json',
    },
  ])
  const document = await ben.json<{ components: { purl: string }[] }>(
    ...['release', 'sbom', 'web', '1.0', '--format', 'cyclonedx'],
  )
  assert.deepEqual(
    document.components.map(({ purl }) => purl),
    ['pkg:npm/tide@2.1.0'],
  )

  // The document is the one below the index that the channel's keys have signed.
  const file = ben.file('sbom.spdx.json')
  await sbom('--format', 'spdx', '--output', file)
  await ben.ok('release', 'export', 'web', '1.0', '-o', ben.file('with-sbom'))
  const bytes = await readFile(file)
  const exported = ben.file('with-sbom')
  assert.deepEqual(bytes, await readFile(join(exported, 'sbom/linux-amd64.spdx.json')))
  assert.deepEqual(
    bytes,
    await readFile(join(exported, 'oci/blobs/sha256', hash('sha256', bytes, 'hex'))),
  )

  assert.match(
    await ben.fails(5, 'release', 'sbom', 'web', '1.0', '--platform', 'linux/arm64'),
    /the release is not for linux\/arm64.*--platform linux\/amd64/s,
  )
  const app = ann.file('app-1')
  await ann.ok('release', 'create', 'web', 'unsigned', '--platform', 'linux/amd64', '--from', app)
  const { out, err } = await ben.run('release', 'sbom', 'web', 'unsigned')
  assert.match(out, /tide/)
  assert.match(err, /Nobody has signed web unsigned/)
  assert.match(err, /what the builder of web unsigned says of it/)
})

test('B4 what a build hands over goes with the release as its word, and what is none is refused', async () => {
  const { ann } = world
  const create = (version: string, ...more: string[]) => [
    ...['release', 'create', 'web', version, '--platform', 'linux/amd64'],
    ...['--from', ann.file('app-1'), ...more],
  ]
  const purl = 'pkg:cargo/adler2@2.0.1'
  const components = [{ type: 'library', name: 'adler2', version: '2.0.1', purl }]
  const file = ann.file('build.cdx.json')
  await writeFile(file, JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.5', components }))
  const spdx = ann.file('build.spdx.json')
  await writeFile(spdx, JSON.stringify({ spdxVersion: 'SPDX-2.2', packages: [] }))
  const none = ann.file('none.json')
  await writeFile(none, '{"bomFormat":"CycloneDX","specVersion":"9.9"}')
  assert.match(
    await ann.fails(3, ...create('handed', '--sbom', none)),
    /none\.json: the document is no bill of materials: .*Hand over CycloneDX/s,
  )
  await ann.ok(...create('handed', '--sbom', file, '--sbom', `linux/amd64=${spdx}`))

  const sbom = ['release', 'sbom', 'web', 'handed']
  assert.doesNotMatch(await ann.ok(...sbom), /adler2/)
  assert.match(
    await ann.fails(2, ...sbom, '--handed-over'),
    /2 documents were handed over.*--digest/s,
  )
  const { out, err } = await ann.run(...sbom, '--handed-over', '--format', 'cyclonedx')
  assert.match(out, /adler2/)
  assert.match(err, /nothing here has compared it with the content/)
  const copy = ann.file('copy.json')
  const shown = ['--handed-over', '--format', 'cyclonedx', '--output', copy]
  const { digest } = await ann.json<{ digest: string }>(...sbom, ...shown)
  assert.deepEqual(await readFile(copy), await readFile(file))
  assert.deepEqual(await ann.json(...sbom, '--handed-over', '--digest', digest), [
    { name: 'adler2', version: '2.0.1', purl },
  ])
})

test('R13 the components of a release are compared with records in files, and nothing is left out without a word', async () => {
  const { ben } = world
  const records = ben.file('records')
  await mkdir(records)
  const write = (name: string, record: object) =>
    writeFile(join(records, `${name}.json`), JSON.stringify({ id: name, ...record }))
  const changed = { modified: '2026-01-01T00:00:00Z' }
  const about = (name: string, ...ranges: object[]) => ({
    affected: [{ package: { ecosystem: 'npm', name }, ranges }],
  })
  const range = (...events: object[]) => ({ type: 'SEMVER', events })
  await write('X-1', {
    ...{ ...changed, aliases: ['CVE-2026-0001'], summary: 'Water gets in' },
    ...about('tide', range({ introduced: '0' }, { fixed: '2.2.0' })),
  })
  await write('X-2', {
    ...changed,
    ...about('tide', range({ introduced: '0' }, { fixed: '2.0.0' })),
  })
  await write('X-3', {
    ...changed,
    ...about('tide', { type: 'GIT', events: [{ introduced: '0' }] }),
  })
  await write('X-4', { ...changed, ...about('moon', range({ introduced: '0' })) })
  await write('X-5', about('tide', range({ introduced: '0' })))
  const shown = await ben.ok('vulnerability', 'check', 'web', '1.0', '--records', records)
  assert.match(
    shown,
    /X-1 +CVE-2026-0001 +tide 2\.1\.0 +not rated +affected, fixed in 2\.2\.0 +Water gets in/,
  )
  assert.match(shown, /X-3 +tide 2\.1\.0 +not rated +unknown: git only/)
  assert.doesNotMatch(shown, /X-2|X-4/)
  assert.match(shown, /1 component compared with 5 records/)
  assert.match(shown, /Set aside.*1 record:\n.*X-5\.json: without the instant of its last change/)
  await mkdir(ben.file('no-records'))
  assert.match(
    await ben.fails(2, 'vulnerability', 'check', 'web', '1.0', '--records', ben.file('no-records')),
    /holds no records/,
  )
})

/** A registry on this machine with one image, as far as pulling needs it. */
async function serveImage(t: TestContext) {
  const digestOf = (bytes: Buffer) => `sha256:${hash('sha256', bytes, 'hex')}`
  const blobs = [Buffer.from('{}'), Buffer.from('not really a layer')]
  const [config, layer] = blobs.map((bytes) => ({ digest: digestOf(bytes), size: bytes.length }))
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
    }),
  )
  const files = new Map<string, Buffer>(blobs.map((bytes) => [`blobs/${digestOf(bytes)}`, bytes]))
  for (const reference of ['1', digestOf(manifest)]) files.set(`manifests/${reference}`, manifest)
  const registry = createServer((request, response) => {
    const file = files.get(request.url!.replace('/v2/some/image/', ''))
    const type = request.url!.includes('/manifests/')
      ? 'application/vnd.oci.image.manifest.v1+json'
      : 'application/octet-stream'
    response.writeHead(file === undefined ? 404 : 200, {
      'content-type': type,
      'content-length': file?.length ?? 0,
    })
    response.end(request.method === 'HEAD' ? undefined : file)
  })
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
  t.after(() => registry.close())
  return `docker://127.0.0.1:${(registry.address() as AddressInfo).port}/some/image:1`
}

test('a release is made from a file, an OCI layout or a registry, and the same input gives the same release', async (t) => {
  const { ann, both } = world
  interface Made {
    digest: string
    kind: string
    platforms: { platform: string }[]
  }
  const create = (version: string, ...sources: string[]) =>
    ann.json<Made>(
      'release',
      'create',
      'web',
      version,
      ...sources.flatMap((source, i) => [
        '--platform',
        ['linux/amd64', 'linux/arm64'][i]!,
        '--from',
        source,
      ]),
    )
  const again = await create('1.0', ann.file('app-1'))
  assert.equal(again.digest, (await ann.json<Made>('release', 'show', 'web', '1.0')).digest)
  await writeFile(ann.file('app-1/data.txt'), 'changed')
  assert.match(
    await ann.fails(
      3,
      'release',
      'create',
      'web',
      '1.0',
      '--platform',
      'linux/amd64',
      '--from',
      ann.file('app-1'),
    ),
    /exists already with other content/,
  )
  const files = await writeApplication(ann, 'files', { 'data.txt': 'for another program' })
  const filesOnly = (version: string, source: string, ...more: string[]) => [
    ...['release', 'create', 'web', version, '--platform', 'linux/amd64', '--from', source],
    ...more,
  ]
  const wanted = 'for bundles that start nothing: --no-start, and nothing is registered before'
  for (const source of [files, ann.file('passphrase')]) {
    assert.match(
      await ann.fails(3, ...filesOnly('single', source)),
      /has no seaworthy\.json: devices would start nothing\n.*such as .*--no-start/,
      wanted,
    )
    await ann.fails(5, 'release', 'show', 'web', 'single')
  }
  assert.match(
    await ann.fails(2, ...filesOnly('single', ann.file('app-1'), '--no-start')),
    /has a seaworthy\.json, which says what to start/,
  )
  const single = await ann.json<Made>(
    ...filesOnly('single', ann.file('passphrase'), '--platform', 'linux/arm64', '--from', files),
    '--no-start',
  )
  assert.deepEqual(
    single.platforms.map(({ platform }) => platform),
    ['linux/amd64', 'linux/arm64'],
  )
  await ann.ok('release', 'export', 'web', '1.0', '-o', ann.file('export'))
  const copied = await create('copied', `oci:${ann.file('export/oci')}:1.0`)
  assert.equal(copied.kind, 'bundle')
  assert.match(
    await ann.fails(
      3,
      'release',
      'create',
      'web',
      'absent',
      '--platform',
      'linux/s390x',
      '--from',
      `oci:${ann.file('export/oci')}`,
    ),
    /\(platform_absent\)/,
  )
  const pulled = await create('pulled', await serveImage(t))
  assert.equal(pulled.kind, 'container')
  const published = await ann.ok('publish', 'web', 'pulled', '--channel', 'stable', ...both)
  assert.match(published, /container for linux\/amd64/)
  assert.match(published, /! linux\/amd64 {2}was a bundle of files, is an image/)
  assert.match(published, /an image, 20 B read and hashed here; no file tree can be shown of it/)
  assert.match(
    await ann.fails(
      2,
      'release',
      'create',
      'web',
      'x',
      '--platform',
      'linux/amd64',
      '--from',
      'a',
      '--from',
      'b',
    ),
    /1 --platform but 2 --from/,
  )
  assert.match(
    await ann.fails(
      5,
      'release',
      'create',
      'web',
      'x',
      '--platform',
      'linux/amd64',
      '--from',
      ann.file('none'),
    ),
    /no such file/,
  )
  assert.match(
    await ann.fails(
      5,
      'release',
      'create',
      'nothing',
      'x',
      '--platform',
      'linux/amd64',
      '--from',
      ann.file('none'),
    ),
    /\(product_not_found\)/,
  )
})

test('T11 a release too large for one file is exported with a folder, carried, checked and signed without network', async (t) => {
  const { ann, ben, both, root } = world
  const app = await writeApplication(ann, 'app-large', {
    'bin/app': '#!/bin/sh\n',
    'seaworthy.json': '{"start":["./bin/app"]}',
  })
  await writeFile(join(app, 'noise'), randomBytes(80 * 1024 * 1024))
  const platform = ['--platform', 'linux/amd64']
  await ann.ok('release', 'create', 'web', 'large', ...platform, '--from', app)
  const proposed = await ann.json<ProposalJson>(
    ...['publish', 'web', 'large', '--channel', 'stable', '--sign-with', ann.file('key')],
  )
  const file = ann.file('large.json')
  const exported = ['proposal', 'export', proposed.id, '-o', file]
  const alone = await ann.ok(...exported)
  assert.match(alone, /left out: sha256:[0-9a-f]{64}/)
  const [, dir = ''] = /seaworthy (proposal export .*) DIR\n/.exec(alone) ?? []
  const folder = ann.file('content')
  const whole = await ann.ok(...dir.split(' '), folder)
  assert.match(await ann.fails(3, ...exported, '--content-dir', folder), /is not empty/)

  const offline = await createCliUser(t, 'without-network', {
    createTransport: () => {
      throw new Error('this machine has no network')
    },
  })
  const [, sign = ''] = /^ {2}seaworthy (proposal sign .*)$/m.exec(whole) ?? []
  const words = sign.replace('FILE', ben.file('key')).split(' ')
  assert.deepEqual(words.slice(-4), ['--root', root, '--content', folder])
  const missing = await offline.fails(3, ...words.slice(0, -2))
  assert.match(missing, /NOT CHECKED[^]*--content-dir DIR/)
  const signed = await offline.ok(...words)
  assert.doesNotMatch(signed, /NOT CHECKED/)
  assert.match(signed, /\+ noise +80\.0 MiB/)
  assert.match(await ann.ok('proposal', 'import', `${file}.signatures`), /Published/)
  await ann.ok('withdraw', 'web', 'large', '--channel', 'stable', ...both)
})

test('T11 attack: the root that a person names is another than the machine trusts: nothing is verified, shown or signed', async () => {
  const { ann, ben, root } = world
  const other = `sha256:${'a'.repeat(64)}`
  const key = ['--key', ben.file('key')]
  const { id } = await ann.json<ProposalJson>('withdraw', 'web', '1.0', '--channel', 'stable')
  for (const [command, ...args] of [
    ['release', 'verify', 'web', '1.0'],
    ['proposal', 'show', id],
    ['proposal', 'sign', id, ...key, '--no-apply'],
  ] as const) {
    assert.match(
      await ben.fails(3, command, ...args, '--root', other),
      /trust in this server is anchored at another root/,
    )
    await ben.fails(2, command, ...args, '--root', 'sha256:1')
  }
  const seen = await ben.ok('proposal', 'list')
  assert.match(seen, new RegExp(`${id} .* 0/2`))
  assert.match(await ben.ok('release', 'verify', 'web', '1.0', '--root', root), /Genuine/)
  await ben.ok('proposal', 'show', id, '--root', root)
  await ben.ok('proposal', 'sign', id, ...key, '--root', root)
  await ann.ok('proposal', 'reject', id, '--reason', 'tried')
})

test('T11 attack: --root vouches for a file that makes a first root of strangers', async (t) => {
  const { ann, ben, root } = world
  const key = await generateSigner('ed25519')
  const authority = { keys: [key.key], threshold: 1 }
  const [targets, snapshot, timestamp] = [authority, authority, authority]
  const proposal = await buildProposal(
    { kind: 'trust-init', roles: { root: authority, targets, snapshot, timestamp } },
    noMetadata,
    { id: `proposal_${'0'.repeat(26)}`, now: new Date() },
  )
  const file = ben.file('first-root.json')
  await writeFile(file, formatProposal(proposal))
  const offline = await createCliUser(t, 'offline')
  for (const [user, args] of [
    [offline, ['show', file]],
    [ben, ['sign', file, '--key', ann.file('key')]],
  ] as const) {
    assert.match(
      await user.fails(3, 'proposal', ...args, '--root', root),
      /makes a first root: --root cannot vouch for it/,
    )
  }
  assert.match((await offline.run('proposal', 'show', file)).err, /Nothing vouches for it/)
})

test('T5 attack: a file asks for a second content of a version, of a machine that signed the first', async (t) => {
  const { ann, ben, root } = world
  const noNetwork = {
    createTransport: () => {
      throw new Error('this machine has no network')
    },
  }
  const alone = await createCliUser(t, 'alone', noNetwork)
  const exported = async (...args: string[]) => {
    const { id } = await ann.json<ProposalJson>(...args)
    const file = ann.file(`${id}.json`)
    await ann.ok('proposal', 'export', id, '-o', file)
    return { id, file }
  }
  const sign = (file: string) => ['proposal', 'sign', file, '--key', ben.file('key')] as const
  const from = ['--root', root]
  const first = await exported('withdraw', 'web', '1.0', '--channel', 'stable')
  const shown = await alone.run(...sign(first.file), ...from)
  assert.equal(shown.exitCode, 0, shown.err)
  assert.match(shown.err, /Note: checked against what this file brings only\. Its newest root is/)
  // The same once more is no other content.
  await alone.ok(...sign(first.file), ...from)
  await ann.ok('proposal', 'reject', first.id, '--reason', 'tried')
  const second = await exported('trust', 'renew', 'web.stable')
  assert.match(
    await alone.fails(3, ...sign(second.file), ...from),
    /another content of web\.stable \d+ was signed on this machine before\n.*--second/,
  )
  await alone.ok(...sign(second.file), ...from, '--second')
  // A machine that has seen what was published since holds the file to that, whoever signed what.
  await ann.ok('proposal', 'reject', second.id, '--reason', 'tried')
  await ann.ok('trust', 'renew', 'web.stable', ...world.both)
  const stale = await ann.run(...sign(second.file), '--second')
  assert.equal(stale.exitCode, 3, stale.out)
  assert.match(stale.err, /Note: this machine has verified newer metadata .*: web\.stable \d+\n/)
  assert.match(stale.err, /\(proposal_outdated\)/)
})

test('a proposal that was overtaken is made anew', async () => {
  const { ann, ben, both } = world
  const first = await ann.json<ProposalJson>(
    'withdraw',
    'web',
    '1.0',
    '--channel',
    'stable',
    '--sign-with',
    ann.file('key'),
  )
  await ann.ok('trust', 'renew', 'web.stable', ...both)
  assert.match(
    await ben.fails(3, 'proposal', 'sign', first.id, '--key', ben.file('key')),
    /\(proposal_outdated\)\nSomething else was published/,
  )
  const rebased = await ann.json<ProposalJson>(
    'proposal',
    'rebase',
    first.id,
    '--sign-with',
    ann.file('key'),
  )
  assert.notEqual(rebased.id, first.id)
  assert.match(
    await ben.ok('proposal', 'sign', rebased.id, '--key', ben.file('key')),
    /Published: Withdraw/,
  )
})
