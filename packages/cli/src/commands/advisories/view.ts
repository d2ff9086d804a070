/** An advisory as a terminal shows it; no text of it steers the terminal. */
import type { AdvisoryDetails } from '@seaworthy/api/advisories'
import { describeReleases } from '@seaworthy/response/advisories'
import { ratingOf } from '@seaworthy/response/severity'
import type { Context } from '../../context.ts'
import { harmless } from '../../output/format.ts'

export function describeScore(score: number | null): string {
  return score === null ? '-' : `${score.toFixed(1)} ${ratingOf(score)}`
}

export function describeAdvisory(context: Context, view: AdvisoryDetails): string[] {
  const { content } = view
  const text = (title: string, value: string) =>
    value === '' ? [] : ['', `${title}:`, ...value.split('\n').map((line) => `  ${harmless(line)}`)]
  return [
    ...context.fields([
      ['advisory', view.id],
      ['name', view.name ?? 'none until it is published'],
      ['title', harmless(view.title)],
      ['state', view.state],
      ['revision', `${view.revision}`],
      ['case', view.caseId],
      ['edited by', view.editedBy],
      ['reviewed by', view.reviewedBy ?? undefined],
      ['severity', describeScore(view.score)],
      ['identifiers', content.ids.map(harmless).join(', ') || undefined],
      ...content.affected.map((one): [string, string] => [
        'affected',
        `${harmless(describeReleases(one))}${one.fixed === null ? ', no fix yet' : ''}`,
      ]),
      ...content.references.map(({ title, url }): [string, string] => [
        'reference',
        `${harmless(title)}: ${harmless(url)}`,
      ]),
      ...content.credits.map((credit): [string, string] => ['thanks', harmless(credit)]),
    ]),
    ...text('summary', content.summary),
    ...text('description', content.description),
    ...text('action', content.action),
    ...text('workaround', content.workaround),
    ...view.versions.flatMap(({ version, at, what, publishedBy, isWithdrawal }) => [
      ...(version === 1 ? [''] : []),
      `version ${version}, ${at}, by ${publishedBy}${isWithdrawal ? ', withdrawal' : ''}: ${harmless(what)}`,
    ]),
  ]
}
