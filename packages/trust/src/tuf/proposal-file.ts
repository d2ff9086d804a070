/** Proposals as files of unknown origin: read within bounds, refused as `proposal_malformed`. */
import { printable } from '@seaworthy/std/printable'
import { refusalAs } from '@seaworthy/std/refusal'
import { parseInstant } from '@seaworthy/std/time'
import { parsePublicKey } from '../keys/public-key.ts'
import { isTrustError } from './codes.ts'
import { isJsonObject, parseJson, wireJson } from './json.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { integerMax, keysPerRoleMax } from './lint.ts'
import { defaultTufLimits, topLevelRoles } from './metadata.ts'
import type { ChannelMarks, Envelope, RootSigned, RoleType, TargetsSigned } from './metadata.ts'
import { isName, isVersion, roleKindOf } from './names.ts'
import { parseMetadata } from './parse-metadata.ts'
import { proposalFormat } from './proposal.ts'
import type {
  Proposal,
  ProposalChain,
  ProposalDocument,
  ProposalIntent,
  ProposalRefusal,
  PublishedContent,
} from './proposal.ts'
import { isHardware, isPlatform, releaseKinds } from './release.ts'
import type { RoleAuthority } from './repository.ts'

/**
 * The most that a file may have, for whoever writes one and whoever reads it: 64 MiB of content in
 * Base64, and 10 MiB for the metadata that proves it. Reading takes a few times as much memory.
 */
export const proposalBytesMax = 96 * 1024 * 1024

/** The most roles that one proposal may change. */
const documentsMax = 1024

/** One JSON file; the same proposal gives the same bytes. */
export function formatProposal(proposal: Proposal): Uint8Array<ArrayBuffer> {
  return wireJson(proposal)
}

/**
 * Reads a proposal of unknown origin. Its rules are not checked here. Throws `proposal_malformed`.
 */
