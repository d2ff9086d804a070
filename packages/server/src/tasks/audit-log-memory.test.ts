import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hexDecode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { generateSigner } from '@seaworthy/trust/keys'
import { createNoteKey, signCheckpoint } from '@seaworthy/trust/tlog'
import type { Db } from '../db/connection.ts'
import { createHealth } from '../app/worker/index.ts'
import { createLogMemory, logMemoryFile, sweepLogMemory } from './audit-log-memory.ts'

const origin = 'seaworthy/1'

async function makeNoteSigner() {
  const signer = await generateSigner('ed25519')
  const key = await createNoteKey(origin, 'ed25519', hexDecode(signer.key.keyval.public))
  return {
    key,
    sign: async (message: Uint8Array) => hexDecode(await signer.sign(new Uint8Array(message))),
  }
}

test('T9 fault: a damaged memory of the log is said to be that, with its file, and accuses nobody', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-memory-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = logMemoryFile(folder)
  const [signer, stranger] = [await makeNoteSigner(), await makeNoteSigner()]
  const health = createHealth(() => undefined)
  // The file is read first: what it cannot tell is not asked of the database.
  const db = new Proxy({} as Db, { get: () => assert.fail('the database was asked') })
  const memory = createLogMemory({ db, health, random: systemRandom }, { signer, origin }, file)
  const whole = await signCheckpoint({ origin, size: 3, root: new Uint8Array(32) }, [signer])
  const foreign = await signCheckpoint({ origin, size: 3, root: new Uint8Array(32) }, [stranger])
  const damages: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['note_malformed', () => writeFile(file, '')],
    ['note_malformed', () => writeFile(file, String(whole).slice(0, 40))],
    ['checkpoint_signature', () => writeFile(file, foreign)],
    ['EISDIR', () => rm(file).then(() => mkdir(file))],
  ]
  for (const [code, damage] of damages) {
    await damage()
    await assert.rejects(memory.compare(), (error: Error) => error.message.includes(file))
    const [problem] = health.problems()
    assert.match(problem!.problem, new RegExp(`^log_memory_damaged: .*\\(${code}\\)`))
    assert.ok(problem!.problem.includes(`remove ${file}`))
    assert.doesNotMatch(problem!.problem, /cut|rewritten|restored/)
  }
})

test('T9 fault: what a killed server left of its memory of the log is removed, and the memory stays', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-memory-'))
  t.after(() => rm(folder, { recursive: true }))
  for (const name of ['', '.00aa11bb.new', '.22cc33dd.new']) {
    await writeFile(`${logMemoryFile(folder)}${name}`, 'a')
  }
  await writeFile(join(folder, 'master.key.new'), 'a')
  await sweepLogMemory(logMemoryFile(folder))
  assert.deepEqual((await readdir(folder)).toSorted(), ['log-checkpoint', 'master.key.new'])
})
