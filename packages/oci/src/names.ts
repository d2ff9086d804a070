/**
 * Names of the distribution specification 1.1 ("Pulling manifests"): repositories, tags,
 * references. All checks are on untrusted text.
 */
import type { Digest } from './digests.ts'
import { isDigest } from './digests.ts'

export const repositoryNameMax = 255

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const repositoryForm = new RegExp(`^${component}(?:/${component})*$`)
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

export function isRepositoryName(text: string): boolean {
  return text.length <= repositoryNameMax && repositoryForm.test(text)
}

export function isTag(text: string): boolean {
  return text.length <= 128 && tagForm.test(text)
}

/** What stands after `/manifests/`: a digest or a tag. */
export type ManifestReference = { kind: 'digest'; digest: Digest } | { kind: 'tag'; tag: string }

/** The digest or tag; `undefined` when the text is neither. */
export function parseManifestReference(text: string): ManifestReference | undefined {
  if (isDigest(text)) return { kind: 'digest', digest: text }
  if (isTag(text)) return { kind: 'tag', tag: text }
  return undefined
}

/**
 * The tag that holds a subject's referrers in registries without the referrers API
 * (distribution-spec, "Referrers Tag Schema").
 */
export function referrersTag(digest: Digest): string {
  return digest.replace(':', '-').slice(0, 128)
}

/** The address of content in a registry, `host[:port]/repository[:tag|@digest]`. */
export interface RegistryReference {
  host: string
  repository: string
  reference: string
}

/**
 * Throws `SyntaxError`. Without tag and digest it means the tag `latest`; the host must be written
 * out.
 */
export function parseRegistryReference(text: string): RegistryReference {
  const match = /^([A-Za-z0-9.[\]:-]{1,255})\/([^@:]+)(?::([^@:]+))?(?:@(.+))?$/.exec(text)
  if (!match) throw new SyntaxError('not of the form host[:port]/repository[:tag][@digest]')
  const [, host, repository, tag, digest] = match
  if (!isRepositoryName(repository!)) throw new SyntaxError('not a repository name')
  if (tag !== undefined && !isTag(tag)) throw new SyntaxError('not a tag')
  if (digest !== undefined && !isDigest(digest)) throw new SyntaxError('not a digest')
  return { host: host!, repository: repository!, reference: digest ?? tag ?? 'latest' }
}
