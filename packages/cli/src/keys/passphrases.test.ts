import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { ReadStream } from 'node:tty'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { createPrompt } from '../terminal.ts'
import { recordScreen, testPorts } from '../testing/ports.ts'
import { createPassphraseSource } from './key-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'seaworthy-passphrases-'))
after(() => rmSync(folder, { recursive: true }))

/** A terminal whose user types these bytes, which arrive in pieces of any size. */
function typing(bytes: Buffer, cuts: readonly number[]) {
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined })
  const places = [0, ...cuts.map((cut) => cut % bytes.length), bytes.length].toSorted(
    (a, b) => a - b,
  )
  for (let i = 1; i < places.length; i++) input.write(bytes.subarray(places[i - 1], places[i]))
  return createPrompt(input as unknown as ReadStream, { ...recordScreen(), isTerminal: true })
}

function readFrom(
  way: 'file' | 'environment' | 'prompt',
  text: string,
  cuts: readonly number[] = [],
) {
  const file = join(folder, 'passphrase')
  if (way === 'file') writeFileSync(file, text)
  const environment = way === 'environment' ? { SEAWORTHY_PASSPHRASE: text } : {}
  const prompt = way === 'prompt' ? { prompt: typing(Buffer.from(text), cuts) } : {}
  const ports = testPorts({ environment, ...prompt })
  return createPassphraseSource(ports, way === 'file' ? [file] : undefined).read('key')
}

/** Text that a user can type: it has no control characters. */
const typed = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
  .filter((text) => !/[\p{Cc}\uFFFD]|^\uFEFF/u.test(text) && text.isWellFormed())

test('a passphrase is the same bytes from a file, the environment and the prompt, however it ends and comes (property)', async () => {
  await fc.assert(
    fc.asyncProperty(
      typed,
      fc.constantFrom('\n', '\r\n', '\r', '\nmore\n'),
      fc.array(fc.nat(), { maxLength: 8 }),
      async (text, end, cuts) => {
        assert.equal(await readFrom('file', text), text)
        assert.equal(await readFrom('environment', text), text)
        assert.equal(await readFrom('file', `${text}${end}`), text)
        assert.equal(await readFrom('environment', `${text}${end}`), text)
        assert.equal(await readFrom('prompt', `${text}${end}`, cuts), text)
        assert.equal(await readFrom('file', `\uFEFF${text}`), text)
        assert.equal(await readFrom('environment', `\uFEFF${text}`), text)
      },
    ),
    { numRuns: 60 },
  )
})

test('a passphrase that is empty, too long or no UTF-8 is refused in each way, and never cut', async () => {
  const long = 'ü'.repeat(2049)
  for (const way of ['file', 'environment', 'prompt'] as const) {
    await assert.rejects(readFrom(way, `${long}\n`), /longer than 4096 bytes/, way)
    assert.equal(await readFrom(way, `${'ü'.repeat(2048)}\n`), 'ü'.repeat(2048))
    if (way !== 'prompt') await assert.rejects(readFrom(way, '\nsecond'), /is empty/, way)
    await assert.rejects(readFrom(way, 'broken \uFFFD here\n'), /not UTF-8/, way)
  }
  const file = join(folder, 'latin1')
  writeFileSync(file, Buffer.from('caf\u00e9', 'latin1'))
  await assert.rejects(
    createPassphraseSource(testPorts(), [file]).read('key'),
    /latin1: .*not UTF-8/,
  )
})
