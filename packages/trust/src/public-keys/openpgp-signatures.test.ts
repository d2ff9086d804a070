import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8Encode } from '@seaworthy/std/bytes'
import { generateSigner } from '../keys/index.ts'
import { makeOpenPgpKey, signOpenPgp, verifyOpenPgp } from './index.ts'

const at = new Date('2026-03-01T12:00:00Z')
const document = utf8Encode('{"a": "document"}\n')

async function makeKey() {
  const signer = await generateSigner('ed25519')
  return { signer, publicKey: await makeOpenPgpKey({ signer, userId: 'Harbour Works', at }), at }
}

const refused = (code: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, code, String(error))
  return true
}

test('R5 attack: a signature over other bytes, by another key, of another form or with another time counts for nothing', async () => {
  const [key, other] = [await makeKey(), await makeKey()]
  const { publicKey } = key
  const signature = await signOpenPgp(key, 'bytes', document)
  assert.deepEqual(await verifyOpenPgp({ publicKey, signature }, 'bytes', document), at)
  const wrong = refused('openpgp_signature_wrong')
  const changed = utf8Encode('{"a": "Document"}\n')
  await assert.rejects(verifyOpenPgp({ publicKey, signature }, 'bytes', changed), wrong)
  await assert.rejects(verifyOpenPgp({ publicKey, signature }, 'text', document), wrong)
  const theirs = { publicKey: other.publicKey, signature }
  await assert.rejects(verifyOpenPgp(theirs, 'bytes', document), wrong)
  await assert.rejects(
    signOpenPgp({ ...key, publicKey: other.publicKey }, 'bytes', document),
    refused('public_key_unusable'),
  )
  await assert.rejects(
    makeOpenPgpKey({ signer: await generateSigner('p256'), userId: 'x', at }),
    refused('public_key_unusable'),
  )
})

test('R5 attack: what is no single armoured signature is refused by name', async () => {
  const key = await makeKey()
  const { publicKey } = key
  const signature = await signOpenPgp(key, 'bytes', document)
  for (const text of [
    '',
    publicKey,
    `${signature}${signature}`,
    signature.slice(0, -40),
    'x'.repeat(10_001),
  ]) {
    await assert.rejects(
      verifyOpenPgp({ publicKey, signature: text }, 'bytes', document),
      refused('openpgp_signature_malformed'),
    )
  }
})

test('R5 attack: whatever bytes of a signature are changed, it is refused by name or says the same (property)', async () => {
  const key = await makeKey()
  const { publicKey } = key
  const signature = await signOpenPgp(key, 'bytes', document)
  const lines = signature.trim().split('\n')
  const bytes = Buffer.from(lines.slice(2, -1).join(''), 'base64')
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (i, by) => {
      const changed = Buffer.from(bytes)
      changed[i]! ^= by
      const text = `${lines[0]}\n\n${changed.toString('base64')}\n${lines.at(-1)}`
      const told = await verifyOpenPgp({ publicKey, signature: text }, 'bytes', document).catch(
        (error: unknown) => {
          assert.match(String((error as { code?: string }).code), /^openpgp_signature_/)
          return undefined
        },
      )
      if (told !== undefined) assert.deepEqual(told, at)
    }),
    { numRuns: 500, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false },
  )
})
