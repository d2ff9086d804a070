/** The command that completion scripts ask for words. */
export const wordsCommand = 'completion-words'
