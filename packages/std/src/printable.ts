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
