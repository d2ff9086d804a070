/** What we publish must be accepted by another client of the specification, over real HTTP. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Updater } from 'tuf-js'
import type { RepositorySimulator } from '../testing/repository-simulator.ts'
import { createRepositorySimulator } from '../testing/repository-simulator.ts'

async function serve(repository: RepositorySimulator, targets: ReadonlyMap<string, Uint8Array>) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url!, 'http://localhost').pathname)
    const bytes = path.startsWith('/targets/')
      ? targets.get(path.slice('/targets/'.length))
      : repository.files.get(path.slice(1))
    response.statusCode = bytes ? 200 : 404
    response.end(bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, server }
}

test('T1 tuf-js follows our roots, delegations and rotations, and downloads a release', async (t) => {
  const now = new Date()
  now.setUTCMilliseconds(0)
  const repository = await createRepositorySimulator(now)
  await repository.addProduct('acme')
  await repository.addChannel('acme', 'stable')
  await repository.addChannel('acme', 'beta')
  await repository.addRelease('acme', 'stable', '1.0.0+build.7')
  await repository.addRelease('acme', 'beta', '1.1.0-beta')
  const { hashes } = repository.targets.get('acme.stable')!.targets['acme/stable/1.0.0+build.7']!
  const content = new TextEncoder().encode('acme 1.0.0+build.7')
  const targets = new Map([[`acme/stable/${hashes['sha256']}.1.0.0+build.7`, content]])
  const { url, server } = await serve(repository, targets)
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-interop-'))
  t.after(async () => {
    server.closeAllConnections()
    server.close()
    await rm(folder, { recursive: true })
  })
  await writeFile(join(folder, 'root.json'), repository.anchor)
  const download = async (path: string) => {
    const updater = new Updater({
      metadataDir: folder,
      metadataBaseUrl: url,
      targetDir: folder,
      targetBaseUrl: `${url}/targets`,
    })
    await updater.refresh()
    const info = await updater.getTargetInfo(path)
    return info && readFile(await updater.downloadTarget(info))
  }
  assert.deepEqual(new Uint8Array((await download('acme/stable/1.0.0+build.7'))!), content)
  assert.equal(await download('acme/stable/6.6.6'), undefined)
  for (const role of ['root', 'targets', 'snapshot', 'timestamp', 'acme', 'acme.stable']) {
    await repository.rotateKeys(role, 3, 2)
    assert.ok(await download('acme/stable/1.0.0+build.7'), role)
  }
})
