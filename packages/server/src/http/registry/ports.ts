/** What the registry's HTTP layer needs from the server. */
import type { IncomingMessage } from 'node:http'
import type { Digest } from '@seaworthy/oci/digests'
import type { RegistryStore, StoredBlob } from '@seaworthy/oci/store'
import type { Log } from '@seaworthy/std/log'
import type { Clock, Sleep } from '@seaworthy/std/time'

export type RegistryAction = 'pull' | 'push' | 'delete'

/** `repository: null` asks whether the request may use the registry at all (`GET /v2/`). */
export type RegistryAccess = { repository: string; action: RegistryAction } | { repository: null }

export type AuthorizeResult<Actor> =
  | { kind: 'allowed'; actor: Actor }
  /** The request has no known actor: answered by 401 with a challenge for the token endpoint. */
  | { kind: 'unauthorized' }
  /** The actor is known, but not allowed: 403. */
  | { kind: 'denied' }
  | { kind: 'too_many_requests'; retryAfterSeconds: number }

/** What changed, for the audit log. */
export type RegistryEvent<Actor> =
  | {
      kind: 'manifest_put'
      actor: Actor
      repository: string
      digest: Digest
      mediaType: string
      artifactType?: string
      tag?: string
      subject?: Digest
      /** The store already had all of it, including the tag. */
      isRepeated: boolean
    }
  | { kind: 'manifest_deleted'; actor: Actor; repository: string; digest: Digest }
  | { kind: 'tag_deleted'; actor: Actor; repository: string; tag: string }
  | { kind: 'blob_deleted'; actor: Actor; repository: string; digest: Digest }

export interface TokenScope {
  repository: string
  actions: readonly RegistryAction[]
}

/** A request to `/v2/token`. Without a secret it is anonymous. Never log the secret. */
export interface TokenRequest {
  username: string | undefined
  secret: string | undefined
  service: string | undefined
  scopes: readonly TokenScope[]
  request: IncomingMessage
}

export interface IssuedRegistryToken {
  token: string
  expiresInSeconds: number
  issuedAt: Date
}

export type IssueResult =
  | { kind: 'issued'; token: IssuedRegistryToken }
  /** Credentials are missing or wrong: 401. */
  | { kind: 'unauthorized' }
  | { kind: 'too_many_requests'; retryAfterSeconds: number }
  /** A token for all these scopes would be longer than the server accepts: 400. */
  | { kind: 'too_long'; bytes: number; bytesMax: number }

/** An upload that has not ended. */
export interface OpenUpload<Actor> {
  readonly id: string
  readonly repository: string
  readonly actor: Actor
}

/**
 * How much repositories hold, and may hold. Whatever does not fit is refused before it is read:
 * throws the refusals `quota_exceeded` and `uploads_too_many`.
 */
export interface RegistrySpace<Actor> {
  begin(upload: OpenUpload<Actor>): Promise<void>
  /**
   * Sets bytes aside for an upload: `wanted` in all if there is room, and at least `needed`.
   * Answers how many are.
   */
  setAside(
    upload: OpenUpload<Actor>,
    bytes: { readonly needed: number; readonly wanted: number },
  ): Promise<number>
  /** Keeps aside what the upload has, and no more. */
  giveBackRest(upload: OpenUpload<Actor>, bytes: number): Promise<void>
  /** The upload has become a blob. */
  keep(upload: OpenUpload<Actor>, blob: StoredBlob): Promise<void>
  drop(uploadId: string): Promise<void>
  /** Counts a manifest, or a blob that is mounted. */
  add(repository: string, content: StoredBlob): Promise<void>
  remove(repository: string, digest: Digest): Promise<void>
}

export interface RegistryPorts<Actor> {
  store: RegistryStore
  /** Called after the name was checked and before anything is looked up. */
  authorize(request: IncomingMessage, access: RegistryAccess): Promise<AuthorizeResult<Actor>>
  /** Scopes that are not allowed are left out of the token, not refused. */
  issueToken(request: TokenRequest): Promise<IssueResult>
  /**
   * Called before each change that will be an event. Answers how many seconds the actor must wait,
   * where its budget is spent.
   */
  spendChange(actor: Actor): Promise<number | undefined>
  space: RegistrySpace<Actor>
  /** Awaited before the change is acknowledged. */
  onEvent(event: RegistryEvent<Actor>): Promise<void>
  /** Indexes of the signed releases: what they need cannot be deleted. */
  roots(): Promise<Iterable<Digest>>
  /**
   * Tags that signed metadata gives to releases, sorted. They go before tags of the store, and no
   * client sets or deletes them. One that is `null` is taken, and means nothing: a tag of the store
   * does not stand in for it.
   */
  releaseTags(repository: string): Promise<ReadonlyMap<string, Digest | null>>
  /** The absolute URL of `/v2/token` as the client reaches it. */
  tokenUrl(request: IncomingMessage): string
  service: string
  /** The largest size of one blob, in bytes. */
  uploadBytesMax: number
  /** Events that callers can cause without limit are recorded within an allowance. */
  log: Pick<Log, 'debug' | 'error'>
  clock: Clock
  sleep: Sleep
}
