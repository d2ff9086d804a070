/**
 * `/odata/v1/` answers as OData v4 asks, `/odata/pine/v1/` as the clients of balena read it: the
 * same questions, permissions and entities. Changes are calls of the routes under `/v1`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Address, ODataRefusal } from '@seaworthy/api/odata'
import {
  conditionOf,
  formatMetadata,
  readAddress,
  readQuestion,
  setsByName,
} from '@seaworthy/api/odata'
import { utf8Encode } from '@seaworthy/std/bytes'
import { Refusal, refusalAs } from '@seaworthy/std/refusal'
import type { Actor } from '../../app/access/index.ts'
import { recordRefusal } from '../../app/access/index.ts'
import type { App } from '../../app/app.ts'
import type { AskedEntities, Turns } from '../../app/odata/index.ts'
import {
  askCount,
  askEntities,
  createTurns,
  notFound,
  requireMayRead,
} from '../../app/odata/index.ts'
import type { AttemptLimiter } from '../authenticate.ts'
import { authenticate } from '../authenticate.ts'
import { refuseBody } from '../bodies.ts'
import type { Endpoint, RawHandler } from '../endpoint.ts'
import { HttpError } from '../problems.ts'
import { originOf, sendBytes } from '../request.ts'
import { readQuery } from '../parse-part.ts'
import { formatEntity, pineForm, v4Form } from './forms.ts'
import type { Form, AskedPage } from './forms.ts'
import { writeByFilter } from './filtered-writes.ts'
import { isOfPart, writePart } from './part-writes.ts'
import { isWriting, write } from './writes.ts'

interface Ports {
  readonly app: App
  readonly limiter: AttemptLimiter
  readonly endpoints: readonly Endpoint[]
  readonly turns: Turns
  /** The limit on changes of what a filter finds. */
  readonly changes: Turns
}

export function createODataHandlers(
  app: App,
  limiter: AttemptLimiter,
  endpoints: readonly Endpoint[],
): RawHandler[] {
  const ports = {
    app,
    limiter,
    endpoints,
    turns: createTurns('question'),
    changes: createTurns('change'),
  }
  return [
    createHandler(ports, '/odata/pine/v1/', pineForm),
    createHandler(ports, '/odata/v1/', v4Form),
  ]
}

function createHandler(ports: Ports, prefix: string, form: Form): RawHandler {
  return {
    prefix,
    methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
    async answer(req, res, path, query) {
      const { app, limiter } = ports
      const actor = await authenticate(app, req, 'actor', limiter, app.clock.now())
      const root = `${originOf(req)}${prefix}`
      const target = decodePath(path.slice(prefix.length))
      if (isWriting(req.method)) {
        await change(ports, form, actor, { req, res, root, target, method: req.method, query })
        return
      }
      refuseBody(req)
      try {
        const address = readAddress(target)
        const sent = await answerAddress(ports, form, actor, address, {
          root,
          options: readQuery(query.toString()),
          pageSize: pageSizeOf(req),
        })
        send(res, form, sent)
      } catch (error) {
        // The audit log records what somebody may not read, and not how they asked, as under `/v1`.
        if (error instanceof Refusal && error.code === 'permission_denied') {
          const attempt = { actor, action: 'odata.read', subject: req.url!.slice(0, 300) }
          await recordRefusal(app, error, attempt)
        }
        throw error
      }
    },
  }
}

interface ChangeRequest {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly root: string
  readonly target: string
  readonly method: 'POST' | 'PATCH' | 'DELETE'
  readonly query: URLSearchParams
}

/**
 * A change answers without a body unless `Prefer: return=representation` asks for the entity; a
 * caller that may change it may also read it. A creation answers with the entity unless
 * `return=minimal` is asked for.
 */
