/**
 * Text of unknown origin as people can look at it: whatever could steer a terminal, turn the direction of writing, or be there
 * without being seen is shown as `\u{…}`, so that two different texts never look the same for such a reason.
 */

/**
 * In this order: controls, formatting, private and unassigned characters; those that Unicode says to draw as nothing (the Hangul
 * fillers and variation selectors among them); separators of lines; blanks other than the space; the empty Braille pattern.
 */
const unseen = /[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\u2800]|(?! )\p{Zs}/gu

/** The text with everything that cannot be seen as it is written out. */
export function printable(text: string): string {
  return text.replace(unseen, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}
