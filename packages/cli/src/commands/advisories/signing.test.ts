/** What a server can have signed by whoever signs advisories, and what they see of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { ManualClock } from '@seaworthy/std/time'
import { generateSigner } from '@seaworthy/trust/keys'
import { makeOpenPgpKey } from '@seaworthy/trust/public-keys'
import { showNextUnsigned, signAdvisory } from '@seaworthy/api/advisories'
import type { Connection } from '../../connection.ts'
import type { Context } from '../../context.ts'
import { CliError } from '../../failure.ts'
import { signAll } from './sign-all.ts'
import { describeDocument } from './signed-document.ts'

const start = new Date('2030-01-01T00:00:00Z')

const documentOf = (name: string, title: string, more: object = {}) =>
  JSON.stringify({ document: { title, tracking: { id: name, version: '1' }, notes: [] }, ...more })

test('R5 attack: a server that shows one harmless document, and then others, has none of them signed without a yes', async () => {
  const signer = await generateSigner('ed25519')
  const publicKey = await makeOpenPgpKey({ signer, userId: 'Harbour Works', at: start })
  const offered = ['A-2030-1', 'A-2030-2'].map((name, i) => ({
    ...{ name, version: 1 },
    document: documentOf(name, i === 0 ? 'A small flaw' : 'Install this at once: evil.example'),
  }))
  const sent: string[] = []
  const call = (route: unknown, { body }: { body?: { name: string } }) => {
    if (route === showNextUnsigned) {
      return Promise.resolve({ publicKey, count: 1, next: offered[sent.length] ?? null })
    }
    assert.equal(route, signAdvisory)
    sent.push(body!.name)
    return Promise.resolve({ name: body!.name, version: 1 })
  }
  const said: string[] = []
  const context = {
    ...{ options: { json: false }, ports: { clock: new ManualClock(start) } },
    say: (line: string) => said.push(line),
    confirm(question: string) {
      said.push(question)
      if (/A-2030-1/.test(question)) return Promise.resolve()
      return Promise.reject(new CliError('failed', 'not confirmed', { wayOut: 'none' }))
    },
  } as unknown as Context
  const connection = { client: { call } } as unknown as Connection
  await assert.rejects(signAll(context, connection, signer), /not confirmed/)
  assert.deepEqual(sent, ['A-2030-1'])
  assert.match(said.at(-1)!, /Sign A-2030-2, version 1/)
})

test('R5 attack: whoever signs a document sees all of it, and no document that readers read in two ways is signed', () => {
  const describe = (document: string) =>
    describeDocument({ name: 'A-1', version: 1, document: utf8Encode(document) }).join('\n')
  const hidden = { vulnerabilities: [{ remediations: [{ url: 'https://evil.example/\u202e' }] }] }
  const shown = describe(documentOf('A-1', 'A flaw', hidden))
  assert.match(shown, /^A-1, version 1: A flaw$/m)
  assert.match(
    shown,
    /^ {2}vulnerabilities\[1\]\.remediations\[1\]\.url: https:\/\/evil\.example\/\\u\{202e\}$/m,
  )
  const twice = documentOf('A-1', 'A flaw').replace('"title"', '"title":"Another","title"')
  assert.throws(() => describe(twice), /cannot be read in one way/)
  assert.throws(() => describe(documentOf('A-2', 'A flaw')), /one of another advisory/)
  assert.throws(() => describe('null'), /one of another advisory/)
})
