/** Records of vulnerabilities and a release, from the command line. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { waitUntil } from '@seaworthy/std/testing'
import { createCliUser } from './testing/cli-user.ts'
import { startServer } from './testing/server.ts'

test('R13 records are imported from a folder, and a release and a vulnerability say what they have to do with each other', async (t) => {
  const server = await startServer(t)
  const ann = await createCliUser(t, 'ann')
  await ann.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  const key = ['--sign-with', ann.file('key')]
  await ann.ok('key', 'create', ann.file('key'))
  await ann.ok('trust', 'init', '--root-key', ann.file('key'), '--threshold', '1')
  await ann.ok('product', 'create', 'web', '--kind', 'bundle', ...key)
  const app = ann.file('app')
  await mkdir(join(app, 'node_modules', 'tide'), { recursive: true })
  const installed = { name: 'tide', version: '2.1.0', license: 'ISC' }
  await writeFile(join(app, 'node_modules', 'tide', 'package.json'), JSON.stringify(installed))
  const from = ['--platform', 'linux/amd64', '--from', app, '--no-start']
  await ann.ok('release', 'create', 'web', '1.0', ...from)

  await waitUntil('the release is read, without any record to compare it with', async () =>
    (await ann.ok('release', 'show', 'web', '1.0')).includes(
      'vulnerabilities: cannot be told; no records about packages of npm were imported',
    ),
  )
  assert.match(await ann.ok('vulnerability', 'exposure'), /No records were ever imported/)

  const records = ann.file('records')
  await mkdir(records)
  const write = (id: string, record: object) =>
    writeFile(join(records, `${id}.json`), JSON.stringify({ id, ...record }))
  await write('X-1', {
    ...{ modified: '2026-01-01T00:00:00Z', aliases: ['CVE-2026-0001'], summary: 'Water gets in' },
    affected: [
      {
        package: { ecosystem: 'npm', name: 'tide' },
        ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '2.2.0' }] }],
      },
    ],
  })
  await write('X-2', {})
  await write('X-3', { id: undefined })
  const imported = await ann.ok('vulnerability', 'import', records)
  assert.match(imported, /1 record added, 0 changed/)
  assert.match(imported, /\/X-2\.json: without the instant of its last change/)
  assert.match(imported, /\/X-3\.json: without an id/)
  assert.match(await ann.ok('vulnerability', 'import', records), /0 records added.* 1 as before/)
  assert.match(await ann.ok('vulnerability', 'set-aside'), /without the instant/)

  await waitUntil('the release is read and compared', async () =>
    (await ann.ok('release', 'show', 'web', '1.0')).includes('vulnerabilities: 1 (X-1)'),
  )
  const shown = await ann.ok('vulnerability', 'show', 'CVE-2026-0001')
  assert.match(shown, /X-1, CVE-2026-0001: Water gets in/)
  assert.match(shown, /web 1\.0 .*tide 2\.1\.0 .*fixed in 2\.2\.0/)
  assert.match(shown, /0 devices confirmed, 0 last known, 0 unknown/)
  assert.match(await ann.ok('vulnerability', 'list'), /X-1[^]*Records imported: npm .* ago/)
  assert.match(await ann.ok('vulnerability', 'exposure'), /No device is known to run/)

  const about = ['CVE-2026-0001', 'web', '1.0']
  assert.match(await ann.fails(2, 'vex', 'set', ...about, '--status', 'not_affected'), /justif/)
  const why = ['--justification', 'vulnerable_code_not_in_execute_path', '--expires', '90d']
  assert.match(
    await ann.ok('vex', 'set', ...about, '--status', 'not_affected', ...why, '--later'),
    /not affected: vulnerable code not in execute path/,
  )
  assert.match(await ann.ok('release', 'show', 'web', '1.0'), /none known, 1 cleared by statements/)
  assert.match(
    await ann.ok('vulnerability', 'show', 'X-1'),
    /not affected \(vulnerable code not in execute path\), as \S+ states; the record says affected/,
  )
  const [held] = await ann.json<{ id: string }[]>('vex', 'list', '--product', 'web')
  assert.match(await ann.ok('vex', 'show', held!.id), /web 1\.0, and later ones/)
  await ann.ok('vex', 'set', ...about, '--status', 'affected', '--action', 'wait for 1.1')
  assert.match(
    await ann.ok('vex', 'history', ...about),
    /not affected.*replaced[^]*affected.*in force/,
  )
  const who = ['--author', 'Harbour', '--namespace', 'https://example.org']
  const document = ann.file('vex.json')
  await ann.ok('vex', 'export', 'web', '1.0', '--format', 'csaf', ...who, '-o', document)
  assert.match(await ann.ok('vex', 'import', document), /0 statements taken[^]*stays unless/)
  const [said] = await ann.json<{ id: string }[]>('vex', 'list')
  await ann.ok('vex', 'withdraw', said!.id)
  assert.match(await ann.ok('vex', 'import', document), /1 statement taken/)
  assert.match(await ann.ok('vex', 'import', document), /0 statements taken, 1 as before/)
  for (const format of ['openvex', 'cyclonedx']) {
    await ann.ok('vex', 'export', 'web', '1.0', '--format', format, ...who, '-o', document)
    assert.match(await ann.ok('vex', 'import', document), /0 statements taken, 1 as before/, format)
  }
  await writeFile(document, '{"bomFormat": "Cyclone"}')
  assert.match(await ann.fails(2, 'vex', 'import', document), /none of OpenVEX, CSAF/)
  const [now] = await ann.json<{ id: string }[]>('vex', 'list')
  await ann.ok('vex', 'withdraw', now!.id)
  assert.match(await ann.ok('vex', 'list'), /Nothing is stated/)
  assert.match(await ann.fails(3, 'vex', 'withdraw', now!.id), /vex history/)
  assert.match(await ann.fails(5, 'vulnerability', 'show', 'CVE-1999-1'), /vulnerability import/)
  assert.match(
    await ann.fails(2, 'vulnerability', 'show', 'X-1', '--at', 'today'),
    /not an instant/,
  )
})

test('R13 a pipeline checks a bill of materials without a server, and fails from a severity on', async (t) => {
  const ann = await createCliUser(t, 'ann')
  const [sbom, records] = [ann.file('sbom.json'), ann.file('records')]
  const components = ['tide@2.1.0', 'sand@1.0.0', 'moss@1.0.0'].map((one) => {
    const [name, version] = one.split('@')
    return { type: 'library', name, version, purl: `pkg:npm/${one}` }
  })
  await writeFile(sbom, JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', components }))
  await mkdir(records)
  const write = (id: string, name: string, score?: string) =>
    writeFile(
      join(records, `${id}.json`),
      JSON.stringify({
        ...{ id, modified: '2026-01-01T00:00:00Z', summary: `a flaw of ${name}` },
        ...(score === undefined ? {} : { severity: [{ type: 'CVSS_V3', score }] }),
        affected: [
          {
            package: { ecosystem: 'npm', name },
            ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '2.2.0' }] }],
          },
        ],
      }),
    )
  const check = ['vulnerability', 'check', sbom, '--records', records]
  await write('X-1', 'tide', 'CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L')
  assert.match(
    await ann.ok(...check, '--fail-on', 'high'),
    /X-1 .*medium +affected, fixed in 2\.2\.0/,
  )
  await ann.run(...check, '--fail-on', 'medium').then(({ exitCode, out }) => {
    assert.equal(exitCode, 3)
    assert.match(out, /1 finding of severity medium or worse, or not rated/)
  })

  // The prefix of 3.0 is read, and what has no rating may be the worst.
  await write('X-2', 'sand', 'CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H')
  assert.equal((await ann.run(...check, '--fail-on', 'critical')).exitCode, 3)
  await write('X-2', 'other')
  assert.equal((await ann.run(...check, '--fail-on', 'critical')).exitCode, 0)
  await write('X-3', 'moss', 'CVSS:3.1/\u001b[2J')
  const { exitCode, out } = await ann.run('--json', ...check, '--fail-on', 'critical')
  assert.equal(exitCode, 3)
  const { findings, failing } = JSON.parse(out) as {
    findings: { id: string; severity: string | null }[]
    failing: number
  }
  assert.deepEqual(
    findings.map(({ id, severity }) => [id, severity]),
    [
      ['X-1', 'medium'],
      ['X-3', null],
    ],
  )
  assert.equal(failing, 1)

  // What is exploited comes first; a table that was cut off is refused as a whole.
  const [kev, epss] = [ann.file('kev.json'), ann.file('epss.csv')]
  await write('CVE-2026-0003', 'moss')
  const entry = { cveID: 'CVE-2026-0003', dateAdded: '2026-01-02' }
  const vulnerabilities = [entry, { cveID: '=cmd()' }]
  const writeKev = (count: number) =>
    writeFile(kev, JSON.stringify({ catalogVersion: '1', count, vulnerabilities }))
  await writeKev(2)
  await writeFile(
    epss,
    '#model_version:v1,score_date:2026-01-03\ncve,epss,percentile\nCVE-2026-0003,0.5,0.9\n=cmd(),1,1\n',
  )
  const threats = ['--kev', kev, '--epss', epss]
  const ranked = await ann.json<{
    findings: { id: string; exploitedSince: string | null; epss: number | null }[]
    setAside: { why: string }[]
  }>(...check, ...threats)
  assert.deepEqual(
    ranked.findings.map((one) => [one.id, one.exploitedSince, one.epss]),
    [
      ['CVE-2026-0003', '2026-01-02', 0.5],
      ['X-1', null, null],
      ['X-3', null, null],
    ],
  )
  assert.deepEqual(
    ranked.setAside.map(({ why }) => why),
    ['entry 2: without the id of a CVE', 'line 4: not an id and two shares, or twice'],
  )
  assert.match(await ann.ok(...check, ...threats), /CVE-2026-0003 .*2026-01-02 +50\.0 %/)
  await writeKev(3)
  assert.match(await ann.fails(3, ...check, ...threats), /it says 3 entries, and has 2/)

  await writeFile(sbom, '{}')
  assert.match(await ann.fails(3, ...check), /Give CycloneDX 1\.2 to 1\.7, or SPDX 2\.2 or 2\.3/)
  assert.match(
    await ann.fails(2, ...check, '--channel', 'stable'),
    /choose a release of the server/,
  )
})
