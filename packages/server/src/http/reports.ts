/**
 * `/report`: the form by which anybody reports a flaw, without an account and without a script, and
 * the private page of each report. A page carries no cookie and no right but its own address, so
 * that another site which sends the form gains nothing by it. The form makes promises to whoever
 * reports, so that it is there only where whoever runs the server has switched it on; the pages of
 * reports that have arrived answer in any case.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { App } from '../app/app.ts'
import { readStatus, receiveReply, receiveReport } from '../app/cases/index.ts'
import { poolOf } from './address-pools.ts'
import { readBytes } from './bodies.ts'
import { explainFailure } from './dispatch.ts'
import type { RawHandler } from './endpoint.ts'
import { bodyLimits } from './limits.ts'
import { HttpError } from './problems.ts'
import { sendPrivatePage } from './public-pages.ts'
import { readReplyForm, readReportForm } from './report-fields.ts'
import { emptyFields, formPage, receivedPage, refusedPage, statusPage } from './report-pages.ts'
import { requireBudget } from './request-budgets.ts'
import { originOf } from './request.ts'

const codeForm = /^\/report\/([A-Za-z0-9_-]{43})$/
const methods = ['GET', 'HEAD', 'POST'] as const

export function createReportHandlers(app: App, hasForm: boolean): readonly RawHandler[] {
  const answer: RawHandler['answer'] = async (req, res, path) => {
    try {
      await answerReporter(app, req, res, { path, hasForm })
    } catch (error) {
      // The address of a report is a secret, which no log may have.
      const { problem, headers } = explainFailure(app, error, {
        method: req.method,
        url: '/report',
      })
      const closing = req.complete ? {} : { connection: 'close' }
      const page = refusedPage(problem.title, problem.detail ?? '')
      sendPrivatePage(res, problem.status, page, { ...headers, ...closing })
    }
  }
  return [
    { prefix: '/report', methods, answer },
    { prefix: '/report/', methods, answer },
  ]
}

async function answerReporter(
  app: App,
  req: IncomingMessage,
  res: ServerResponse,
  { path, hasForm }: { readonly path: string; readonly hasForm: boolean },
): Promise<void> {
  const network = poolOf(req.socket.remoteAddress ?? '')
  await requireBudget(app, 'report-pages', network)
  const isForm = path === '/report'
  const code = codeForm.exec(path)?.[1]
  if (!isForm && code === undefined) {
    throw new HttpError('route_not_found', 'there is no report at this address')
  }
  if (isForm && !hasForm) {
    throw new HttpError(
      'route_not_found',
      'this server takes no reports by form: whoever runs it has not started it with --report-form',
    )
  }
  if (req.method !== 'POST') {
    const page =
      code === undefined ? formPage(emptyFields) : statusPage(path, await readStatus(app, code))
    return sendPrivatePage(res, 200, page)
  }
  const form = await readForm(app, req)
  if (code === undefined) return takeReport(app, req, res, form)
  const read = readReplyForm(form)
  if ('fault' in read) {
    const page = statusPage(path, await readStatus(app, code), read.fault)
    return sendPrivatePage(res, 422, page)
  }
  await requireBudget(app, 'report-messages', network)
  await receiveReply(app, code, read.value)
  sendPrivatePage(res, 303, refusedPage('Sent', 'Your message has arrived.'), { location: path })
}

async function takeReport(
  app: App,
  req: IncomingMessage,
  res: ServerResponse,
  form: URLSearchParams,
): Promise<void> {
  const { fields, read } = readReportForm(form)
  if ('fault' in read) return sendPrivatePage(res, 422, formPage(fields, read.fault))
  await requireBudget(app, 'report-messages', poolOf(req.socket.remoteAddress ?? ''))
  await requireBudget(app, 'reports', 'all')
  const code = await receiveReport(app, read.value)
  sendPrivatePage(res, 201, receivedPage(`${originOf(req)}/report/${code}`))
}

async function readForm(app: App, req: IncomingMessage): Promise<URLSearchParams> {
  const type = req.headers['content-type'] ?? ''
  if (!/^application\/x-www-form-urlencoded *(?:;|$)/i.test(type)) {
    throw new HttpError('unsupported_media_type', 'send the form as a browser sends it')
  }
  if (req.headers['content-encoding'] !== undefined) {
    throw new HttpError('unsupported_media_type', 'send the form without a content coding')
  }
  const bytes = await readBytes(req, bodyLimits.report, app)
  try {
    return new URLSearchParams(utf8Decode(bytes))
  } catch (cause) {
    throw new HttpError('invalid_request', 'the form is not text', { cause })
  }
}
