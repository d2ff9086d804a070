import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import type { Transport } from '@seaworthy/std/http'
import { systemRandom } from '@seaworthy/std/random'
import { systemSleep } from '@seaworthy/std/time'
import type { NoteSigner } from '@seaworthy/trust/tlog'
import {
  appendLeaves,
  createNoteKey,
  emptyLogEdge,
  formatNoteKey,
  hashLeaf,
  signCheckpoint,
} from '@seaworthy/trust/tlog'
import { CliError } from '../failure.ts'
import type { LogSettings } from './audit-log.ts'
import { checkLog } from './audit-log.ts'

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest())

async function createSigner(): Promise<NoteSigner> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32))
  return {
    key: await createNoteKey('log.example', 'ed25519', raw),
    sign: async (message) => new Uint8Array(sign(null, message, privateKey)),
  }
}

/** The files of a log with `count` entries. */
async function serveLog(signer: NoteSigner, count: number, label = 'entry') {
  const leaves = Array.from({ length: count }, (_, i) =>
    hashLeaf(sha256, utf8Encode(`${label} ${i}`)),
  )
  const files = new Map<string, Uint8Array>()
  const { root, tiles } = appendLeaves(sha256, emptyLogEdge, leaves)
  for (const { path, bytes } of tiles) files.set(path, bytes)
  const note = await signCheckpoint({ origin: 'log.example', size: count, root }, [signer])
  files.set('checkpoint', utf8Encode(note))
  return files
}

async function makeClient(t: TestContext, signer: NoteSigner) {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-log-'))
  t.after(() => rm(folder, { recursive: true }))
  let files = new Map<string, Uint8Array>()
  const requests: string[] = []
  const transport: Transport = async ({ url }) => {
    const path = url.slice('https://x/log/'.length)
    requests.push(path)
    const bytes = files.get(path)
    return {
      status: bytes === undefined ? 404 : 200,
      headers: {},
      body: (async function* () {
        if (bytes !== undefined) yield bytes
      })(),
    }
  }
  const settings: LogSettings = {
    url: 'https://x',
    verifierKey: formatNoteKey(signer.key),
    folder,
    transport,
    token: 'sw_x_y',
    random: systemRandom,
    sleep: systemSleep,
    signal: t.signal,
  }
  return {
    folder,
    requests,
    check: async (served: Map<string, Uint8Array>) => {
      files = served
      requests.length = 0
      return await checkLog(settings)
    },
  }
}

test('a log that only grows is believed, at the price of one request while nothing changed', async (t) => {
  const signer = await createSigner()
  const client = await makeClient(t, signer)
  assert.equal(await client.check(new Map()), undefined)
  assert.equal((await client.check(await serveLog(signer, 3)))?.verdict.kind, 'first_seen')
  const grown = await client.check(await serveLog(signer, 700))
  assert.deepEqual(grown?.verdict, { kind: 'extended', added: 697 })
  const same = await client.check(await serveLog(signer, 700))
  assert.equal(same?.verdict.kind, 'unchanged')
  assert.deepEqual(client.requests, ['checkpoint'])
})

test('T9 restored backup: a shorter log is refused, and so is every contact after it', async (t) => {
  const signer = await createSigner()
  const client = await makeClient(t, signer)
  await client.check(await serveLog(signer, 20))
  const older = await serveLog(signer, 19)
  for (let i = 0; i < 2; i++) await assert.rejects(client.check(older), { code: 'log_truncated' })
  await assert.rejects(client.check(new Map()), { code: 'log_truncated' })
  assert.ok((await readdir(client.folder)).includes('checkpoint.contradicting'), 'evidence is kept')
  assert.equal((await client.check(await serveLog(signer, 21)))?.verdict.kind, 'extended')
})

test('T9 rewritten history: other entries at the same or a larger size are refused', async (t) => {
  const signer = await createSigner()
  const client = await makeClient(t, signer)
  await client.check(await serveLog(signer, 20))
  await assert.rejects(client.check(await serveLog(signer, 20, 'other')), { code: 'log_forked' })
  await assert.rejects(client.check(await serveLog(signer, 300, 'other')), { code: 'log_forked' })
})

test('T9 another log: a checkpoint by another key is refused, and the memory may not be swapped', async (t) => {
  const signer = await createSigner()
  const client = await makeClient(t, signer)
  await client.check(await serveLog(signer, 20))
  const stranger = await createSigner()
  await assert.rejects(client.check(await serveLog(stranger, 21)), { code: 'checkpoint_signature' })
  await writeFile(
    join(client.folder, 'checkpoint'),
    (await serveLog(stranger, 1)).get('checkpoint')!,
  )
  await assert.rejects(client.check(await serveLog(signer, 21)), CliError)
})
