/** The terminal at the other end of stdin: hidden input and questions. Answers go to no log. */
import { createInterface } from 'node:readline'
import type { ReadStream } from 'node:tty'
import type { Prompt, Screen } from './ports.ts'
import { CliError } from './failure.ts'

/** Questions go to the error stream, so that piped output stays data. */
export function createPrompt(input: ReadStream, screen: Screen): Prompt {
  return {
    isInteractive: input.isTTY === true && screen.isTerminal,
    async askSecrets(questions) {
      const secrets: string[] = []
      input.setRawMode(true)
      try {
        for (const question of questions) {
          screen.write(question)
          secrets.push(await readHidden(input))
          screen.write('\n')
        }
      } finally {
        input.setRawMode(false)
      }
      return secrets
    },
    async askYesNo(question) {
      screen.write(`${question} [y/N] `)
      const lines = createInterface({ input, terminal: false })
      try {
        for await (const line of lines) return /^y(es)?$/i.test(line.trim())
        return false
      } finally {
        lines.close()
      }
    },
  }
}

const secretLengthMax = 4096

/**
 * One line in raw mode, nothing echoed; Ctrl-C and Ctrl-D give up. What was typed behind it is put
 * back for the next question. The raw mode stays: whoever asks ends it.
 */
function readHidden(input: ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const end = (act: () => void) => {
      input.off('data', onChunk)
      input.pause()
      act()
    }
    const onChunk = (chunk: Buffer) => {
      const characters = Array.from(chunk.toString('utf8'))
      for (const [i, character] of characters.entries()) {
        if (character === '\r' || character === '\n') {
          return end(() => {
            const rest = characters.slice(i + 1).join('')
            if (rest !== '') input.unshift(Buffer.from(rest))
            resolve(text)
          })
        }
        if (character === '\u0003' || character === '\u0004') {
          return end(() => reject(new CliError('failed', 'interrupted')))
        }
        if (character === '\u007f' || character === '\b')
          text = Array.from(text).slice(0, -1).join('')
        else if (text.length < secretLengthMax) text += character
      }
    }
    input.resume()
    input.on('data', onChunk)
  })
}
