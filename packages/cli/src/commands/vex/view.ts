/** Statements as text. */
import type { VexStatementView } from '@seaworthy/api/vex'
import type { Context } from '../../context.ts'
import { harmless } from '../../output/format.ts'

export function describeStatus({ status, justification }: VexStatementView): string {
  const why = justification === null ? '' : `: ${justification.replaceAll('_', ' ')}`
  return `${status.replaceAll('_', ' ')}${why}`
}

export function describeStatement(context: Context, view: VexStatementView): string[] {
  const { author, endedAt, endedBy, evidence } = view
  return context.fields([
    ['statement', view.id],
    ['vulnerability', view.vulnerability],
    ['release', `${view.product} ${view.version}${view.isInherited ? ', and later ones' : ''}`],
    ['component', harmless(view.purl)],
    ['status', describeStatus(view)],
    ['impact', orNothing(view.impact)],
    ['action', orNothing(view.action)],
    ['notes', orNothing(view.notes)],
    ['evidence', evidence.length === 0 ? undefined : evidence.map(harmless).join('; ')],
    ['reviewer', view.reviewer],
    ['author', author === null ? undefined : `${harmless(author)}, in a document`],
    ['stated at', view.statedAt],
    ['until', view.expiresAt ?? undefined],
    ['state', view.state.replaceAll('_', ' ')],
    [
      'ended at',
      endedAt === null ? undefined : `${endedAt}${endedBy === null ? '' : ` by ${endedBy}`}`,
    ],
  ])
}

function orNothing(text: string): string | undefined {
  return text === '' ? undefined : harmless(text)
}
