/** Values as words of a command line, as a shell of the POSIX family reads them. */

const plainWord = /^[A-Za-z0-9_@%+=:,./-]+$/

/** The word as it is, or in single quotes where a shell would read something into it. */
function quoteWord(word: string): string {
  return plainWord.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}

/** One line out of the words of a command. */
export function formatCommand(...words: readonly string[]): string {
  return words.map(quoteWord).join(' ')
}
