/** Reads what a form of the report's pages sends. What is wrong is said in words, not thrown. */
import { cutText } from '@seaworthy/std/printable'
import type { ReportedFlaw } from '../app/cases/index.ts'
import { reportLimits } from '../app/cases/index.ts'
import type { ReportFields } from './report-pages.ts'

type Read<T> = { readonly value: T } | { readonly fault: string }

export interface ReadReport {
  readonly fields: ReportFields
  readonly read: Read<ReportedFlaw>
}

const oneLine = (text: string) => text.replaceAll(/\s+/gu, ' ').trim()
const manyLines = (text: string) => text.replaceAll(/\r\n?/g, '\n').trim()
/** Texts are counted in UTF-16 units, as a browser counts what it lets somebody type. */
const isTooLong = (text: string, max: number) => text.length > max

export function readReportForm(form: URLSearchParams): ReadReport {
  const line = (name: string) => oneLine(form.get(name) ?? '')
  const text = manyLines(form.get('text') ?? '')
  const fields: ReportFields = {
    ...{ title: line('title'), product: line('product'), contact: line('contact') },
    ...{ credit: line('credit'), text, scanner: line('scanner') },
  }
  const fault = findFault(fields)
  const { scanner, ...parts } = fields
  const shown = { ...fields, text: cutText(text, reportLimits.text) }
  if (fault !== undefined) return { fields: shown, read: { fault } }
  return { fields: shown, read: { value: { ...parts, isFromScanner: scanner !== '' } } }
}

function findFault({ title, text, ...lines }: ReportFields): string | undefined {
  if (title === '') return 'Say in one line what is wrong.'
  if (text === '') return 'Describe what happens, and how to see it.'
  if (isTooLong(title, reportLimits.title)) {
    return `The first line may have at most ${reportLimits.title} characters.`
  }
  if (Object.values(lines).some((line) => isTooLong(line, reportLimits.line))) {
    return `Each single line may have at most ${reportLimits.line} characters.`
  }
  return findTextFault(text)
}

export function readReplyForm(form: URLSearchParams): Read<string> {
  const text = manyLines(form.get('text') ?? '')
  const fault = text === '' ? 'Write something first.' : findTextFault(text)
  return fault === undefined ? { value: text } : { fault }
}

function findTextFault(text: string): string | undefined {
  return isTooLong(text, reportLimits.text)
    ? `The text may have at most ${reportLimits.text} characters: cut it, and send the rest as a message later.`
    : undefined
}
