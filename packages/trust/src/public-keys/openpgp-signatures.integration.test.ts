/** GnuPG reads our OpenPGP signatures, and we its own; hostile ones are refused by name. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { findProgram, skipWithout } from '@seaworthy/std/testing/programs'
import { generateSigner } from '../keys/index.ts'
import { cleartextOf, makeOpenPgpKey, parsePublicKey, signOpenPgp, verifyOpenPgp } from './index.ts'

const at = new Date('2026-03-01T12:00:00Z')
const document = '{"a": "document"}\n'

/** GnuPG with a home of its own. */
function createGpg(t: TestContext) {
  const home = mkdtempSync(join(tmpdir(), 'seaworthy-gpg-'))
  // The agent of this home ends when its socket is gone.
  t.after(() => rmSync(home, { recursive: true, force: true }))
  const file = (name: string) => join(home, name)
  return {
    file,
    write: (name: string, text: string) => writeFileSync(file(name), text),
    run: (...args: string[]) =>
      execFileSync(
        findProgram('gpg')!,
        ['--homedir', home, '--batch', '--passphrase', '', '--no-tty', ...args],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      ),
  }
}

test('R5 GnuPG imports our certificate and verifies our signatures, detached and around a text', async (t) => {
  if (skipWithout(t, 'gpg')) return
  const gpg = createGpg(t)
  const signer = await generateSigner('ed25519')
  const userId = 'Harbour Works <security@harbour.example>'
  const publicKey = await makeOpenPgpKey({ signer, userId, at })
  const { fingerprint } = await parsePublicKey(publicKey)
  gpg.write('key.asc', publicKey)
  gpg.run('--import', gpg.file('key.asc'))
  const listed = gpg.run('--with-colons', '--list-keys')
  assert.match(listed, new RegExp(`^fpr:+${fingerprint}:`, 'm'))
  assert.match(listed, /^uid:.*Harbour Works <security@harbour\.example>:/m)

  gpg.write('document', document)
  // The numbers of a signature have another length once in some hundred.
  for (let i = 0; i < 20; i++) {
    const text = `${document}${i}`
    gpg.write('document', text)
    const signature = await signOpenPgp({ signer, publicKey, at }, 'bytes', utf8Encode(text))
    gpg.write('document.asc', signature)
    gpg.run('--verify', gpg.file('document.asc'), gpg.file('document'))
    const signed = { publicKey, signature }
    assert.deepEqual(await verifyOpenPgp(signed, 'bytes', utf8Encode(text)), at)
  }
  gpg.write('document', 'another one')
  assert.throws(() => gpg.run('--verify', gpg.file('document.asc'), gpg.file('document')))

  const text =
    'Contact: mailto:a@b.example\n-----: a line that begins as armour does  \nEnd: here\n'
  const signature = await signOpenPgp({ signer, publicKey, at }, 'text', utf8Encode(text))
  gpg.write('text.asc', cleartextOf(text, signature))
  gpg.run('--verify', gpg.file('text.asc'))
  assert.deepEqual(await verifyOpenPgp({ publicKey, signature }, 'text', utf8Encode(text)), at)
})

test('R5 signatures that GnuPG makes with Ed25519 and RSA keys are verified', async (t) => {
  if (skipWithout(t, 'gpg')) return
  const gpg = createGpg(t)
  gpg.write('document', document)
  for (const kind of ['ed25519', 'rsa3072']) {
    gpg.run('--quick-generate-key', `${kind}@harbour.example`, kind, 'sign', 'never')
    const publicKey = gpg.run('--armor', '--export', `${kind}@harbour.example`)
    for (const hash of ['SHA256', 'SHA512']) {
      const options = ['--digest-algo', hash, '--local-user', `${kind}@harbour.example`, '--yes']
      const output = ['--output', gpg.file('document.asc')]
      gpg.run(...options, '--armor', '--detach-sign', ...output, gpg.file('document'))
      const signature = readFileSync(gpg.file('document.asc'), 'utf8')
      const signed = { publicKey, signature }
      const made = await verifyOpenPgp(signed, 'bytes', utf8Encode(document))
      assert.ok(Math.abs(made.getTime() - Date.now()) < 600_000)
      const other = utf8Encode(document.toUpperCase())
      await assert.rejects(verifyOpenPgp(signed, 'bytes', other), {
        code: 'openpgp_signature_wrong',
      })
    }
  }
})
