import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8Encode } from '@seaworthy/std/bytes'
import {
  formatTreeHead,
  parseTreeHead,
  signCheckpoint,
  type TreeHead,
  verifyCheckpoint,
} from './checkpoint.ts'
import {
  createNoteKey,
  formatCosignature,
  formatNoteKey,
  noteBytesMax,
  parseNoteKey,
  signNote,
  verifyNote,
} from './note.ts'
import { createTestSigner, sha256 } from './testing.ts'

const code = (expected: string) => (error: Error & { code?: string }) => error.code === expected

/** The example of the signed-note specification. */
const exampleKey = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'
const exampleNote = utf8Encode(
  'This is an example message.\n\n' +
    '— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n',
)

const head: TreeHead = { origin: 'log.example/1', size: 42, root: sha256(utf8Encode('tree')) }
const at = new Date(1_800_000_000_000)

test('the example of the specification verifies', async () => {
  const note = await verifyNote(exampleNote, [await parseNoteKey(exampleKey)])
  assert.equal(note.text, 'This is an example message.\n')
  assert.deepEqual(
    note.signatures.map((s) => s.key.name),
    ['example.com/foo'],
  )
})

test('T9 forged note: no single flipped bit of text, name or signature goes through', async () => {
  const key = await parseNoteKey(exampleKey)
  for (let bit = 0; bit < exampleNote.length * 8; bit += 1) {
    const flipped = exampleNote.slice()
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    await assert.rejects(
      verifyNote(flipped, [key]),
      (error: Error & { code?: string }) =>
        error.code === 'note_malformed' || error.code === 'checkpoint_signature',
      `bit ${bit}`,
    )
  }
})

test('a key’s text form goes there and back, and a damaged one is refused', async () => {
  assert.equal(formatNoteKey(await parseNoteKey(exampleKey)), exampleKey)
  for (const text of [
    '',
    'name',
    exampleKey.replace('530d903a', '530d903b'),
    exampleKey.replace('530d903a', '530D903A'),
    exampleKey.replace('+Aek', '+Bek'),
    exampleKey.replace('example.com', 'example .com'),
    exampleKey.replace('3U2k', '3U2'),
    `${exampleKey}\n`,
    `x+${exampleKey}`,
  ]) {
    await assert.rejects(parseNoteKey(text), code('log_key_malformed'), text)
  }
  for (const name of ['', 'a b', 'a+b', 'a\u2003b', 'a\nb', 'a\u0085b']) {
    const publicKey = new Uint8Array(32)
    await assert.rejects(createNoteKey(name, 'ed25519', publicKey), code('log_key_malformed'))
  }
})

test('unknown keys are passed over, also with the name or the id of a known one', async () => {
  const [log, other, namesake] = await Promise.all([
    createTestSigner('log'),
    createTestSigner('other'),
    createTestSigner('log'),
  ])
  const note = utf8Encode(await signNote('text\n', [other, namesake, log]))
  const verified = await verifyNote(note, [log.key])
  assert.deepEqual(
    verified.signatures.map((s) => s.key),
    [log.key],
  )
  const stranger = await createTestSigner('stranger')
  await assert.rejects(verifyNote(note, [stranger.key]), code('checkpoint_signature'))
})

test('T9 forged note: a wrong signature of a known key spoils the note, whoever else signed', async () => {
  const [log, mirror] = await Promise.all([createTestSigner('log'), createTestSigner('mirror')])
  const good = await signNote('text\n', [log])
  const bad = (await signNote('other text\n', [mirror])).split('\n').at(-2)!
  const note = utf8Encode(`${good}${bad}\n`)
  await assert.rejects(verifyNote(note, [log.key, mirror.key]), code('checkpoint_signature'))
  assert.equal((await verifyNote(note, [log.key])).text, 'text\n')
})

test('sixteen signatures and more are accepted, one key counts once, a flood is refused', async () => {
  const signers = await Promise.all(
    Array.from({ length: 40 }, (_, i) => createTestSigner(`signer-${i}`)),
  )
  const keys = signers.map((s) => s.key)
  const note = await signNote('text\n', signers)
  assert.equal((await verifyNote(utf8Encode(note), keys)).signatures.length, 40)
  const line = note.split('\n').at(-2)!
  const twice = utf8Encode(`${note}${line}\n`)
  assert.equal((await verifyNote(twice, keys)).signatures.length, 40)
  const flood = utf8Encode(note + `${line}\n`.repeat(100))
  await assert.rejects(verifyNote(flood, keys), code('note_malformed'))
  const huge = new Uint8Array(noteBytesMax + 1)
  await assert.rejects(verifyNote(huge, keys), code('note_malformed'))
})

test('notes of the wrong form are refused', async () => {
  const signer = await createTestSigner('log')
  const line = (await signNote('text\n', [signer])).split('\n').at(-2)!
  for (const note of [
    '',
    '\n',
    '\n\n',
    'text\n',
    'text\n\n',
    `text\n\n${line}`,
    `text\n${line}\n`,
    `\n\n${line}\n`,
    `te\rxt\n\n${line}\n`,
    `te\0xt\n\n${line}\n`,
    `te\txt\n\n${line}\n`,
    `text\n\n${line.replace('—', '-')}\n`,
    `text\n\n${line.replace(' log ', '  log ')}\n`,
    `text\n\n${line} \n`,
    `text\n\n— log AAAA\n`,
    `text\n\n— log !!!!\n`,
    `text\n\n${line}\nrest\n`,
  ]) {
    await assert.rejects(
      verifyNote(utf8Encode(note), [signer.key]),
      code('note_malformed'),
      JSON.stringify(note),
    )
  }
  const notUtf8 = new Uint8Array([0xff, ...utf8Encode(`\n\n${line}\n`)])
  await assert.rejects(verifyNote(notUtf8, [signer.key]), code('note_malformed'))
})

