/**
 * The OCI distribution API 1.1 (`/v2/…`) on a `RegistryStore`: all endpoints end-1 to end-14,
 * ranges, chunked uploads, mounts, referrers, deletion and the token flow. Nothing is looked up
 * before the request was authorized for the repository and action; every upload and manifest is
 * bounded and verified; what a signed release needs is not deleted; a change is acknowledged only
 * after its event was taken. The server decides who may do what.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { unreachable } from '@seaworthy/std/refusal'
import type { RegistryCall } from './blobs.ts'
import {
  appendChunk,
  cancelUpload,
  deleteBlob,
  finishUpload,
  sendBlob,
  sendUploadStatus,
  startUpload,
} from './blobs.ts'
import { pullOf, requireAccess } from './challenges.ts'
import { RegistryError, sendRegistryError, toRegistryError } from './errors.ts'
import { deleteManifest, putManifest, sendManifest, sendReferrers, sendTags } from './manifests.ts'
import type { RegistryAction, RegistryPorts } from './ports.ts'
import type { Resource } from './requests.ts'
import { parseMount, parseRegistryTarget } from './requests.ts'
import { answerTokenRequest } from './tokens.ts'

export type {
  AuthorizeResult,
  IssueResult,
  OpenUpload,
  RegistryAccess,
  RegistryPorts,
  RegistrySpace,
  TokenRequest,
} from './ports.ts'

/** Answers requests whose path is `/v2` or below. Never rejects. */
export function createRegistryHandler<Actor>(
  ports: RegistryPorts<Actor>,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    response.setHeader('docker-distribution-api-version', 'registry/2.0')
    response.setHeader('x-content-type-options', 'nosniff')
    try {
      await answer(ports, request, response)
    } catch (error) {
      answerFailure(ports, request, response, error)
    }
  }
}

function answerFailure<Actor>(
  ports: RegistryPorts<Actor>,
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
): void {
  // The client went away in the middle of its body: nobody is there to be answered.
  if (request.errored || (request.destroyed && !request.complete)) return
  const known = toRegistryError(error)
  if (!known || known.status === 503) {
    ports.log.error('registry_request_failed', { method: request.method, error })
  } else if (known.cause !== undefined) {
    ports.log.debug('registry_request_refused', { code: known.code, error })
  }
  if (response.headersSent) {
    response.destroy()
    return
  }
  if (known) sendRegistryError(response, known)
  else response.writeHead(500, { 'content-length': 0 }).end()
}

async function answer<Actor>(
  ports: RegistryPorts<Actor>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { resource, query } = parseRegistryTarget(request.url ?? '')
  if (resource.kind === 'token') return answerTokenRequest(ports, request, response, query)
  const action = actionOf(resource, request.method ?? '')
  if (resource.kind === 'base') {
    await requireAccess(ports, request, { repository: null })
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 2 }).end('{}')
    return
  }
  const { repository } = resource
  const mount = resource.kind === 'uploads' ? parseMount(query) : undefined
  const alsoNeeded = mount === undefined ? [] : [pullOf(mount.from)]
  const stillMay = () => requireAccess(ports, request, { repository, action }, alsoNeeded)
  const actor = await stillMay()
  const call: RegistryCall<Actor> = { ports, actor, stillMay, request, response, repository, query }
  const { method } = request
  switch (resource.kind) {
    case 'blob':
      return method === 'DELETE'
        ? deleteBlob(call, resource.digest)
        : sendBlob(call, resource.digest)
    case 'uploads':
      return startUpload(call)
    case 'upload':
      if (method === 'PATCH') return appendChunk(call, resource.uploadId)
      if (method === 'PUT') return finishUpload(call, resource.uploadId)
      if (method === 'DELETE') return cancelUpload(call, resource.uploadId)
      return sendUploadStatus(call, resource.uploadId)
    case 'manifest':
      if (method === 'PUT') return putManifest(call, resource.reference)
      if (method === 'DELETE') return deleteManifest(call, resource.reference)
      return sendManifest(call, resource.reference)
    case 'tags':
      return sendTags(call)
    case 'referrers':
      return sendReferrers(call, resource.digest)
    default:
      return unreachable(resource)
  }
}

const methods: Readonly<
  Record<Exclude<Resource['kind'], 'token'>, Readonly<Record<string, RegistryAction>>>
> = {
  base: { GET: 'pull', HEAD: 'pull' },
  blob: { GET: 'pull', HEAD: 'pull', DELETE: 'delete' },
  uploads: { POST: 'push' },
  upload: { GET: 'push', PATCH: 'push', PUT: 'push', DELETE: 'push' },
  manifest: { GET: 'pull', HEAD: 'pull', PUT: 'push', DELETE: 'delete' },
  tags: { GET: 'pull' },
  referrers: { GET: 'pull' },
}

function actionOf(resource: Exclude<Resource, { kind: 'token' }>, method: string): RegistryAction {
  const allowed = methods[resource.kind]
  if (Object.hasOwn(allowed, method)) return allowed[method]!
  throw new RegistryError(405, 'UNSUPPORTED', 'this endpoint does not support the method', {
    headers: { allow: Object.keys(allowed).join(', ') },
  })
}
