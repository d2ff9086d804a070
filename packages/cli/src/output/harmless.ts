/**
 * The last gate before a terminal. Code that makes a line cleans what came from elsewhere; anything
 * it forgot is stopped here. Only our own colours pass.
 */
import { printable } from '@seaworthy/std/printable'
import { paintCodes } from './paint.ts'

const ownColours = new RegExp(`(\\u001b\\[(?:${paintCodes.join('|')})m)`)

/** The line with everything that could steer a terminal written out, except our own colours. */
export function harmlessLine(line: string): string {
  return line
    .split(ownColours)
    .map((piece, i) => (i % 2 === 1 ? piece : printable(piece)))
    .join('')
}

/** A table for spreadsheets, in which nothing could steer a terminal; its line ends stay. */
export function harmlessCsv(text: string): string {
  return text
    .split('\r\n')
    .map((line) => printable(line))
    .join('\r\n')
}