async function change(
  ports: Ports,
  form: Form,
  actor: Actor,
  { req, res, root, target, method, query }: ChangeRequest,
): Promise<void> {
  const address = readAddress(target)
  if (address.kind !== 'entities' || address.link !== null || address.isCount) {
    throw notChangeable('only entities of a set can be changed')
  }
  const { set, key } = address
  if (key === null && method !== 'POST' && query.has('$filter')) {
    const asked = { method, set, options: readQuery(query.toString()) }
    send(res, form, json(form, await writeByFilter(ports, req, actor, asked)))
    return
  }
  if (query.size > 0) throw notChangeable('a change of one entity takes no options')
  const isMade = method === 'POST'
  const isShown = showsEntity(req, isMade)
  if (isShown && method !== 'DELETE') requireMayRead(actor, set)
  const now = ports.app.clock.now()
  const { app, endpoints } = ports
  const changed = isOfPart(set)
    ? await writePart(app, endpoints, req, actor, { method, set, key }, now)
    : await write(app, endpoints, req, actor, { method, set, key }, now)
  if (changed !== null) {
    const place = formatEntity(root, set, changed)
    res.setHeader('odata-entityid', place)
    if (isMade) res.setHeader('location', place)
  }
  if (changed === null || !isShown) {
    sendBytes(res, 204, { 'cache-control': 'no-store', ...form.headers }, new Uint8Array())
    return
  }
  const asking = { root, options: {}, pageSize: null }
  const sent = await answerAddress(ports, form, actor, { ...address, key: changed }, asking)
  send(res, form, sent, isMade ? 201 : 200)
}

function showsEntity({ headers }: IncomingMessage, isMade: boolean): boolean {
  const prefer = String(headers['prefer'] ?? '').slice(0, 200)
  if (/(?:^|[\s,;])return=minimal(?:$|[\s,;])/.test(prefer)) return false
  return isMade || /(?:^|[\s,;])return=representation(?:$|[\s,;])/.test(prefer)
}

const notChangeable = refusalAs<ODataRefusal>('odata_not_supported')

interface Sent {
  readonly type: string
  readonly text: string
}

interface Asking {
  readonly root: string
  readonly options: Readonly<Record<string, string>>
  readonly pageSize: number | null
}

async function answerAddress(
  { app, turns }: Ports,
  form: Form,
  actor: Actor,
  address: Address,
  asking: Asking,
): Promise<Sent> {
  if (address.kind === 'metadata') return { type: 'application/xml', text: formatMetadata() }
  if (address.kind === 'service') return json(form, form.service(asking.root))
  const { root, options } = asking
  const page = readPage(app, address, asking, form)
  if (address.isCount) {
    const count = await askCount(app, turns, actor, address, page.asked)
    return form.count(count)
  }
  const answer = await askEntities(app, turns, actor, address, page.asked)
  if (page.isOne && answer.entities.length === 0 && form.isMissingRefused) {
    throw notFound(page.asked.question.set)
  }
  return json(form, form.page(page, answer, { root, options, address }))
}

const json = (form: Form, value: object): Sent => ({ type: form.type, text: JSON.stringify(value) })

function readPage(app: App, address: AskedEntities, asking: Asking, form: Form): AskedPage {
  const { set, key, link } = address
  const led = link === null ? undefined : setsByName.get(set)!.links[link]
  const target = led?.to ?? set
  const isOne = led === undefined ? key !== null : !led.isMany
  const { options, pageSize } = asking
  const asked = readQuestion(target, options, {
    now: app.clock.now(),
    pageSize: pageSize ?? form.pageDefault,
  })
  if (key === null || link !== null) return { isOne, asked }
  // The key finds the entity, whatever else is asked of it.
  const isKey = conditionOf(set, key)
  const { filter } = asked.question
  const both = filter === null ? isKey : ({ kind: 'and', parts: [isKey, filter] } as const)
  return { isOne, asked: { ...asked, question: { ...asked.question, filter: both } } }
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch (cause) {
    throw new HttpError('invalid_request', 'the path is not percent-encoded UTF-8', { cause })
  }
}

/** `Prefer: odata.maxpagesize=50`, `maxpagesize=50`. */
function pageSizeOf(req: IncomingMessage): number | null {
  const prefer = req.headers['prefer']
  const text = Array.isArray(prefer) ? prefer.join(',') : (prefer ?? '')
  const match = /(?:^|[\s,;])(?:odata\.)?maxpagesize=(\d{1,6})(?:$|[\s,;])/.exec(text.slice(0, 200))
  return match === null ? null : Math.max(1, Number(match[1]))
}

function send(res: ServerResponse, form: Form, { type, text }: Sent, status = 200): void {
  const headers = { 'content-type': type, 'cache-control': 'no-store', ...form.headers }
  sendBytes(res, status, headers, utf8Encode(text))
}
