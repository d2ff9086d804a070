import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { seededRandom } from '@seaworthy/std/random'
import { Refusal } from '@seaworthy/std/refusal'
import { digestOf } from './digests.ts'
import { createLayout } from './layout.ts'
import { emptyDescriptor, encodeManifest, mediaTypes } from './manifests.ts'
import { osImageArtifactType, parseOsImage } from './os-image.ts'
import { buildRelease } from './release.ts'
import { parseRelease } from './release-index.ts'

const hasCode = (code: string) => (error: unknown) =>
  error instanceof Refusal && error.code === code

describe('operating system images', () => {
  let root: string
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'seaworthy-os-image-'))
    await mkdir(join(root, 'again'))
    await writeFile(join(root, 'rootfs.swu'), 'the root file system')
    await writeFile(join(root, 'again', 'rootfs.swu'), 'another')
    await writeFile(join(root, 'firm ware.img'), 'a name with a space')
    await writeFile(join(root, 'modem-1.2.bin'), 'the modem')
  })
  after(() => rm(root, { recursive: true }))

  const build = async (name: string, ...files: string[]) => {
    const layout = await createLayout(join(root, name), seededRandom(1))
    const source = { kind: 'files' as const, paths: files.map((file) => join(root, file)) }
    const platforms = [{ platform: 'linux/arm64', source }]
    return {
      layout,
      built: await buildRelease({ product: 'gate', version: '1', platforms, layout }),
    }
  }

  it('B6 files stay as they are, one layer each, by name', async () => {
    const { layout, built } = await build('layout', 'rootfs.swu', 'modem-1.2.bin')
    const image = parseRelease(built.bytes).platforms.get('linux/arm64')
    assert.equal(image?.artifactType, osImageArtifactType)
    const files = parseOsImage((await layout.readManifest(image.digest)).bytes)
    assert.deepEqual(
      files.map(({ name, descriptor }) => [name, descriptor.digest, descriptor.size]),
      [
        ['rootfs.swu', digestOf(Buffer.from('the root file system')), 20],
        ['modem-1.2.bin', digestOf(Buffer.from('the modem')), 9],
      ],
    )
    const { built: again } = await build('layout-again', 'rootfs.swu', 'modem-1.2.bin')
    assert.equal(again.descriptor.digest, built.descriptor.digest)
  })

  it('names that clients or shells would stumble over are refused when it is built', async () => {
    await assert.rejects(build('a', 'firm ware.img'), hasCode('file_name'))
    await assert.rejects(build('b', 'rootfs.swu', 'again/rootfs.swu'), hasCode('file_name_twice'))
  })

  it('T7 a manifest whose files have paths, no names or the same name is refused', () => {
    const layer = {
      mediaType: 'application/octet-stream',
      digest: digestOf(Buffer.from('x')),
      size: 1,
    }
    const title = (text: string) => ({
      ...layer,
      annotations: { 'org.opencontainers.image.title': text },
    })
    const hostile = [[layer], [title('../etc/passwd')], [title('a'), title('a')], [title('')]]
    for (const layers of hostile) {
      const { bytes } = encodeManifest({
        kind: 'manifest',
        mediaType: mediaTypes.manifest,
        artifactType: osImageArtifactType,
        config: emptyDescriptor,
        layers,
      })
      assert.throws(() => parseOsImage(bytes), hasCode('os_image_malformed'))
    }
  })
})
