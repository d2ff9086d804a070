/**
 * Cases of reported flaws (R2, R3). Only who is read in to a case learns anything of it; to others
 * it does not exist. A case that nobody has taken yet is shown to handlers, without its content.
 */
import { z } from 'zod'
import { idField, instant, pageOf, pageQuery, text } from './fields.ts'
import { defineRoute } from './route.ts'

export const caseParams = z.strictObject({ caseId: idField('case') })
const readerField = z
  .string()
  .regex(/^(?:person|token)_[0-9a-hjkmnp-tv-z]{26}$/, 'a person_… or token_…')
const titleField = text(200, 1)
const entryText = text(20_000, 1)

const reportState = z.enum(['received', 'invalid', 'valid', 'accepted', 'deferred', 'closed'])
const embargoState = z.enum(['none', 'proposed', 'active', 'revise', 'exited'])
export const caseEvent = z.enum([
  'validate',
  'invalidate',
  'accept',
  'defer',
  'close',
  'propose-embargo',
  'accept-embargo',
  'reject-embargo',
  'end-embargo',
  'fix-ready',
  'fix-deployed',
  'public',
  'exploit-public',
  'attacks',
])

const caseClock = z.object({
  name: z.enum(['acknowledge', 'answer', 'update', 'embargo']),
  dueAt: instant,
  metAt: instant.nullable(),
  /** What warns is `soon`; what was owed and not done is `broken`. */
  state: z.enum(['met', 'late', 'running', 'soon', 'broken', 'stopped']),
})
export type CaseClockView = z.output<typeof caseClock>

const caseView = z.object({
  id: idField('case'),
  /** Null for a case that nobody has taken: its content is for whoever takes it. */
  title: z.string().nullable(),
  report: reportState,
  embargo: embargoState,
  embargoUntil: instant.nullable(),
  /** What is known in the world, in the letters of Vultron, such as `Vfdpxa`. */
  knowledge: z.string(),
  /** Who answers for the case; null while nobody has taken it. */
  handler: z.string().nullable(),
  /** Whether somebody outside has reported it. */
  isReported: z.boolean(),
  openedAt: instant,
  closedAt: instant.nullable(),
  /** The time since which a message of the reporter waits for an answer. */
  waitingSince: instant.nullable(),
  clocks: z.array(caseClock),
})
export type CaseView = z.output<typeof caseView>

const caseDetails = caseView.extend({
  /** Everybody who is read in. */
  readers: z.array(
    z.object({
      id: z.string(),
      name: z.string().nullable(),
      readInAt: instant,
      readInBy: z.string(),
    }),
  ),
  /** The events that are legal now. */
  legalEvents: z.array(caseEvent),
})
export type CaseDetails = z.output<typeof caseDetails>

const caseEntry = z.object({
  id: idField('entry'),
  at: instant,
  /** A person, a token, `reporter`, or `server` for an alarm. */
  by: z.string(),
  kind: z.enum([
    'report',
    'reply',
    'answer',
    'note',
    'move',
    'assign',
    'read-in',
    'read-out',
    'alarm',
  ]),
  text: z.string(),
})
export type CaseEntryView = z.output<typeof caseEntry>

export const listCases = defineRoute({
  name: 'case.list',
  method: 'GET',
  path: '/v1/cases',
  auth: 'actor',
  summary:
    'List the cases that the caller is read in to, and those nobody has taken; newest first.',
  query: pageQuery.extend({ state: z.enum(['open', 'closed']).optional() }),
  reply: pageOf(caseView),
})

export const showCase = defineRoute({
  name: 'case.show',
  method: 'GET',
  path: '/v1/cases/:caseId',
  auth: 'actor',
  summary: 'Show a case with its clocks and everybody who is read in.',
  params: caseParams,
  reply: caseDetails,
})

export const listCaseEntries = defineRoute({
  name: 'case.list-entries',
  method: 'GET',
  path: '/v1/cases/:caseId/entries',
  auth: 'actor',
  summary: 'List what was said and done in a case, oldest first.',
  params: caseParams,
  query: pageQuery,
  reply: pageOf(caseEntry),
})

export const openCase = defineRoute({
  name: 'case.open',
  method: 'POST',
  path: '/v1/cases',
  auth: 'actor',
  summary: 'Open a case of a flaw that nobody outside has reported. Only the caller is read in.',
  body: z.strictObject({ title: titleField, text: entryText }),
  bodyBytesMax: 256 * 1024,
  reply: caseView,
  status: 201,
})

export const noteInCase = defineRoute({
  name: 'case.note',
  method: 'POST',
  path: '/v1/cases/:caseId/notes',
  auth: 'actor',
  summary: 'Write a note into a case, for those who are read in.',
  params: caseParams,
  body: z.strictObject({ text: entryText }),
  bodyBytesMax: 256 * 1024,
  reply: caseEntry,
  status: 201,
})

export const answerCase = defineRoute({
  name: 'case.answer',
  method: 'POST',
  path: '/v1/cases/:caseId/answers',
  auth: 'actor',
  summary: 'Write to the reporter, who reads it behind the private link.',
  params: caseParams,
  body: z.strictObject({
    text: entryText,
    /** Whether it says what was found and will happen, not only that the report is here. */
    isDetailed: z.boolean(),
  }),
  bodyBytesMax: 256 * 1024,
  reply: caseEntry,
  status: 201,
})

export const moveCaseBy = defineRoute({
  name: 'case.move',
  method: 'POST',
  path: '/v1/cases/:caseId/moves',
  auth: 'actor',
  summary: 'Say what has happened in a case. An event that the model does not allow is refused.',
  params: caseParams,
  body: z.strictObject({
    event: caseEvent,
    /** The end of an embargo, with the event that proposes one. */
    embargoUntil: instant.optional(),
  }),
  reply: caseView,
})

export const assignCase = defineRoute({
  name: 'case.assign',
  method: 'PUT',
  path: '/v1/cases/:caseId/handler',
  auth: 'actor',
  stepUp: true,
  summary:
    'Give a case to a handler, who is read in by that; without `to`, the caller takes it. What nobody has taken, every handler may take.',
  params: caseParams,
  body: z.strictObject({ to: idField('person').optional() }),
  reply: caseView,
})

export const readIntoCase = defineRoute({
  name: 'case.read-in',
  method: 'PUT',
  path: '/v1/cases/:caseId/readers/:personId',
  auth: 'actor',
  stepUp: true,
  summary: 'Read a person in to a case: they see all of it from then on.',
  params: caseParams.extend({ personId: idField('person') }),
  reply: caseDetails,
})

export const readOutOfCase = defineRoute({
  name: 'case.read-out',
  method: 'DELETE',
  path: '/v1/cases/:caseId/readers/:reader',
  auth: 'actor',
  stepUp: true,
  summary: 'End that somebody is read in to a case. Its handler stays; assign another one first.',
  params: caseParams.extend({ reader: readerField }),
  reply: caseDetails,
})
