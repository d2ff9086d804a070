/** JSON lines over a pair of byte streams: bounded, one message a line. */
import { parseAnyJson } from '@seaworthy/std/json'
import { Refusal } from '@seaworthy/std/refusal'
import { createByteCollector, utf8Encode } from '@seaworthy/std/bytes'
import type { HandoverRefusal } from '../refusals.ts'
import { malformed, messageBytesMax } from './messages.ts'

/** The other end of a pipe. */
export interface Pipe {
  incoming: AsyncIterable<Uint8Array>
  write(bytes: Uint8Array): void
}

export function encodeMessage(message: unknown): Uint8Array {
  return utf8Encode(`${JSON.stringify(message)}\n`)
}

/**
 * The messages that arrive. Throws `Refusal<HandoverRefusal>` at the first line that is too long or
 * not JSON: after that nothing more is read, since sender and reader no longer agree where a
 * message begins.
 */
export async function* readMessages(
  incoming: AsyncIterable<Uint8Array>,
  bytesMax = messageBytesMax,
): AsyncGenerator {
  const rest = createByteCollector()
  for await (const piece of incoming) {
    let from = 0
    for (;;) {
      const end = piece.indexOf(0x0a, from)
      const part = piece.subarray(from, end === -1 ? undefined : end)
      if (rest.length + part.length > bytesMax) {
        throw new Refusal<HandoverRefusal>(
          'message_too_long',
          `a message has at most ${bytesMax} bytes`,
        )
      }
      rest.add(part)
      if (end === -1) break
      const line = rest.take()
      from = end + 1
      yield parseLine(line)
    }
  }
}

function parseLine(line: Uint8Array): unknown {
  try {
    return parseAnyJson(line)
  } catch (cause) {
    throw malformed('not a JSON line', cause)
  }
}
