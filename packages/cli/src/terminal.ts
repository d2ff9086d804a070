/** The terminal at the other end of stdin: hidden input and questions. Answers go to no log. */
import { createInterface } from 'node:readline'
import { StringDecoder } from 'node:string_decoder'
import type { ReadStream } from 'node:tty'
import type { Prompt, Screen } from './ports.ts'
import { CliError } from './failure.ts'

/** Questions go to the error stream, so that piped output stays data. */
export function createPrompt(input: ReadStream, screen: Screen): Prompt {
  return {
    isInteractive: input.isTTY === true && screen.isTerminal,
    async askSecrets(questions, check) {
      const secrets: string[] = []
      input.setRawMode(true)
      try {
        for (const question of questions) {
          screen.write(question)
          const answer = await readHidden(input)
          screen.write('\n')
          check?.(answer)
          secrets.push(answer)
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

/**
 * This is beyond every limit on secrets, so that the caller refuses a longer one instead of using
 * its beginning.
 */
const secretLengthMax = 16_384

/**
 * One line in raw mode, nothing echoed; Ctrl-C and Ctrl-D give up. What was typed after it is put
 * back for the next question. Raw mode stays on until the caller ends it.
 */
function readHidden(input: ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    // A character may come in two pieces.
    const decoder = new StringDecoder('utf8')
    const end = (act: () => void) => {
      input.off('data', onChunk)
      input.pause()
      act()
    }
    const onChunk = (chunk: Buffer) => {
      const at = chunk.findIndex((byte) => byte === 0x0d || byte === 0x0a)
      for (const character of decoder.write(at < 0 ? chunk : chunk.subarray(0, at))) {
        if (character === '\u0003' || character === '\u0004') {
          return end(() =>
            reject(new CliError('failed', 'interrupted', { wayOut: 'Nothing was done.' })),
          )
        }
        if (character === '\u007f' || character === '\b')
          text = Array.from(text).slice(0, -1).join('')
        else if (text.length < secretLengthMax) text += character
      }
      if (at < 0) return
      end(() => {
        if (at + 1 < chunk.length) input.unshift(chunk.subarray(at + 1))
        resolve(text)
      })
    }
    input.resume()
    input.on('data', onChunk)
  })
}
