import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { digestHex } from '@seaworthy/oci/digests'
import { emptyBytes, emptyDescriptor, encodeManifest, mediaTypes } from '@seaworthy/oci/manifests'
import { putBlob } from '@seaworthy/oci/store'
import { openDiskStore } from '@seaworthy/oci/store/disk'
import { jsonLog } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import { systemClock } from '@seaworthy/std/time'
import { createHealth } from '../app/worker/health.ts'
import { createContentCheck } from './check-content.ts'

test('O1 content of a signed release that is missing on disk is said by /readyz and in the log, until it is there again', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'seaworthy-content-'))
  t.after(() => rm(root, { recursive: true }))
  const store = await openDiskStore(root, { clock: systemClock, random: systemRandom })
  const push = () =>
    putBlob(
      store,
      'acme',
      emptyDescriptor,
      (async function* () {
        yield emptyBytes
      })(),
    )
  await push()
  const image = encodeManifest({
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    artifactType: 'application/x-test',
    config: emptyDescriptor,
    layers: [],
  })
  await store.putManifest('acme', { bytes: image.bytes })
  const index = encodeManifest({
    kind: 'index',
    mediaType: mediaTypes.index,
    manifests: [image.descriptor],
  })
  await store.putManifest('acme', { bytes: index.bytes })
  const sha256 = digestHex(index.descriptor.digest)
  const release = { path: 'acme/stable/1.0.0', product: 'acme', sha256 }
  const lines: string[] = []
  const health = createHealth(() => undefined)
  const task = createContentCheck({
    store,
    health,
    log: jsonLog({ write: (line) => lines.push(line), clock: systemClock, level: 'info' }),
    trust: { state: () => ({ releases: new Map([['acme.stable', [release]]]) }) } as never,
  })
  await task.run(new AbortController().signal)
  assert.deepEqual(health.problems(), [])

  const lost = digestHex(emptyDescriptor.digest)
  const blob = join(root, 'content', 'sha256', lost.slice(0, 2), lost)
  assert.equal((await stat(blob)).mode & 0o777, 0o600)
  await rm(blob)
  await task.run(new AbortController().signal)
  const [problem, ...others] = health.problems()
  assert.deepEqual(others, [])
  assert.equal(problem!.part, 'content')
  assert.match(
    problem!.problem,
    /acme\/stable\/1\.0\.0 is missing \(.*sha256:44136fa3.*push it again/,
  )
  assert.equal(lines.filter((line) => line.includes('release.content-missing')).length, 1)

  await push()
  await task.run(new AbortController().signal)
  assert.deepEqual(health.problems(), [])
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const { mode } = await stat(join(entry.parentPath, entry.name))
    assert.equal(mode & 0o077, 0, `${entry.name} is for its owner alone`)
  }
})
