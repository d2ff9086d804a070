/**
 * What OpenVEX and CSAF have no member for, as a text that people can read and `readReview` reads
 * back: a first line that says what it is, a line for each fact, and the notes after them.
 */
import { formatInstant } from '@seaworthy/std/time'
import type { VexJustification, VexStatement } from './statement.ts'
import { vexJustifications } from './statement.ts'

/** The facts of a statement beside those that every format has. */
export type VexReview = Pick<
  VexStatement,
  'author' | 'evidence' | 'expiresAt' | 'isInherited' | 'notes' | 'statedAt'
> & {
  /** The one meant, where the format has no word for it. */
  readonly justification: VexJustification | null
}

const heading = 'Review'
const labels = {
  author: 'Stated by: ',
  statedAt: 'Stated at: ',
  expiresAt: 'Holds until: ',
  isInherited: 'Inherited by later releases: ',
  justification: 'Justification: ',
  evidence: 'Evidence: ',
  notes: 'Notes:',
} as const

export function writeReview(review: VexReview): string {
  const { author, statedAt, expiresAt, isInherited, justification, evidence, notes } = review
  return [
    heading,
    labels.author + oneLine(author),
    labels.statedAt + formatInstant(statedAt),
    ...(expiresAt === null ? [] : [labels.expiresAt + formatInstant(expiresAt)]),
    ...(isInherited ? [`${labels.isInherited}yes`] : []),
    ...(justification === null ? [] : [labels.justification + justification]),
    ...evidence.map((one) => labels.evidence + oneLine(one)),
    ...(notes === '' ? [] : [labels.notes, notes]),
  ].join('\n')
}

/** A text of somebody else is notes as a whole. */
export function readReview(text: string): Partial<VexReview> & { readonly notes: string } {
  const [first, ...lines] = text.split('\n')
  if (first !== heading) return { notes: text }
  const read: { -readonly [Name in keyof VexReview]?: VexReview[Name] } = {}
  const evidence: string[] = []
  const after = lines.indexOf(labels.notes)
  for (const line of after < 0 ? lines : lines.slice(0, after)) {
    const value = (label: string) =>
      line.startsWith(label) ? severalLines(line.slice(label.length)) : undefined
    const author = value(labels.author)
    const piece = value(labels.evidence)
    const expires = value(labels.expiresAt)
    const stated = value(labels.statedAt)
    if (author !== undefined) read.author = author
    else if (piece !== undefined) evidence.push(piece)
    else if (expires !== undefined && !Number.isNaN(Date.parse(expires))) {
      read.expiresAt = new Date(expires)
    } else if (stated !== undefined && !Number.isNaN(Date.parse(stated))) {
      read.statedAt = new Date(stated)
    } else if (line === `${labels.isInherited}yes`) read.isInherited = true
    else {
      const justification = vexJustifications.find((one) => one === value(labels.justification))
      // A line that none of ours looks like makes the whole a text of somebody else.
      if (justification === undefined) return { notes: text }
      read.justification = justification
    }
  }
  const notes = after < 0 ? '' : lines.slice(after + 1).join('\n')
  return { ...read, evidence, notes }
}

const oneLine = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
const severalLines = (text: string) =>
  text.replaceAll(/\\(.)/g, (_, next: string) => (next === 'n' ? '\n' : next))
