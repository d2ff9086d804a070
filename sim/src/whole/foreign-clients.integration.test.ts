/**
 * Clients that we did not write, against a running server: they find what was published, and
 * nothing else.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { publishRelease } from '@seaworthy/server/testing'
import { findProgram, skipWithout } from '@seaworthy/std/testing/programs'
import type { CommandLine } from './testing/program.ts'
import { createCommandLine, runProgram } from './testing/program.ts'
import type { Installation, TestRelease } from './testing/installation.ts'
import { buildInstallation } from './testing/installation.ts'

const path = 'acme/stable/1.0.0'

describe('foreign clients', () => {
  let installation: Installation
  let release: TestRelease
  let person: CommandLine
  let caFile: string
  const file = (...names: string[]) => join(installation.folder, ...names)

  before(async () => {
    installation = await buildInstallation()
    release = await installation.buildRelease('1.0.0')
    await publishRelease(installation.client, release, installation.signers)
    caFile = file('ca.crt')
    writeFileSync(caFile, (await installation.client.send('GET', '/ca.crt')).bytes)
    person = createCommandLine(file('person'))
    const { url, pin } = installation.server
    await person.ok('login', url, '--pin', pin, '--token', installation.adminToken)
  })
  after(() => installation.stop())

  it('A6 the downloaded CA certificate is all that openssl needs, and another one is not enough', async (t) => {
    if (skipWithout(t, 'openssl')) return
    const connect = new URL(installation.server.url).host
    const verify = (ca: string) =>
      runProgram('openssl', [
        's_client',
        '-connect',
        connect,
        '-CAfile',
        ca,
        '-verify_return_error',
      ])
    assert.match((await verify(caFile)).out, /Verify return code: 0 \(ok\)/)
    const other = file('other.crt')
    const made = await runProgram('openssl', [
      ...['req', '-x509', '-newkey', 'ed25519', '-nodes', '-days', '1', '-subj', '/CN=other'],
      ...['-keyout', file('other.key'), '-out', other],
    ])
    assert.equal(made.exitCode, 0, made.err)
    assert.notEqual((await verify(other)).exitCode, 0)
  })

  it('T1 tuf-js, the stock JavaScript client, downloads a published release over HTTPS', async () => {
    const folder = file('tuf-js')
    mkdirSync(folder)
    writeFileSync(join(folder, 'root.json'), installation.anchor)
    const fixture = fileURLToPath(new URL('tuf-js.fixture.ts', import.meta.url))
    const download = (environment: Record<string, string>, ...targets: string[]) =>
      runProgram(process.execPath, [fixture, folder, installation.server.url, ...targets], {
        environment,
      })
    const strangers = await download({}, path)
    assert.notEqual(strangers.exitCode, 0)
    assert.match(strangers.err, /certificate/i, 'without the CA it does not even ask')
    const done = await download({ NODE_EXTRA_CA_CERTS: caFile }, path)
    assert.equal(done.exitCode, 0, done.err)
    assert.deepEqual(readFileSync(done.out.trim()), Buffer.from(release.index))
    const missing = await download({ NODE_EXTRA_CA_CERTS: caFile }, 'acme/stable/9.9.9')
    assert.match(missing.err, /no role lists/)
  })

  it('T1 seaworthy tuf downloads it too, strict profile included', async () => {
    const folder = file('plain')
    const targets = file('plain-targets')
    for (const made of [folder, targets]) mkdirSync(made)
    writeFileSync(file('root.json'), installation.anchor)
    const common = ['tuf', '--metadata-dir', folder, '--strict', '--pin', installation.server.pin]
    await person.ok(...common, 'init', file('root.json'))
    const url = `${installation.server.url}/tuf`
    await person.ok(...common, '--metadata-url', url, 'refresh')
    await person.ok(
      ...[...common, '--metadata-url', url, '--target-name', path],
      ...['--target-base-url', `${url}/targets`, '--target-dir', targets, 'download'],
    )
    const [name] = readdirSync(targets)
    assert.deepEqual(readFileSync(join(targets, name!)), Buffer.from(release.index))
    for (const role of ['root', 'timestamp', 'snapshot', 'targets', 'acme', 'acme.stable']) {
      const kept = readFileSync(join(folder, `${role}.json`), 'utf8')
      assert.ok(kept.startsWith('{"signatures":'), `${role} is kept as received`)
    }
  })

  it('B10 skopeo and podman push and pull with a token and the CA certificate, bit for bit', async (t) => {
    if (skipWithout(t, 'skopeo', 'podman', 'container runtime')) return
    const { token } = await person.json<{ token: string }>(
      ...['token', 'create', 'builder', '--role', 'builder'],
    )
    const host = new URL(installation.server.url).host
    const certs = file('certs')
    mkdirSync(certs)
    cpSync(caFile, join(certs, 'ca.crt'))
    const policy = file('policy.json')
    writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}')
    writeFileSync(
      file('containers.conf'),
      '[containers]\ndefault_ulimits=["nofile=1024:20000","nproc=1024:20000"]\n',
    )
    writeFileSync(
      file('storage.conf'),
      `[storage]\ndriver="vfs"\nrunroot="${file('run')}"\ngraphroot="${file('graph')}"\n`,
    )
    writeFileSync(file('auth.json'), '{}')
    const environment = {
      CONTAINERS_CONF: file('containers.conf'),
      CONTAINERS_STORAGE_CONF: file('storage.conf'),
      REGISTRY_AUTH_FILE: file('auth.json'),
      HOME: installation.folder,
    }
    const ok = async (program: string, ...args: string[]) => {
      const ended = await runProgram(program, args, { environment })
      assert.equal(ended.exitCode, 0, `${program} ${args.join(' ')}\n${ended.err}`)
      return ended.out
    }
    const access = ['--cert-dir', certs, '--creds', `anybody:${token}`]
    mkdirSync(file('image'))
    writeFileSync(file('image', 'hello'), 'hello\n'.repeat(50_000))
    await ok('tar', '-cf', file('image.tar'), '-C', file('image'), '.')
    const podman = ['--cgroup-manager=cgroupfs', `--runtime=${findProgram('container runtime')}`]
    const own = `${host}/acme:tools`
    await ok('podman', ...podman, 'import', '-q', file('image.tar'), 'localhost/tools:1')
    const signature = ['--signature-policy', policy]
    await ok('podman', ...podman, 'push', '-q', ...access, ...signature, 'localhost/tools:1', own)
    await ok('podman', ...podman, 'pull', '-q', ...access, ...signature, own)

    const inspect = (...options: string[]) =>
      ok('skopeo', '--policy', policy, 'inspect', '--raw', ...options)
    const pushed = await inspect(...access, `docker://${own}`)
    const copied = file('copied')
    const digest = `sha256:${createHash('sha256').update(pushed).digest('hex')}`
    await ok(
      ...(['skopeo', '--policy', policy, 'copy', '--preserve-digests'] as const),
      ...['--src-cert-dir', certs, '--src-creds', `anybody:${token}`],
      ...[`docker://${host}/acme@${digest}`, `oci:${copied}:tools`],
    )
    assert.equal(await inspect(`oci:${copied}:tools`), pushed)
    await ok(
      ...(['skopeo', '--policy', policy, 'copy', '--preserve-digests'] as const),
      ...['--dest-cert-dir', certs, '--dest-creds', `anybody:${token}`],
      ...[`oci:${copied}:tools`, `docker://${host}/acme:again`],
    )
    assert.equal(await inspect(...access, `docker://${host}/acme:again`), pushed)

    const wrong = await runProgram(
      'skopeo',
      [
        '--policy',
        policy,
        'inspect',
        '--cert-dir',
        certs,
        '--creds',
        'anybody:sw_x',
        `docker://${own}`,
      ],
      { environment },
    )
    assert.match(wrong.err, /unauthorized|credentials|401/i)
    const elsewhere = await runProgram(
      'skopeo',
      ['--policy', policy, 'inspect', '--creds', `anybody:${token}`, `docker://${own}`],
      { environment },
    )
    assert.match(elsewhere.err, /certificate/i, 'without the CA certificate nothing is sent')
  })

  it('T8 an export is checked with sha256sum, jq and openssl, as its VERIFY.md says, and one bit is noticed', async (t) => {
    if (skipWithout(t, 'openssl', 'jq', 'zstd', 'bash')) return
    const folder = file('export')
    await person.ok('release', 'export', 'acme', '1.0.0', '-o', folder)
    const text = readFileSync(join(folder, 'VERIFY.md'), 'utf8')
    // A person who has read the commands keeps them in a file, and brings the digest.
    writeFileSync(file('verify-export.sh'), /^```bash\n(.*?)^```$/ms.exec(text)![1]!)
    const command = /^bash .*$/m.exec(text)![0]
    const anchor = createHash('sha256').update(installation.anchor).digest('hex')
    const runAll = async () => {
      rmSync(join(folder, 'unpacked-linux-amd64'), { recursive: true, force: true })
      const environment = { ROOT: `sha256:${anchor}` }
      return runProgram('bash', ['-euc', command], { cwd: folder, environment })
    }
    const checked = await runAll()
    assert.equal(checked.exitCode, 0, checked.out + checked.err)
    assert.match(checked.out, /^Genuine as of root \d: acme\/stable\/1\.0\.0\./m)

    // Every signed document, every signature and every blob: one bit, and a command says no.
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && !entry.parentPath.includes('unpacked'),
    )
    const evidence = files.filter(({ name }) => /\.signed\.json$|\.sig$|^[0-9a-f]{64}$/.test(name))
    assert.ok(evidence.length > 10)
    for (const entry of evidence) {
      const damaged = join(entry.parentPath, entry.name)
      const whole = readFileSync(damaged)
      const flipped = Buffer.from(whole)
      flipped[Math.floor(whole.length / 2)]! ^= 1
      writeFileSync(damaged, flipped)
      assert.notEqual((await runAll()).exitCode, 0, `${entry.name} was changed`)
      writeFileSync(damaged, whole)
    }
    assert.equal((await runAll()).exitCode, 0, 'whole again')
  })
})
