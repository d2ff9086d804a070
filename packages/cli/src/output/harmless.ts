/**
 * The last gate before a terminal. Code that makes a line cleans what came from elsewhere; anything
 * it forgot is stopped here. Only our own colours pass.
 */
import { printable, writeOut } from '@seaworthy/std/printable'
import { paintCodes } from './paint.ts'

const ownColours = new RegExp(`(\\u001b\\[(?:${paintCodes.join('|')})m)`)

/** The line with everything that could steer a terminal written out, except our own colours. */
export function harmlessLine(line: string): string {
  return line
    .split(ownColours)
    .map((piece, i) => (i % 2 === 1 ? piece : printable(piece)))
    .join('')
}

/** JSON of the same value, in which nothing could steer a terminal. */
export function harmlessJson(text: string): string {
  return writeOut(text, (character) => (character === '\n' ? character : escape(character)))
}

const escape = (character: string) =>
  Array.from({ length: character.length }, (_, i) => {
    const unit = character.charCodeAt(i).toString(16).padStart(4, '0')
    return `\\u${unit}`
  }).join('')
