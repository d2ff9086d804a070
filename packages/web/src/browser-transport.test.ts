import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readBody } from '@seaworthy/std/http'
import { createBrowserTransport } from './browser-transport.ts'

async function fetchText(text: string, type: string): Promise<string> {
  const bytes = new TextEncoder().encode(text)
  // One byte at a time: characters come apart between pieces.
  const pieces = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
      controller.close()
    },
  })
  const transport = createBrowserTransport(() =>
    Promise.resolve(new Response(pieces, { headers: { 'content-type': type } })),
  )
  const response = await transport({ method: 'GET', url: 'https://ship.example/v1/x' })
  return new TextDecoder().decode(await readBody(response, 10_000))
}

test('A2 attack: a name that turns or hides the text around it reaches a page written out', async () => {
  const name = 'Alice\u{2063} \u{202e}gate\u{e0041}\u{9b}'
  for (const type of ['application/json', 'application/problem+json; charset=utf-8']) {
    const shown = JSON.parse(await fetchText(JSON.stringify({ name, note: 'a\n"b"' }), type))
    assert.deepEqual(shown, {
      name: String.raw`Alice\u{2063} \u{202e}gate\u{e0041}\u{9b}`,
      note: 'a\n"b"',
    })
  }
})

test('an answer of another type stays as it is', async () => {
  assert.equal(await fetchText('a\u{202e}b', 'text/plain'), 'a\u{202e}b')
})
