/**
 * The states of a case after CERT/CC's Vultron, as a vendor has them: what became of the report,
 * the embargo, and what is known in the world. The letters of what is known are Vultron's: vendor
 * aware, fix ready, fix deployed, public aware, exploit public, attacks observed; a capital letter
 * says that it is so, and none becomes small again.
 */
import { Refusal } from '@seaworthy/std/refusal'

export type CaseFault = 'case_move_illegal'

export const reportStates = [
  'received',
  'invalid',
  'valid',
  'accepted',
  'deferred',
  'closed',
] as const
export type ReportState = (typeof reportStates)[number]

export const embargoStates = ['none', 'proposed', 'active', 'revise', 'exited'] as const
export type EmbargoState = (typeof embargoStates)[number]

export interface CaseState {
  readonly report: ReportState
  readonly embargo: EmbargoState
  /** Six letters, such as `Vfdpxa`. */
  readonly knowledge: string
}

/** We are the vendor: with the report in our hands we are aware of the flaw. */
export const firstCaseState: CaseState = {
  report: 'received',
  embargo: 'none',
  knowledge: 'Vfdpxa',
}

/** The 32 states of the model: without a vendor who is aware there is no fix, and none deployed. */
export function isKnowledge(text: string): boolean {
  return /^(?:vfd|Vfd|VFd|VFD)[pP][xX][aA]$/.test(text)
}

type Moves<State extends string> = Readonly<Partial<Record<State, State>>>

const reportMoves = {
  validate: { received: 'valid', invalid: 'valid' },
  invalidate: { received: 'invalid' },
  accept: { valid: 'accepted', deferred: 'accepted' },
  defer: { valid: 'deferred', accepted: 'deferred' },
  close: { invalid: 'closed', accepted: 'closed', deferred: 'closed' },
} as const satisfies Readonly<Record<string, Moves<ReportState>>>

const embargoMoves = {
  'propose-embargo': { none: 'proposed', active: 'revise' },
  'accept-embargo': { proposed: 'active', revise: 'active' },
  'reject-embargo': { proposed: 'none', revise: 'active' },
  'end-embargo': { active: 'exited', revise: 'exited' },
} as const satisfies Readonly<Record<string, Moves<EmbargoState>>>

/** The letters that each event makes capital. A public exploit makes the flaw public. */
const knowledgeMoves = {
  'fix-ready': 'F',
  'fix-deployed': 'D',
  public: 'P',
  'exploit-public': 'PX',
  attacks: 'A',
} as const

type ReportEvent = keyof typeof reportMoves
type EmbargoEvent = keyof typeof embargoMoves
type KnowledgeEvent = keyof typeof knowledgeMoves
export type CaseEvent = ReportEvent | EmbargoEvent | KnowledgeEvent

const keysOf = <K extends string>(table: Readonly<Record<K, unknown>>) => Object.keys(table) as K[]
export const caseEvents: readonly CaseEvent[] = [
  ...keysOf(reportMoves),
  ...keysOf(embargoMoves),
  ...keysOf(knowledgeMoves),
]

/** The state after the event. Throws `case_move_illegal`, with the events that are legal. */
export function moveCase(state: CaseState, event: CaseEvent): CaseState {
  const after = tryMove(state, event)
  if (typeof after !== 'string') return after
  const legal = listLegalEvents(state)
  throw new Refusal<CaseFault>(
    'case_move_illegal',
    `${after}; ${legal.length === 0 ? 'nothing more can happen to this case: open one that follows it' : `it could be: ${legal.join(', ')}`}`,
  )
}

/** The events that may happen to a case in this state; none for one that is closed for good. */
export function listLegalEvents(state: CaseState): CaseEvent[] {
  return caseEvents.filter((event) => typeof tryMove(state, event) !== 'string')
}

const isOf = <K extends string>(table: Readonly<Record<K, unknown>>, event: string): event is K =>
  Object.hasOwn(table, event)

/** The state after the event, or why there is none. */
function tryMove(state: CaseState, event: CaseEvent): CaseState | string {
  if (state.report === 'closed') return `the case is closed, so ${event} changes nothing`
  if (isOf(reportMoves, event)) return moveReport(state, event)
  if (isOf(embargoMoves, event)) return moveEmbargo(state, event)
  return learn(state, event)
}

function moveReport(state: CaseState, event: ReportEvent): CaseState | string {
  const moves: Moves<ReportState> = reportMoves[event]
  const report = moves[state.report]
  if (report === undefined) return `a report that is ${state.report} cannot ${event}`
  if (report === 'closed' && state.embargo !== 'none' && state.embargo !== 'exited') {
    return `the embargo is ${state.embargo}: it must end before the case is closed`
  }
  return { ...state, report }
}

function moveEmbargo(state: CaseState, event: EmbargoEvent): CaseState | string {
  const moves: Moves<EmbargoState> = embargoMoves[event]
  const embargo = moves[state.embargo]
  if (embargo === undefined) return `an embargo that is ${state.embargo} cannot ${event}`
  if (event === 'propose-embargo' && isOut(state.knowledge)) {
    return 'the flaw is public or used in attacks already, so no embargo can be proposed'
  }
  return { ...state, embargo }
}

/** Whether the flaw is public, has a public exploit, or is used in attacks. */
const isOut = (knowledge: string) => /[PXA]/.test(knowledge)

function learn(state: CaseState, event: KnowledgeEvent): CaseState | string {
  const capitals: string = knowledgeMoves[event]
  const before = state.knowledge
  const knowledge = Array.from(before, (letter) =>
    capitals.includes(letter.toUpperCase()) ? letter.toUpperCase() : letter,
  ).join('')
  if (knowledge === before) return `that is known already: ${before}`
  if (!isKnowledge(knowledge)) return 'a fix is deployed only once it is ready'
  return {
    ...state,
    knowledge,
    embargo: isOut(knowledge) ? endEmbargo(state.embargo) : state.embargo,
  }
}

/** What an embargo becomes once there is nothing left to keep. */
function endEmbargo(embargo: EmbargoState): EmbargoState {
  if (embargo === 'proposed') return 'none'
  return embargo === 'active' || embargo === 'revise' ? 'exited' : embargo
}
