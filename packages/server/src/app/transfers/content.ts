/**
 * Release content between the store and OCI image layouts, one for each repository. The layouts are
 * for other tools; `contents.jsonl` beside them says the same in lines, for a repository with more
 * manifests than an `index.json` may have.
 */
import { join } from 'node:path'
import { copyContent, storeContent } from '@seaworthy/oci/content'
import type { Digest } from '@seaworthy/oci/digests'
import { isDigest } from '@seaworthy/oci/digests'
import type { ImageLayout } from '@seaworthy/oci/layout'
import { createLayout, openLayout } from '@seaworthy/oci/layout'
import type { Descriptor, Manifest } from '@seaworthy/oci/manifests'
import { parseManifest } from '@seaworthy/oci/manifests'
import { isRepositoryName, isTag } from '@seaworthy/oci/names'
import type { RegistryStore } from '@seaworthy/oci/store'
import { utf8Encode } from '@seaworthy/std/bytes'
import { parseJson } from '@seaworthy/std/json'
import type { Random } from '@seaworthy/std/random'
import { Refusal } from '@seaworthy/std/refusal'
import { readLines, writePieces } from './files.ts'
import { refuse } from './refusals.ts'

const registry = 'registry'
const listName = 'contents.jsonl'
const lineBytesMax = 4 * 1024 * 1024

export interface ContentDeps {
  readonly store: RegistryStore
  readonly random: Random
  readonly print: (line: string) => void
}

interface Listed {
  readonly repository: string
  readonly digest: Digest
  readonly tags: readonly string[]
}

/** Throws the refusal `export_content_missing` when something that a manifest needs is gone. */
export async function exportContent(deps: ContentDeps, folder: string): Promise<void> {
  const { store, random, print } = deps
  async function* listAll() {
    for (const repository of await store.listRepositories()) {
      const layout = await createLayout(layoutPath(folder, repository), random)
      const tagsOf = await tagsByDigest(store, repository)
      const entries: { descriptor: Descriptor; name?: string }[] = []
      const children = new Set<Digest>()
      let count = 0
      for (const digest of await store.listManifests(repository)) {
        const copied = await copyOne(store, repository, layout, digest)
        if (copied === undefined) continue
        count++
        if (copied.manifest.kind === 'index') {
          for (const child of copied.manifest.manifests) children.add(child.digest)
        }
        const tags = tagsOf.get(digest) ?? []
        if (tags.length === 0) entries.push({ descriptor: copied.descriptor })
        for (const name of tags) entries.push({ descriptor: copied.descriptor, name })
        yield `${JSON.stringify({ repository, digest, tags })}\n`
      }
      await layout.writeIndex(
        entries.filter(
          ({ descriptor, name }) => name !== undefined || !children.has(descriptor.digest),
        ),
      )
      print(`registry ${repository}: ${count} manifests`)
    }
  }
  await writePieces(join(folder, registry, listName), listAll())
}

async function tagsByDigest(
  store: RegistryStore,
  repository: string,
): Promise<Map<Digest, string[]>> {
  const found = new Map<Digest, string[]>()
  for (const tag of await store.listTags(repository)) {
    const digest = await store.resolveTag(repository, tag)
    if (digest !== undefined) found.set(digest, [...(found.get(digest) ?? []), tag])
  }
  return found
}

/** `undefined` where the manifest was deleted meanwhile. */
async function copyOne(
  store: RegistryStore,
  repository: string,
  layout: ImageLayout,
  digest: Digest,
): Promise<{ manifest: Manifest; descriptor: Descriptor } | undefined> {
  const stored = await store.getManifest(repository, digest)
  if (stored === undefined) return undefined
  const { mediaType, bytes } = stored
  try {
    await copyContent({ source: storeContent(store, repository), target: layout, digest })
  } catch (cause) {
    if (!(cause instanceof Refusal) || cause.code !== 'content_missing') throw cause
    return refuse(
      'export_content_missing',
      `${repository}: ${cause.message}, and the manifest ${digest} needs it: push it again, or delete the manifest`,
      cause,
    )
  }
  const manifest = parseManifest(bytes, mediaType)
  return { manifest, descriptor: { mediaType, digest, size: bytes.length } }
}

/**
 * Adds what is not there yet, so that an import that broke off can be run again. Throws the refusal
 * `server_not_empty` before anything is added to a store with something else in it.
 */
export async function importContent(deps: ContentDeps, folder: string): Promise<void> {
  const { store, random, print } = deps
  const listed = new Map<string, Set<Digest>>()
  for await (const { repository, digest } of readList(folder)) {
    const known = listed.get(repository) ?? new Set()
    listed.set(repository, known.add(digest))
  }
  for (const repository of await store.listRepositories()) {
    const others = await store.listManifests(repository)
    if (others.every((digest) => listed.get(repository)?.has(digest) === true)) continue
    refuse(
      'server_not_empty',
      `the store holds other content already, in the repository ${repository}: name an empty place with --blobs`,
    )
  }
  let present: { repository: string; layout: ImageLayout } | undefined
  for await (const { repository, digest, tags } of readList(folder)) {
    if (present?.repository !== repository) {
      print(`registry ${repository}`)
      const layout = await openLayout(layoutPath(folder, repository), random)
      present = { repository, layout }
    }
    const target = storeContent(store, repository)
    await copyContent({ source: present.layout, target, digest })
    const content = await present.layout.readManifest(digest)
    for (const tag of tags) await target.putManifest({ ...content, digest, tag })
  }
}

async function* readList(folder: string): AsyncGenerator<Listed> {
  for await (const line of readLines(join(folder, registry, listName), lineBytesMax)) {
    yield parseListed(line)
  }
}

function parseListed(line: string): Listed {
  const wrong = (cause?: unknown) =>
    refuse('export_malformed', `${registry}/${listName} has a line of another form`, cause)
  try {
    const json = parseJson(utf8Encode(line))
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return wrong()
    const { repository, digest, tags } = json
    if (typeof repository !== 'string' || !isRepositoryName(repository)) return wrong()
    if (typeof digest !== 'string' || !isDigest(digest) || !Array.isArray(tags)) return wrong()
    return {
      ...{ repository, digest },
      tags: tags.map((tag) => (typeof tag === 'string' && isTag(tag) ? tag : wrong())),
    }
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    return wrong(cause)
  }
}

/** Names may have slashes, and a layout has folders of its own. */
function layoutPath(folder: string, repository: string): string {
  return join(folder, registry, encodeURIComponent(repository))
}
