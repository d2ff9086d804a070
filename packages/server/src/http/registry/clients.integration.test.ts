/**
 * B10: the clients that people have, skopeo and podman, against our registry over loopback, through
 * the token flow.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { copyContent, storeContent } from '@seaworthy/oci/content'
import { createLayout, openLayout } from '@seaworthy/oci/layout'
import { encodeManifest, mediaTypes } from '@seaworthy/oci/manifests'
import { buildRelease } from '@seaworthy/oci/release'
import { parseRelease } from '@seaworthy/oci/release-index'
import type { RegistryStore } from '@seaworthy/oci/store'
import { requireClosure } from '@seaworthy/oci/store/garbage'
import { openDiskStore } from '@seaworthy/oci/store/disk'
import { silentLog } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import { findProgram, skipWithout } from '@seaworthy/std/testing/programs'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import { endlessSpace } from '../../testing/registry-space.ts'
import { createRegistryHandler } from './index.ts'

describe('registry clients', () => {
  let root: string
  let host: string
  let store: RegistryStore
  const server = createServer()
  const asked: string[] = []

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'seaworthy-clients-'))
    store = await openDiskStore(join(root, 'store'), { clock: systemClock, random: systemRandom })
    const handler = createRegistryHandler<string>({
      store,
      log: silentLog,
      clock: systemClock,
      sleep: systemSleep,
      service: 'registry.test',
      uploadBytesMax: 1e9,
      tokenUrl: () => `http://${host}/v2/token`,
      roots: async () => [],
      releaseTags: async () => new Map(),
      space: endlessSpace,
      spendChange: async () => undefined,
      onEvent: async () => {},
      authorize: async (request) =>
        request.headers.authorization === 'Bearer the-token'
          ? { kind: 'allowed', actor: 'builder' }
          : { kind: 'unauthorized' },
      issueToken: async ({ secret, scopes }) => {
        asked.push(...scopes.map((s) => `${s.repository}:${s.actions.join(',')}`))
        if (secret !== 'a-secret') return { kind: 'unauthorized' }
        const token = { token: 'the-token', expiresInSeconds: 300, issuedAt: new Date() }
        return { kind: 'issued', token }
      },
    })
    server.on('request', (request, response) => void handler(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    await writeFile(join(root, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}')
    await writeFile(
      join(root, 'containers.conf'),
      '[containers]\ndefault_ulimits=["nofile=1024:20000","nproc=1024:20000"]\n',
    )
    await writeFile(
      join(root, 'storage.conf'),
      `[storage]\ndriver="vfs"\nrunroot="${root}/run"\ngraphroot="${root}/graph"\n`,
    )
    await writeFile(join(root, 'auth.json'), '{}')
    await mkdir(join(root, 'app'))
    await writeFile(join(root, 'app', 'hello'), 'hello\n'.repeat(10_000))
  })
  after(async () => {
    server.closeAllConnections()
    server.close()
    await rm(root, { recursive: true, force: true })
  })

  const run = (program: string, ...options: string[]) =>
    new Promise<string>((resolve, reject) => {
      const child = spawn(program, options, {
        env: {
          PATH: process.env['PATH'],
          HOME: root,
          CONTAINERS_CONF: join(root, 'containers.conf'),
          CONTAINERS_STORAGE_CONF: join(root, 'storage.conf'),
          REGISTRY_AUTH_FILE: join(root, 'auth.json'),
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let output = ''
      let errors = ''
      child.stdout.on('data', (text: Buffer) => (output += text.toString()))
      child.stderr.on('data', (text: Buffer) => (errors += text.toString()))
      child.on('error', reject)
      child.on('close', (code) =>
        code === 0
          ? resolve(output)
          : reject(new Error(`${program} ${options.join(' ')}: ${code}\n${errors}`)),
      )
    })
  const skopeo = (verb: string, ...options: string[]) =>
    run('skopeo', '--policy', join(root, 'policy.json'), '--tmpdir', root, verb, ...options)
  const copyAll = (from: string, to: string) => {
    const access = ['--src-tls-verify=false', '--dest-tls-verify=false']
    const credentials = [
      ...(from.startsWith('docker:') ? ['--src-creds', 'me:a-secret'] : []),
      ...(to.startsWith('docker:') ? ['--dest-creds', 'me:a-secret'] : []),
    ]
    return skopeo('copy', '--all', '--preserve-digests', ...access, ...credentials, from, to)
  }

  it('skopeo pushes an index of two platforms and pulls the same one, lists and deletes', async (t) => {
    if (skipWithout(t, 'skopeo')) return
    const layout = await createLayout(join(root, 'layout'), systemRandom)
    const release = await buildRelease({
      product: 'kiosk',
      version: '1.0',
      platforms: ['linux/amd64', 'linux/arm64'].map((platform) => ({
        platform,
        source: { kind: 'folder', path: join(root, 'app') },
      })),
      layout,
    })
    // A skopeo older than 1.14 drops artifactType from an index that it copies, so it gets an index
    // without one.
    const manifests = [...parseRelease(release.bytes).platforms.values()].map(
      ({ mediaType, digest, size, platform }) => ({ mediaType, digest, size, platform: platform! }),
    )
    const index = encodeManifest({ kind: 'index', mediaType: mediaTypes.index, manifests })
    const { descriptor } = index
    await layout.putManifest({ bytes: index.bytes, tag: 'plain', ...descriptor })
    await copyAll(`oci:${layout.path}:plain`, `docker://${host}/kiosk:1.0`)
    assert.equal(await store.resolveTag('kiosk', '1.0'), descriptor.digest)
    await requireClosure(store, 'kiosk', descriptor.digest)
    assert.ok(
      asked.some((scope) => /^kiosk:(pull,push|push,pull)$/.test(scope)),
      asked.join(' '),
    )
    await copyAll(`docker://${host}/kiosk:1.0`, `oci:${join(root, 'pulled')}:1.0`)
    const pulled = await openLayout(join(root, 'pulled'), systemRandom)
    assert.equal((await pulled.resolve('1.0')).digest, descriptor.digest)

    const access = ['--tls-verify=false', '--creds', 'me:a-secret']
    const tags = await skopeo('list-tags', ...access, `docker://${host}/kiosk`)
    assert.deepEqual((JSON.parse(tags) as { Tags: string[] }).Tags, ['1.0'])
    const wrong = ['--tls-verify=false', '--creds', 'me:wrong']
    await assert.rejects(
      skopeo('list-tags', ...wrong, `docker://${host}/kiosk`),
      /credentials|unauthorized|401/i,
    )
    await skopeo('delete', ...access, `docker://${host}/kiosk:1.0`)
    assert.equal(await store.getManifest('kiosk', descriptor.digest), undefined)
  })

  it('skopeo pulls a bundle of a release, bit for bit', async (t) => {
    if (skipWithout(t, 'skopeo')) return
    const layout = await createLayout(join(root, 'release'), systemRandom)
    const source = { kind: 'folder' as const, path: join(root, 'app') }
    const release = await buildRelease({
      product: 'kiosk',
      version: '2.0',
      platforms: [{ platform: 'linux/amd64', source }],
      layout,
    })
    const { digest } = release.descriptor
    await copyContent({ source: layout, target: storeContent(store, 'kiosk'), digest, tag: '2.0' })
    const bundle = parseRelease(release.bytes).platforms.get('linux/amd64')!
    await copyAll(`docker://${host}/kiosk@${bundle.digest}`, `oci:${join(root, 'bundle')}:b`)
    const pulled = await openLayout(join(root, 'bundle'), systemRandom)
    assert.equal((await pulled.resolve('b')).digest, bundle.digest)
    const access = ['--raw', '--tls-verify=false', '--creds', 'me:a-secret']
    const shown = await skopeo('inspect', ...access, `docker://${host}/kiosk:2.0`)
    assert.equal(shown, Buffer.from(release.bytes).toString())
  })

  it('podman imports, pushes and pulls an image, in OCI and Docker form', async (t) => {
    if (skipWithout(t, 'podman', 'container runtime')) return
    const runtime = `--runtime=${findProgram('container runtime')}`
    const podman = (...options: string[]) =>
      run('podman', '--cgroup-manager=cgroupfs', runtime, ...options)
    const access = ['--tls-verify=false', '--creds', 'me:a-secret']
    await run('tar', '-cf', join(root, 'app.tar'), '-C', join(root, 'app'), '.')
    await podman('import', '-q', join(root, 'app.tar'), 'localhost/app:1')
    const policy = ['--signature-policy', join(root, 'policy.json')]
    for (const format of ['oci', 'v2s2']) {
      const image = `${host}/images/app:${format}`
      await podman('push', '-q', ...access, ...policy, '--format', format, 'localhost/app:1', image)
      const digest = await store.resolveTag('images/app', format)
      await requireClosure(store, 'images/app', digest!)
      await podman('pull', '-q', ...access, ...policy, image)
      const exported = join(root, `${format}.tar`)
      await podman('create', '-q', '--name', format, image, '/hello')
      await podman('export', '-o', exported, format)
      const listed = await run('tar', '-xOf', exported, 'hello')
      assert.equal(listed, await readFile(join(root, 'app', 'hello'), 'utf8'))
    }
    const digest = (await store.resolveTag('images/app', 'oci'))!
    const layout = await createLayout(join(root, 'container'), systemRandom)
    const source = { kind: 'content' as const, source: storeContent(store, 'images/app'), digest }
    const { arch } = process
    const platform = `linux/${arch === 'x64' ? 'amd64' : arch}`
    const release = await buildRelease({
      product: 'container',
      version: '1.0',
      platforms: [{ platform, source }],
      layout,
    })
    await copyContent({
      source: layout,
      target: storeContent(store, 'container'),
      digest: release.descriptor.digest,
      tag: '1.0',
    })
    await podman('pull', '-q', ...access, ...policy, `${host}/container:1.0`)
    await podman(
      'pull',
      '-q',
      ...access,
      ...policy,
      `${host}/container@${release.descriptor.digest}`,
    )
    await podman('rm', '-a', '-f')
    await podman('rmi', '-a', '-f')
  })
})
