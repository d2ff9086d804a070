/** Advisories from the command line: drafts, who may publish them, and the pages as files. */
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createCliUser } from './testing/cli-user.ts'
import { startServer } from './testing/server.ts'

test('R5 R10 an advisory is drafted and edited by file, not reviewed by its editor, and all pages are exported as they are served', async (t) => {
  const server = await startServer(t)
  const ann = await createCliUser(t, 'ann')
  await ann.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  assert.match(await ann.fails(3, 'advisory', 'publisher'), /advisory publisher --file/)
  await writeFile(
    ann.file('publisher.json'),
    JSON.stringify({
      ...{ name: 'Harbour Works', namespace: 'https://harbour.example', prefix: 'HARBOUR' },
      ...{ baseUrl: server.url, contact: 'mailto:security@harbour.example' },
      ...{ scopeIn: 'All that we ship.', scopeOut: '', supported: [] },
    }),
  )
  await ann.ok('advisory', 'publisher', '--file', ann.file('publisher.json'))
  const shown = await ann.ok('--json', 'advisory', 'publisher')
  await writeFile(ann.file('publisher.json'), shown)
  await ann.ok('advisory', 'publisher', '--file', ann.file('publisher.json'))

  const file = ann.file('advisory.json')
  const template = await ann.ok('advisory', 'template')
  await writeFile(file, template)
  const draft = await ann.ok('advisory', 'create', '--file', file)
  const id = /advisory_[0-9a-z]{26}/.exec(draft)![0]
  assert.match(draft, /revision 1, for case_/)
  const changed = { ...(JSON.parse(template) as object), title: 'The sluice opens by itself' }
  await writeFile(file, JSON.stringify(changed))
  await ann.ok('advisory', 'edit', id, '--revision', '1', '--file', file)
  const again = await ann.fails(3, 'advisory', 'edit', id, '--revision', '1', '--file', file)
  assert.match(again, /at revision 2 now, not 1/)
  const details = await ann.ok('advisory', 'show', id)
  assert.match(details, /severity: +9\.8 critical/)
  assert.match(details, /affected: +gateway from 1\.0\.0 before 1\.4\.1/)
  assert.match(await ann.ok('advisory', 'list'), /The sluice opens by itself/)
  const own = await ann.fails(3, 'advisory', 'review', id, '--revision', '2')
  assert.match(own, /another person than the last editor/)
  const unread = await ann.fails(3, 'advisory', 'publish', id, '--revision', '2')
  assert.match(unread, /another person reviews it/)
  await writeFile(file, JSON.stringify({ ...changed, title: undefined }))
  const usage = await ann.fails(2, 'advisory', 'edit', id, '--revision', '2', '--file', file)
  assert.match(usage, /does not have the form of `seaworthy advisory template`: title/)
  await writeFile(file, JSON.stringify({ ...changed, title: 'x'.repeat(1024 * 1024) }))
  assert.match(
    await ann.fails(1, 'advisory', 'edit', id, '--revision', '2', '--file', file),
    /longer than/,
  )

  const keyless = await ann.fails(2, 'advisory', 'sign')
  assert.match(keyless, /made by --key, or is in --signature/)
  await ann.ok('key', 'create', ann.file('advisories.key'))
  const early = await ann.fails(3, 'advisory', 'sign', '--key', ann.file('advisories.key'))
  assert.match(early, /advisory openpgp-key --key/)
  const key = await ann.ok('advisory', 'openpgp-key', '--key', ann.file('advisories.key'))
  const fingerprint = /by ([0-9A-F]{40}):/.exec(key)![1]!
  assert.match(await ann.ok('advisory', 'publisher'), new RegExp(`OpenPGP key: +${fingerprint}`))
  const signed = await ann.ok('advisory', 'sign', '--key', ann.file('advisories.key'))
  assert.match(signed, /All that was published is signed/)
  await writeFile(ann.file('made.asc'), 'none')
  const nothing = ['advisory', 'sign', 'HARBOUR-2026-0001', '--signature', ann.file('made.asc')]
  assert.match(await ann.fails(3, ...nothing), /no advisory HARBOUR-2026-0001 is public/)

  const folder = ann.file('public')
  assert.match(await ann.ok('advisory', 'export', folder), /Wrote \d+ files/)
  assert.deepEqual(await readdir(folder), ['.well-known', 'advisories'])
  const list = await readFile(join(folder, 'advisories', 'index.html'), 'utf8')
  assert.match(list, /None has been published/)
  assert.doesNotMatch(list, /sluice/, 'a draft is in no page')
  const text = await readFile(join(folder, '.well-known', 'security.txt'), 'utf8')
  assert.match(text, /^Contact: mailto:security@harbour\.example$/m)
  assert.match(await ann.fails(3, 'advisory', 'export', folder), /not empty/)
})
