/**
 * B10: clients that people have copy an image from one repository into another, with tokens that
 * reach no further than their scopes: they mount what is there, and send none of it again.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { copyContent, storeContent } from '@seaworthy/oci/content'
import { createLayout } from '@seaworthy/oci/layout'
import { encodeManifest, mediaTypes } from '@seaworthy/oci/manifests'
import { buildRelease } from '@seaworthy/oci/release'
import { parseRelease } from '@seaworthy/oci/release-index'
import type { RegistryStore } from '@seaworthy/oci/store'
import { requireClosure } from '@seaworthy/oci/store/garbage'
import { openDiskStore } from '@seaworthy/oci/store/disk'
import { utf8Decode } from '@seaworthy/std/bytes'
import { silentLog } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import type { OptionalProgram } from '@seaworthy/std/testing/programs'
import { findProgram, skipWithout } from '@seaworthy/std/testing/programs'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import { endlessSpace } from '../../testing/registry-space.ts'
import { createRegistryHandler } from './index.ts'

interface BundleManifest {
  readonly layers: readonly { readonly digest: string }[]
}

const execute = promisify(execFile)
const [user, password] = ['me', 'a-secret']

describe('B10 a copy between repositories mounts', () => {
  let root: string
  let host: string
  let store: RegistryStore
  let layer: string
  const server = createServer()
  /** Method, target and status of each request since the test began. */
  let answers: { method: string; target: string; status: number }[] = []
  beforeEach(() => {
    answers = []
  })

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'seaworthy-mounts-'))
    store = await openDiskStore(join(root, 'store'), { clock: systemClock, random: systemRandom })
    /** What each token reaches, as `REPOSITORY:ACTION`. */
    const tokens = new Map<string, ReadonlySet<string>>()
    const reachOf = (request: IncomingMessage) =>
      tokens.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '')
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
      authorize: async (request, access) => {
        const reach = reachOf(request)
        const isReached =
          access.repository === null || reach?.has(`${access.repository}:${access.action}`)
        return reach !== undefined && isReached
          ? { kind: 'allowed', actor: 'builder' }
          : { kind: 'unauthorized' }
      },
      issueToken: async ({ secret, scopes }) => {
        if (secret !== password) return { kind: 'unauthorized' }
        const token = randomBytes(16).toString('hex')
        const reach = scopes.flatMap((scope) =>
          scope.actions.map((action) => `${scope.repository}:${action}`),
        )
        tokens.set(token, new Set(reach))
        return { kind: 'issued', token: { token, expiresInSeconds: 300, issuedAt: new Date() } }
      },
    })
    server.on('request', (request, response) => {
      const { method, url } = request
      response.on('finish', () =>
        answers.push({ method: method!, target: url!, status: response.statusCode }),
      )
      void handler(request, response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`

    const login = { auth: Buffer.from(`${user}:${password}`).toString('base64') }
    await writeFile(join(root, 'config.json'), JSON.stringify({ auths: { [host]: login } }))
    await writeFile(join(root, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}')
    await mkdir(join(root, 'app'))
    await writeFile(join(root, 'app', 'content'), randomBytes(100_000))
    const layout = await createLayout(join(root, 'layout'), systemRandom)
    const source = { kind: 'folder' as const, path: join(root, 'app') }
    const platforms = [{ platform: 'linux/amd64', source }]
    const release = await buildRelease({ product: 'from', version: '1.0', platforms, layout })
    // An older skopeo drops artifactType from an index that it copies: it gets an index without.
    const manifests = [...parseRelease(release.bytes).platforms.values()].map(
      ({ mediaType, digest, size, platform }) => ({ mediaType, digest, size, platform: platform! }),
    )
    const index = encodeManifest({ kind: 'index', mediaType: mediaTypes.index, manifests })
    await layout.putManifest({ bytes: index.bytes, ...index.descriptor })
    const [{ digest: bundle }] = manifests as [(typeof manifests)[number]]
    const described = JSON.parse(
      utf8Decode((await layout.readManifest(bundle)).bytes),
    ) as BundleManifest
    layer = described.layers[0]!.digest
    const { digest } = index.descriptor
    await copyContent({ source: layout, target: storeContent(store, 'from/app'), digest, tag: '1' })
  })
  after(async () => {
    server.closeAllConnections()
    server.close()
    await rm(root, { recursive: true, force: true })
  })

  const copies: readonly [OptionalProgram, (from: string, to: string) => readonly string[]][] = [
    ['crane', (from, to) => ['copy', '--insecure', from, to]],
    [
      'oras',
      (from, to) => {
        const access = ['--from-plain-http', '--to-plain-http']
        const config = join(root, 'config.json')
        return [
          ...['cp', ...access, '--from-registry-config', config],
          ...['--to-registry-config', config, from, to],
        ]
      },
    ],
    [
      'regctl',
      (from, to) => [
        ...['--host', `reg=${host},user=${user},pass=${password},tls=disabled`],
        ...['image', 'copy', from, to],
      ],
    ],
    [
      'skopeo',
      (from, to) => [
        ...['--policy', join(root, 'policy.json'), '--tmpdir', root, 'copy', '--all'],
        ...['--preserve-digests', '--src-tls-verify=false', '--dest-tls-verify=false'],
        ...['--authfile', join(root, 'config.json'), `docker://${from}`, `docker://${to}`],
      ],
    ],
  ]
  for (const [program, optionsOf] of copies) {
    it(`${program} asks for both repositories when it is challenged, and does not send the layer again`, async (t) => {
      if (skipWithout(t, program)) return
      const env = { PATH: process.env['PATH'], HOME: root, DOCKER_CONFIG: root }
      const copyTo = (to: string) =>
        execute(findProgram(program)!, optionsOf(`${host}/from/app:1`, `${host}/${to}:1`), { env })
      // It mounts what it remembers to have seen elsewhere in the registry.
      if (program === 'skopeo') await copyTo('seen/by-skopeo')
      answers = []
      await copyTo(`to/${program}`)
      const digest = await store.resolveTag(`to/${program}`, '1')
      assert.equal(digest, await store.resolveTag('from/app', '1'))
      await requireClosure(store, `to/${program}`, digest!)
      const uploads = answers.filter(
        ({ target }) =>
          target.includes('/blobs/uploads/') && decodeURIComponent(target).includes(layer),
      )
      assert.equal(uploads.length, 1, JSON.stringify(answers, null, 1))
      const [{ method, target, status }] = uploads as [(typeof answers)[number]]
      assert.deepEqual([method, status], ['POST', 201])
      const { searchParams } = new URL(target, 'http://registry.test')
      assert.equal(searchParams.get('mount'), layer)
    })
  }
})
