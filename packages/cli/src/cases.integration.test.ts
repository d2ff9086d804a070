/** A case from the command line: opened, noted, moved, owed and closed. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { createCliUser } from './testing/cli-user.ts'
import { startServer } from './testing/server.ts'

interface ShownCase {
  readonly id: string
  readonly report: string
  readonly entries: readonly { readonly kind: string; readonly text: string }[]
}

test('R2 R3 a flaw that we found ourselves is a case for its readers alone, from its opening to its end', async (t) => {
  const server = await startServer(t)
  const ann = await createCliUser(t, 'ann')
  await ann.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  assert.match(await ann.ok('case', 'list'), /read in to no case/)
  assert.match(await ann.ok('case', 'clock'), /Nothing is owed/)

  await writeFile(ann.file('text'), 'The sluice opens\u001b[2J\nwithout its key.\n')
  const said = ['--file', ann.file('text')]
  assert.match(
    await ann.ok('case', 'open', '--title', 'sluice\u001b[31m', ...said),
    /Opened case_.*Only you are read in/,
  )
  const [{ id }] = await ann.json<[{ id: string }]>('case', 'list')
  const shown = await ann.ok('case', 'show', id)
  assert.match(shown, /sluice\\u\{1b\}\[31m/)
  assert.match(shown, /The sluice opens\\u\{1b\}\[2J\n {2}without its key\./)
  assert.match(await ann.ok('case', 'note', id, ...said), /Noted/)
  assert.match(await ann.fails(3, 'case', 'answer', id, ...said), /case note/)
  assert.match(await ann.fails(2, 'case', 'state', id, 'sink'), /It is one of validate/)
  assert.match(await ann.fails(3, 'case', 'state', id, 'accept'), /case show/)
  await ann.ok('case', 'state', id, 'validate')
  await ann.ok('case', 'state', id, 'accept')
  assert.match(await ann.fails(2, 'case', 'state', id, 'propose-embargo'), /--until/)
  const until = new Date(Date.now() + 86_400_000).toISOString().replace(/\.\d+Z/, 'Z')
  await ann.ok('case', 'state', id, 'propose-embargo', '--until', until)
  assert.match(await ann.ok('case', 'clock'), /embargo: SOON/)
  assert.match(await ann.ok('case', 'list', '--due'), new RegExp(id))
  await ann.ok('case', 'state', id, 'reject-embargo')
  assert.match(await ann.ok('case', 'list', '--due'), /Nothing is owed soon/)
  assert.match(await ann.ok('case', 'assign', id), /answers for case_/)
  assert.match(await ann.fails(5, 'case', 'read-in', id, `person_${'0'.repeat(26)}`), /no person/)

  // Somebody else with every right finds no trace of it.
  const bob = await createCliUser(t, 'bob')
  const made = await ann.json<{ token: string }>('token', 'create', 'bob', '--role', 'admin')
  await bob.ok('login', server.url, '--pin', server.pin, '--token', made.token)
  await ann.ok('case', 'state', id, 'close')
  const closed = await ann.json<ShownCase>('case', 'show', id)
  assert.equal(closed.report, 'closed')
  assert.deepEqual(
    closed.entries.map(({ kind }) => kind),
    ['report', 'note', 'move', 'move', 'move', 'move', 'assign', 'move'],
  )
  assert.match(await ann.ok('case', 'list', '--state', 'closed'), new RegExp(id))
  assert.match(await ann.ok('case', 'list', '--state', 'open'), /read in to no case/)
  assert.match(await bob.fails(5, 'case', 'show', id), /case list/)
})