export async function parseProposal(bytes: Uint8Array): Promise<Proposal> {
  const json = parseFile(bytes)
  if (json['format'] !== proposalFormat) throw malformedProposal('an unknown format')
  const { id, title, createdAt, base, documents, evidence, chain } = json
  if (typeof id !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw malformedProposal('id')
  if (typeof title !== 'string' || title.length > 200 || printable(title) !== title) {
    throw malformedProposal('title')
  }
  try {
    parseInstant(typeof createdAt === 'string' ? createdAt : '')
  } catch (cause) {
    throw malformedProposal('createdAt', cause)
  }
  if (!isJsonObject(base) || !Object.values(base).every(isBaseEntry))
    throw malformedProposal('base')
  if (!isJsonObject(evidence)) throw malformedProposal('evidence')
  if (!Array.isArray(documents) || documents.length === 0) throw malformedProposal('documents')
  if (documents.length > documentsMax) {
    throw malformedProposal(`${documents.length} documents, more than ${documentsMax}`)
  }
  const intent = parseIntent(json['intent'])
  if (json['kind'] !== intent.kind) throw malformedProposal('kind')
  const parsed: ProposalDocument[] = []
  for (const item of documents) parsed.push(await parseDocument(item))
  if (new Set(parsed.map(({ role }) => role)).size !== parsed.length) {
    throw malformedProposal('two documents for one role')
  }
  return {
    format: proposalFormat,
    id,
    title,
    kind: intent.kind,
    createdAt: createdAt as string,
    base: base as Proposal['base'],
    documents: parsed,
    intent,
    evidence,
    ...(chain === undefined ? {} : { chain: await parseChain(chain) }),
  }
}

export const malformedProposal = refusalAs<ProposalRefusal>(
  'proposal_malformed',
  'not a proposal: ',
)

/** The bytes of a file as one bounded JSON object. Throws `proposal_malformed`. */
export function parseFile(bytes: Uint8Array): JsonObject {
  try {
    const json = parseJson(bytes, { bytesMax: proposalBytesMax, depthMax: 48 })
    if (isJsonObject(json)) return json
  } catch (cause) {
    if (!isTrustError(cause)) throw cause
    throw malformedProposal(cause.message, cause)
  }
  throw malformedProposal('not an object')
}

function isBaseEntry(value: JsonValue): boolean {
  return (
    isJsonObject(value) &&
    Object.keys(value).length === 2 &&
    typeof value['version'] === 'number' &&
    typeof value['sha256'] === 'string' &&
    /^[0-9a-f]{64}$/.test(value['sha256'])
  )
}

async function parseDocument(value: JsonValue): Promise<ProposalDocument> {
  if (!isJsonObject(value)) throw malformedProposal('a document')
  const { role, signed, signatures } = value
  const kind = typeof role === 'string' ? roleKindOf(role)?.kind : undefined
  if (kind === undefined || kind === 'snapshot' || kind === 'timestamp') {
    throw malformedProposal('a document for no offline role')
  }
  const type = kind === 'root' ? 'root' : 'targets'
  const envelope = await parseEnvelope(type, { signed: signed!, signatures: signatures! })
  return { role: role as string, signed: envelope.signed, signatures: envelope.signatures }
}

async function parseEnvelope<T extends 'root' | 'targets'>(type: T, value: JsonValue) {
  try {
    return await parseMetadata(type, wireJson(value), 'conforming', {
      ...defaultTufLimits,
      rootBytesMax: proposalBytesMax,
      statedBytesMax: proposalBytesMax,
    })
  } catch (cause) {
    if (!isTrustError(cause) && !(cause instanceof TypeError)) throw cause
    throw malformedProposal(`${type}: ${cause.message}`, cause)
  }
}

async function parseChain(value: JsonValue): Promise<ProposalChain> {
  if (!isJsonObject(value)) throw malformedProposal('chain')
  const { roots, roles } = value
  if (!Array.isArray(roots) || !isJsonObject(roles)) throw malformedProposal('chain')
  const parsedRoots: Envelope<RootSigned>[] = []
  for (const root of roots) {
    const { signed, signatures } = await parseEnvelope('root', root)
    parsedRoots.push({ signed, signatures })
  }
  const parsedRoles = Object.create(null) as Record<string, Envelope<TargetsSigned>>
  for (const [role, envelope] of Object.entries(roles)) {
    const { signed, signatures } = await parseEnvelope('targets', envelope)
    parsedRoles[role] = { signed, signatures }
  }
  return { roots: parsedRoots, roles: parsedRoles }
}

/** Reads an intent of unknown origin. Throws `proposal_malformed`. */
export function parseIntent(value: JsonValue | undefined): ProposalIntent {
  if (!isJsonObject(value)) throw malformedProposal('intent')
  const name = (member: string, isValid: (text: string) => boolean): string => {
    const text = value[member]
    if (typeof text !== 'string' || !isValid(text)) throw malformedProposal(`intent.${member}`)
    return text
  }
  const kind = name('kind', () => true)
  switch (kind) {
    case 'trust-init': {
      const { roles } = value
      if (!isJsonObject(roles)) throw malformedProposal('intent.roles')
      const authorities = topLevelRoles.map((role) => [role, parseAuthority(roles[role])])
      return {
        kind,
        roles: Object.fromEntries(authorities) as Record<RoleType, RoleAuthority>,
      }
    }
    case 'product-create':
      return {
        kind,
        product: name('product', isName),
        authority: parseAuthority(value['authority']),
      }
    case 'channel-create':
      return {
        kind,
        product: name('product', isName),
        channel: name('channel', isName),
        authority: parseAuthority(value['authority']),
      }
    case 'product-retire':
      return { kind, product: name('product', isName) }
    case 'channel-retire':
      return { kind, product: name('product', isName), channel: name('channel', isName) }
    case 'publish':
      return { kind, content: parseContent(value['content']) }
    case 'withdraw':
      return {
        kind,
        product: name('product', isName),
        channel: name('channel', isName),
        version: name('version', isVersion),
      }
    case 'rotate':
      return {
        kind,
        role: name('role', (role) => roleKindOf(role) !== undefined),
        authority: parseAuthority(value['authority']),
        ...(value['restart'] === undefined ? {} : { restart: parseMarks(value['restart']) }),
      }
    case 'renew': {
      const { roles } = value
      const isOffline = (role: JsonValue): role is string =>
        typeof role === 'string' &&
        roleKindOf(role) !== undefined &&
        role !== 'snapshot' &&
        role !== 'timestamp'
      if (!Array.isArray(roles) || roles.length === 0 || !roles.every(isOffline)) {
        throw malformedProposal('intent.roles')
      }
      // The intent is carried out by whoever checks it, each role once.
      if (new Set(roles).size !== roles.length) {
        throw malformedProposal('intent.roles names a role twice')
      }
      return { kind, roles }
    }
    default:
      throw malformedProposal('intent.kind')
  }
}

function parseAuthority(value: JsonValue | undefined): RoleAuthority {
  if (!isJsonObject(value)) throw malformedProposal('authority')
  const { keys, threshold } = value
  if (!Array.isArray(keys) || typeof threshold !== 'number' || threshold < 1) {
    throw malformedProposal('authority')
  }
  if (keys.length > keysPerRoleMax) {
    throw malformedProposal(`authority.keys: ${keys.length} keys, more than ${keysPerRoleMax}`)
  }
  try {
    return { keys: keys.map((key) => parsePublicKey(key).key), threshold }
  } catch (cause) {
    throw malformedProposal('authority.keys', cause)
  }
}

function parseMarks(value: JsonValue): ChannelMarks {
  if (!isJsonObject(value) || Object.keys(value).length !== 2) {
    throw malformedProposal('intent.restart')
  }
  const count = (member: 'counterHighest' | 'floorHighest'): number => {
    const number = value[member]
    if (typeof number !== 'number' || number < 0 || number > integerMax) {
      throw malformedProposal(`intent.restart.${member}`)
    }
    return number
  }
  return { counterHighest: count('counterHighest'), floorHighest: count('floorHighest') }
}

function parseContent(value: JsonValue | undefined): PublishedContent {
  if (!isJsonObject(value)) throw malformedProposal('intent.content')
  const isOneOf = (text: string) => (releaseKinds as readonly string[]).includes(text)
  const isText = (member: string, isValid: (text: string) => boolean) => {
    const text = value[member]
    return typeof text === 'string' && isValid(text)
  }
  const isList = (member: string, isValid: (text: string) => boolean) => {
    const list = value[member]
    return Array.isArray(list) && list.every((text) => typeof text === 'string' && isValid(text))
  }
  const isCount = (member: string) => typeof value[member] === 'number' && value[member] >= 0
  const isValid =
    Object.keys(value).length === 11 &&
    isText('product', isName) &&
    isText('channel', isName) &&
    isText('version', isVersion) &&
    isText('kind', isOneOf) &&
    isList('platforms', isPlatform) &&
    isList('hardware', isHardware) &&
    typeof value['security'] === 'boolean' &&
    isCount('floor') &&
    isCount('length') &&
    isText('sha256', (text) => /^[0-9a-f]{64}$/.test(text)) &&
    isText('sha512', (text) => /^[0-9a-f]{128}$/.test(text))
  if (!isValid) throw malformedProposal('intent.content')
  return value as unknown as PublishedContent
}