test('any bytes are a note or are refused by code', async () => {
  const key = await parseNoteKey(exampleKey)
  const piece = fc.constantFrom('\n', '\n\n', '— ', 'a', ' ', 'Uw2QOkn8', '=', '\0', '+', 'é')
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (pieces) => {
      await assert.rejects(
        verifyNote(utf8Encode(pieces.join('')), [key]),
        (error: Error & { code?: string }) =>
          error.code === 'note_malformed' || error.code === 'checkpoint_signature',
      )
    }),
    { numRuns: 1000 },
  )
})

test('a tree head goes there and back; other texts are refused', () => {
  assert.deepEqual(parseTreeHead(formatTreeHead(head)), {
    ...head,
    root: new Uint8Array(head.root),
  })
  const [origin, size, root] = formatTreeHead(head).split('\n')
  assert.equal(parseTreeHead(`${origin}\n${size}\n${root}\nextension\n`).size, 42)
  for (const text of [
    '',
    '\n\n\n',
    `${origin}\n${size}\n${root}`,
    `${origin}\n${size}\n`,
    `\n${size}\n${root}\n`,
    `${origin}\n042\n${root}\n`,
    `${origin}\n-1\n${root}\n`,
    `${origin}\n1e3\n${root}\n`,
    `${origin}\n9007199254740992\n${root}\n`,
    `${origin}\n99999999999999999999\n${root}\n`,
    `${origin}\n${size}\n${root!.slice(4)}\n`,
    `${origin}\n${size}\n${root!.replace('=', '')}\n`,
    `${origin}\n${size}\n${root}\n\n`,
    `${origin}\n${size}\n${root}\nx\n\ny\n`,
  ]) {
    assert.throws(() => parseTreeHead(text), code('checkpoint_malformed'), JSON.stringify(text))
  }
})

test('a checkpoint counts when the log’s key signed it and it is that log’s', async () => {
  const [log, stranger] = await Promise.all([createTestSigner('log'), createTestSigner('x')])
  const policy = { origin: head.origin, logKeys: [log.key], witnesses: [], witnessesMin: 0 }
  const note = utf8Encode(await signCheckpoint(head, [log]))
  const checkpoint = await verifyCheckpoint(note, policy)
  assert.deepEqual([checkpoint.size, checkpoint.cosignatures], [42, []])
  await assert.rejects(
    verifyCheckpoint(note, { ...policy, origin: 'log.example/2' }),
    code('checkpoint_origin'),
  )
  const forged = utf8Encode(await signCheckpoint(head, [stranger]))
  await assert.rejects(verifyCheckpoint(forged, policy), code('checkpoint_signature'))
  const noCheckpoint = utf8Encode(await signNote('hello\n', [log]))
  await assert.rejects(verifyCheckpoint(noCheckpoint, policy), code('checkpoint_malformed'))
})

test('the log’s key may change: a checkpoint with the signatures of both is for old and new clients', async () => {
  const [old, next] = await Promise.all([createTestSigner('log'), createTestSigner('log')])
  const note = utf8Encode(await signCheckpoint(head, [old, next]))
  for (const logKeys of [[old.key], [next.key], [old.key, next.key]]) {
    const policy = { origin: head.origin, logKeys, witnesses: [], witnessesMin: 0 }
    assert.equal((await verifyCheckpoint(note, policy)).size, 42)
  }
})

test('witnesses: their word carries its time, is counted by key, and stands for the log’s in nothing', async () => {
  const log = await createTestSigner('log')
  const [w1, w2] = await Promise.all([
    createTestSigner('w1', 'cosignature'),
    createTestSigner('w2', 'cosignature'),
  ])
  const witnesses = [w1.key, w2.key]
  const policy = { origin: head.origin, logKeys: [log.key], witnesses, witnessesMin: 2 }
  const signed = await signCheckpoint(head, [log])
  const text = formatTreeHead(head)
  const line1 = await formatCosignature(text, w1, at)
  const line2 = await formatCosignature(text, w2, at)
  const checkpoint = await verifyCheckpoint(utf8Encode(signed + line1 + line2), policy)
  assert.deepEqual(checkpoint.cosignatures, [
    { name: 'w1', signedAt: at },
    { name: 'w2', signedAt: at },
  ])
  for (const lines of [line1, line1 + line1]) {
    await assert.rejects(
      verifyCheckpoint(utf8Encode(signed + lines), policy),
      code('witness_quorum'),
    )
  }
  const otherText = formatTreeHead({ ...head, size: 41 })
  const lie = await formatCosignature(otherText, w2, at)
  await assert.rejects(
    verifyCheckpoint(utf8Encode(signed + line1 + lie), policy),
    code('checkpoint_signature'),
  )
  await assert.rejects(
    verifyCheckpoint(utf8Encode(`${text}\n${line1}${line2}`), policy),
    code('checkpoint_signature'),
  )
})

test('T9 one key as two witnesses: distinct keys are counted, not names', async () => {
  const log = await createTestSigner('log')
  const w1 = await createTestSigner('w1', 'cosignature')
  const alias = {
    key: await createNoteKey('w2', 'cosignature', w1.key.publicKey),
    sign: w1.sign.bind(w1),
  }
  const text = formatTreeHead(head)
  const note =
    (await signCheckpoint(head, [log])) +
    (await formatCosignature(text, w1, at)) +
    (await formatCosignature(text, alias, at))
  const policy = { origin: head.origin, logKeys: [log.key], witnesses: [w1.key, alias.key] }
  await assert.rejects(
    verifyCheckpoint(utf8Encode(note), { ...policy, witnessesMin: 2 }),
    code('witness_quorum'),
  )
})
