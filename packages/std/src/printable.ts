/**
 * Shows text of unknown origin to people. Whatever could steer a terminal, turn the direction of
 * writing, or be present without being seen is written as `\u{…}`, so that two different texts
 * never look the same for such a reason.
 */

/**
 * Characters to write out, in this order: controls, formatting, private and unassigned characters;
 * those that Unicode says to draw as nothing (the Hangul fillers and variation selectors among
 * them); separators of lines; blanks other than the space; the empty Braille pattern.
 */
const unseen = /[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\u2800]|(?! )\p{Zs}/gu

/** Writes out every character of the text that would be invisible or misleading. */
export function printable(text: string): string {
  return writeOut(text, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

/** Replaces every character of the text that would be invisible or misleading. */
export function writeOut(text: string, how: (character: string) => string): string {
  return text.replace(unseen, how)
}

/**
 * JSON of the same value, whose texts hold no character that `printable` would write out: it can
 * only lie within them, where JSON has a spelling for it. Line ends between values stay.
 */
export function printableJson(json: string): string {
  return writeOut(json, (character) => (character === '\n' ? character : escapeUnits(character)))
}

const escapeUnits = (character: string) =>
  Array.from({ length: character.length }, (_, i) => {
    const unit = character.charCodeAt(i).toString(16).padStart(4, '0')
    return `\\u${unit}`
  }).join('')

/**
 * The beginning of the text, at most `lengthMax` UTF-16 units of it. It never ends in the first
 * half of a character of two: such a text can be neither stored nor signed.
 */
export function cutText(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text
  const last = text.charCodeAt(lengthMax - 1)
  const isHalf = last >= 0xd800 && last <= 0xdbff
  return text.slice(0, isHalf ? lengthMax - 1 : lengthMax)
}

/** The most characters of a name that `quoted` shows. */
const quotedMax = 128

/**
 * A name from elsewhere within a sentence: in quotation marks that it cannot close, cut off where
 * it is long, and with runs of blanks written out, so that nothing in it passes for what stands
 * around it. Facts that decide stand before it.
 */
export function quoted(name: string): string {
  const characters = Array.from(name)
  const shown = characters.slice(0, quotedMax).join('')
  const inner = printable(shown)
    .replaceAll('"', String.raw`\u{22}`)
    .replaceAll(/ {2,}/g, (run) => String.raw` \u{20}*${run.length - 1}`)
  return `"${inner}${characters.length > quotedMax ? '…' : ''}"`
}
