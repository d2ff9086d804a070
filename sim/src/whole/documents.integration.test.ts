/**
 * Every command that README and docs show in an `sh` block is run as it stands, in a shell, against
 * a server that such a command started; only names, ports and what a person fills in are the test's
 * own. A command that is not run stands in `notRun`, with the reason. Blocks without a language are
 * not read: those of docs/OTHER-CLIENTS.md need the clients themselves, which swupdate, rauc, omaha
 * and reboot-locks .integration.test.ts start.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { makeTestFolder } from '@seaworthy/agent/testing'
import { waitUntil } from '@seaworthy/std/testing'
import { formatInstant, systemClock } from '@seaworthy/std/time'
import { programAt } from '@seaworthy/std/testing/own-programs'
import { claimPort } from '@seaworthy/std/testing/ports'
import { lacks } from '@seaworthy/std/testing/programs'
import type { DocumentCommand } from './testing/document-commands.ts'
import { readCommandBlocks } from './testing/document-commands.ts'
import type { Ended } from './testing/program.ts'
import { runProgram } from './testing/program.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const documents = ['README.md', ...listFiles('docs', '.md')]

function listFiles(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending) && !path.includes('node_modules'))
    .map((path) => `${folder}/${path}`)
}

function inDays(count: number): string {
  return formatInstant(new Date(systemClock.now().getTime() + count * 86_400_000))
}

/** The beginning of a command, and why it is not run here. */
const notRun: readonly (readonly [command: string, why: string])[] = [
  ['npm ci && npm run demo', 'tools/bare-debian/check installs; demo.long.test.ts plays it'],
  ['npm cit', 'this test is a part of it'],
  [
    'useradd ',
    'accounts of the machine; packages/agent/src/device/accounts.integration.test.ts has some',
  ],
  ['node seaworthy-agent.mjs ', 'packages/agent/src/packaged.integration.test.ts runs that file'],
  ['seaworthy rollout watch ROLLOUT', 'waits for half an hour; rollouts.integration.test.ts'],
  [
    'bash verify-export.sh',
    'in the exported folder: foreign-clients.integration.test.ts, VERIFY.md',
  ],
  [
    'seaworthy trust rotate gateway.stable --add five.key',
    'replaces every key of a channel; proposals.test.ts of trust/tuf restarts marks',
  ],
  ['cp node_modules/', 'this checkout has its Node beside it; tools/bare-debian/check starts that'],
  ['seaworthy mirror ', 'a web server of its own serves it: mirror.integration.test.ts'],
  ['seaworthy log verify --entries', 'ends with 3 on purpose; run below'],
  ['for r in BEFORE', 'the layers of two releases of the reader'],
  ['diff -r --brief', 'the layers of two releases of the reader'],
  [
    'seaworthy up --credential-key-file',
    'the server of this test has the key file by its environment',
  ],
  ...['case read-in', 'case read-out', 'advisory review', 'advisory publish ADVISORY'].map(
    (command) =>
      [
        `seaworthy ${command}`,
        'needs a second person: cases, advisories .integration.test.ts of server/http',
      ] as const,
  ),
  ['export ', 'PostgreSQL of the reader: database-url.integration.test.ts'],
  [
    'seaworthy up --blobs',
    'an object store of the reader: leader.integration.test.ts has several servers',
  ],
  ['seaworthy advisory withdraw', 'nothing is published here: advisories.integration.test.ts'],
  ...['request', 'lease', 'revoke'].map(
    (command) =>
      [
        `seaworthy credential ${command} `,
        'needs PostgreSQL of the reader and a second person: leases.integration.test.ts',
      ] as const,
  ),
  ...['accept', 'remove', 'import'].map(
    (command) =>
      [
        `seaworthy reader ${command} `,
        'needs a device that reads secrets: secrets.integration.test.ts of cli',
      ] as const,
  ),
]

describe('the commands of README and docs', { skip: lacks('bash', 'curl') }, () => {
  const { path: folder, remove } = makeTestFolder()
  const file = (...names: string[]) => join(folder, ...names)
  /** The values that a person fills in, by the words that stand for them in the text. */
  const values = new Map<string, string>()
  const left = new Map<string, DocumentCommand>()
  const blocks = new Map<string, DocumentCommand[][]>()
  let stopServer: (() => Promise<void>) | undefined
  let environment: Readonly<Record<string, string>> = {}

  before(async () => {
    for (const path of documents) {
      const found = readCommandBlocks(path, readFileSync(join(root, path), 'utf8'))
      blocks.set(path, found)
      for (const command of found.flat()) left.set(command.place, command)
    }
    // A person is there who says yes.
    const seaworthy = programAt(new URL('../../../packages/cli/src/main.ts', import.meta.url))
    mkdirSync(file('node_modules', '.bin'), { recursive: true })
    writeFileSync(
      file('node_modules', '.bin', 'seaworthy'),
      `#!/bin/sh\nexec ${process.execPath} ${seaworthy} --config-dir ${file('config')} --yes "$@"\n`,
      { mode: 0o755 },
    )
    symlinkSync(
      join(root, 'node_modules/.bin/seaworthy-node'),
      file('node_modules', '.bin', 'seaworthy-node'),
    )
    environment = {
      // Only README brings `seaworthy` into the path.
      PATH: process.env['PATH']!.split(':')
        .filter((one) => !existsSync(join(one, 'seaworthy')))
        .join(':'),
      NO_COLOR: '1',
      SEAWORTHY_PASSPHRASE: 'of these tests',
      SEAWORTHY_CREDENTIAL_KEY_FILE: file('etc', 'credential.key'),
    }
    symlinkSync(join(root, 'packages'), file('packages'))
    mkdirSync(file('etc'))
    const port = await claimPort()
    for (const [text, own] of [
      ['0.0.0.0:8443', `127.0.0.1:${port}`],
      ['updates.example.org:8443', `localhost:${port}`],
      ['updates.example.org', 'localhost'],
      ['seaworthy.example:8443', `localhost:${port}`],
      ['https://SERVER/', `https://localhost:${port}/`],
      ['/etc/prometheus/', `${file('prometheus')}/`],
      ['/etc/seaworthy/', `${file('etc')}/`],
      ['2026-03-01T12:00:00Z', inDays(20)],
    ] as const)
      values.set(text, own)
    mkdirSync(file('prometheus'))
  })
  after(async () => {
    await stopServer?.()
    remove()
  })

  const fillIn = (text: string) =>
    [...values].reduce((filled, [name, own]) => filled.replaceAll(name, own), text)

  async function shell(command: string): Promise<Ended> {
    return runProgram('bash', ['-c', command], { cwd: folder, environment })
  }

  async function ok(command: string): Promise<string> {
    const { exitCode, out, err } = await shell(command)
    assert.equal(exitCode, 0, `${command}\n${out}${err}`)
    for (const name of ['PROPOSAL', 'ROLLOUT', 'ADVISORY'] as const) {
      const id = new RegExp(`\\b${name.toLowerCase()}_[0-9a-z]{26}\\b`).exec(out)?.[0]
      if (id !== undefined) values.set(name, id)
    }
    return out
  }

  /** Runs the commands of a block, one after the other. `between` sees what each has printed. */
  async function runBlock(
    path: string,
    beginning: string,
    between: (out: string, text: string) => Promise<void> = async () => {},
  ): Promise<void> {
    const block = blocks.get(path)!.find(([first]) => first?.text.startsWith(beginning))
    assert.ok(block, `${path} has a block that begins with ${beginning}`)
    for (const { place, text } of block) {
      assert.ok(left.delete(place), `${place} is run once`)
      if (notRun.some(([command]) => text.startsWith(command))) continue
      await between(await ok(fillIn(text)), text)
    }
  }

  /** “Everything that matters goes the same way”: the second key holder signs what still waits. */
  async function secondSigns(out: string): Promise<void> {
    const id = /seaworthy proposal sign (proposal_\w{26}) --key FILE/.exec(out)?.[1]
    if (id !== undefined) await ok(`seaworthy proposal sign ${id} --key two.key`)
  }

  function writeApplication(version: string): void {
    const { 1: description } = /```json\n(\{ "start".*\})\n```/.exec(
      readFileSync(join(root, 'README.md'), 'utf8'),
    )!
    mkdirSync(file('my-application', 'bin'), { recursive: true })
    writeFileSync(file('my-application', 'seaworthy.json'), description!)
    writeFileSync(file('my-application', 'bin', 'app'), `#!/bin/sh\necho ${version}\n`)
    chmodSync(file('my-application', 'bin', 'app'), 0o755)
    mkdirSync(file('my-application', 'node_modules', 'tide'), { recursive: true })
    writeFileSync(
      file('my-application', 'node_modules', 'tide', 'package.json'),
      '{ "name": "tide", "version": "2.1.0" }',
    )
  }

  async function createRelease(version: string): Promise<void> {
    writeApplication(version)
    const from = '--platform linux/amd64 --from ./my-application'
    await ok(fillIn(`seaworthy release create gateway ${version} ${from}`))
  }

  async function createDevice(name: string): Promise<string> {
    const kind = `--protocol ddi --name ${name} --platform linux/amd64`
    const out = await ok(fillIn(`seaworthy --json device create --fleet harbour ${kind}`))
    return /device_[0-9a-z]{26}/.exec(out)![0]
  }

  /**
   * What README says once for each shell: after it every document and every hint says `seaworthy`.
   */
  async function runPathBlock(): Promise<void> {
    const [command] = blocks.get('README.md')!.find(([first]) => first!.text.includes(' PATH='))!
    left.delete(command!.place)
    assert.notEqual((await shell('seaworthy --version')).exitCode, 0)
    const PATH = await ok(`${command!.text}; printf %s "$PATH"`)
    environment = { ...environment, PATH }
  }

  /** Gives what it printed so far. */
  function runServer(): () => { out: string; hasEnded: boolean } {
    const command = blocks
      .get('README.md')!
      .find(([first]) => first?.text.startsWith('seaworthy up'))![0]!
    left.delete(command.place)
    const child = spawn('bash', ['-c', `exec ${fillIn(command.text)} --report-form`], {
      cwd: folder,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = once(child, 'exit')
    stopServer = async () => {
      child.kill('SIGTERM')
      await ended
    }
    let out = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => (out += text.toString()))
    return () => ({ out, hasEnded: child.exitCode !== null })
  }

  async function startServer(): Promise<void> {
    const printed = runServer()
    const line = () => /seaworthy login (\S+) --pin (\S+) --token (\S+)/.exec(printed().out)
    await waitUntil(
      async () => `a login line\n${printed().out}`,
      () => line() !== null || printed().hasEnded,
    )
    const [, , pin, token] = line() ?? []
    assert.ok(pin !== undefined && token !== undefined, printed().out)
    values.set('--pin sha256:… --token …', `--pin ${pin} --token ${token}`)
    values.set('--pin sha256:…', `--pin ${pin}`)
  }

  it('README: a server, keys, a first release, a fleet and a rollout', async () => {
    await runBlock('README.md', 'npm ci')
    await runBlock('README.md', 'npm cit')
    await runPathBlock()
    await runBlock('docs/CREDENTIALS.md', '(umask 077')
    await startServer()
    await runBlock('README.md', 'seaworthy login')
    await runBlock('README.md', 'seaworthy key create')
    // The two others, each on their own machine.
    for (const name of ['two', 'three']) await ok(`seaworthy key create ${name}.key`)
    await runBlock('README.md', 'seaworthy trust init')
    writeApplication('1.0.0')
    await runBlock('README.md', 'seaworthy product create')
    await runBlock('README.md', 'seaworthy fleet create')
    writeApplication('1.1.0')
    values.set('DEVICE', await createDevice('d1'))
    await runBlock('README.md', 'seaworthy fleet set')
  })

  it('people-change: somebody joins and somebody leaves', async () => {
    const path = 'docs/runbooks/people-change.md'
    const { keyId } = JSON.parse(await ok('seaworthy --json key show three.key.pub')) as {
      keyId: string
    }
    values.set('KEY-ID', keyId.slice(0, 8))
    await runBlock(path, 'seaworthy key create')
    await runBlock(path, 'seaworthy trust rotate')
    await runBlock(path, 'seaworthy trust rotate gateway.stable --add five.key')
    const status = await ok('seaworthy trust status')
    assert.match(status, /root, targets, gateway, gateway\.stable/)
    assert.ok(!status.includes(keyId), status)
  })

  it('server-stolen: new online keys', async () => {
    await runBlock('docs/runbooks/server-stolen.md', 'seaworthy trust rotate')
  })

  it('ROLLOUTS: each recipe', async () => {
    const path = 'docs/ROLLOUTS.md'
    // The recipes begin where README has not been yet: with a product and a fleet of their own.
    values.set('gateway', 'portal')
    values.set('harbour', 'bay')
    for (const command of [
      'seaworthy product create gateway --kind bundle --sign-with one.key',
      'seaworthy channel create gateway stable --key one.key --key two.key.pub --threshold 2 --sign-with one.key',
      'seaworthy fleet create harbour --product gateway --channel stable',
    ])
      await secondSigns(await ok(fillIn(command)))
    for (const version of ['1.0.0', '1.1.0', '1.1.1']) await createRelease(version)
    const publish = 'seaworthy publish gateway 1.0.0 --channel stable --sign-with one.key'
    await secondSigns(await ok(fillIn(publish)))
    values.set('DEVICE', await createDevice('d2'))
    const abort = async (out: string) => {
      await secondSigns(out)
      const id = /rollout_[0-9a-z]{26}/.exec(out)?.[0]
      if (id !== undefined) await shell(`seaworthy rollout abort ${id} --reason done`)
    }
    for (const beginning of blocks.get(path)!.map(([first]) => first!.text)) {
      await runBlock(path, beginning, abort)
    }
  })

  it('OPERATIONS: the agent for a device, the review of access, approvals, quotas, and what Prometheus needs', async () => {
    const run = (beginning: string) => runBlock('docs/OPERATIONS.md', beginning)
    await run('seaworthy mirror')
    await run('seaworthy-node packages/agent')
    await run('seaworthy-node packages/cli')
    await run('seaworthy access report')
    await run('seaworthy role list')
    await run('seaworthy approval policy')
    await run('seaworthy product set')
    await run('seaworthy token create')
    assert.match(readFileSync(file('prometheus', 'seaworthy-ca.crt'), 'utf8'), /BEGIN CERTIFICATE/)
  })

  it('ODATA: each question', async () => {
    await runBlock('docs/ODATA.md', 'seaworthy --json token create reader')
    await runBlock('docs/ODATA.md', 'seaworthy --json token create region-setter')
    assert.match(readFileSync(file('dry-run.json'), 'utf8'), /"isDryRun":true/)
  })

  it('VERIFY-BY-HAND: an export, and a stock TUF client', async () => {
    values.delete('gateway')
    const path = 'docs/VERIFY-BY-HAND.md'
    await runBlock(path, 'seaworthy release export')
    await ok('cp gateway-1.0.0/tuf/1.root.json . && mkdir metadata')
    await runBlock(path, 'seaworthy tuf')
    for (const [first] of blocks.get(path)!)
      if (left.has(first!.place)) await runBlock(path, first!.text)
  })

  it('VULNERABILITIES: records, a statement, and who is affected', async () => {
    const path = 'docs/VULNERABILITIES.md'
    for (const name of ['npm', 'debian']) mkdirSync(file('osv', name), { recursive: true })
    const ranges = [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '2.2.0' }] }]
    writeFileSync(
      file('osv', 'npm', 'X-1.json'),
      JSON.stringify({
        ...{ id: 'X-1', aliases: ['CVE-2021-44228'], modified: '2026-01-01T00:00:00Z' },
        affected: [{ package: { ecosystem: 'npm', name: 'tide' }, ranges }],
      }),
    )
    await runBlock(path, 'seaworthy vulnerability import')
    await waitUntil('the release is compared', async () =>
      (await ok('seaworthy release show gateway 1.0.0')).includes('vulnerabilities: 1 '),
    )
    writeFileSync(file('sbom.json'), '{"bomFormat":"CycloneDX","specVersion":"1.6"}')
    const next = ['release show', 'vulnerability check sbom', 'vex set', 'vex export']
    for (const command of next) await runBlock(path, `seaworthy ${command}`)
    await runBlock(path, 'seaworthy vulnerability show')
  })

  it('SECRETS: who joins with a signature, variables, secrets, and their readers', async () => {
    const path = 'docs/SECRETS.md'
    writeFileSync(file('token.txt'), 'a token of the application\n')
    await ok('rm agent.json')
    await runBlock(path, 'seaworthy provisioning-key create')
    await runBlock(path, 'seaworthy variable set')
    await runBlock(path, 'seaworthy secret set NIGHTLY')
    await runBlock(path, 'seaworthy reader list')
  })

  it('CREDENTIALS: kept, replaced, lent', async () => {
    const path = 'docs/CREDENTIALS.md'
    writeFileSync(file('console.txt'), 'a password of the console\n')
    writeFileSync(file('new.txt'), 'another password of the console\n')
    await runBlock(path, 'seaworthy credential add')
    await runBlock(path, 'seaworthy credential request')
  })

  it('DISCLOSURE: a stranger’s report, answered, on its way to an embargo', async () => {
    const path = 'docs/DISCLOSURE.md'
    const form = `--data title=sluice --data text=leaks --data product=gateway`
    await ok(`curl --silent --fail --insecure ${form} ${fillIn('https://SERVER/')}report`)
    for (const name of ['answer', 'note']) writeFileSync(file(`${name}.txt`), 'We look at it.\n')
    const [{ id }] = JSON.parse(await ok('seaworthy --json case list')) as [{ id: string }]
    values.set('CASE', id)
    await runBlock(path, 'seaworthy case list')
    await runBlock(path, 'seaworthy case answer')
    await runBlock(path, 'seaworthy case state CASE validate', async (_, text) => {
      if (text.includes('validate')) await ok(`seaworthy case state ${id} accept`)
    })
  })

  it('ADVISORIES: who publishes, a draft, and the pages as files', async () => {
    const path = 'docs/ADVISORIES.md'
    const { 1: publisher } = /```json\n([^`]*)```/.exec(readFileSync(join(root, path), 'utf8'))!
    writeFileSync(file('publisher.json'), publisher!)
    await runBlock(path, 'seaworthy advisory publisher')
    await runBlock(path, 'seaworthy advisory template')
    await runBlock(path, 'seaworthy advisory list')
    await runBlock(path, 'seaworthy key create advisories.key')
    await runBlock(path, 'seaworthy advisory export')
  })

  it('backup: a copy, one entry more in the audit log, and the way back', async () => {
    const path = 'docs/runbooks/backup.md'
    const whoami = async () => (await shell('seaworthy whoami')).exitCode === 0
    await stopServer!()
    await runBlock(path, 'cp -a seaworthy-data')
    runServer()
    await waitUntil('the server is there again', whoami)
    await ok('seaworthy token create late --role viewer --expires 1d')
    await waitUntil('its entry was seen', async () => {
      const seen = await ok('seaworthy --json log verify --entries')
      return seen.includes('late')
    })
    await stopServer!()
    await runBlock(path, 'mv seaworthy-data')
    runServer()
    await waitUntil('the old server is there', whoami)
    const { exitCode, err } = await shell('seaworthy log verify --entries')
    assert.equal(exitCode, 3, err)
    assert.match(err, /\(log_truncated\)|\(log_forked\)/)
    assert.equal((await shell('seaworthy trust status')).exitCode, 3)
    await runBlock(path, 'seaworthy log verify')
    await ok('seaworthy trust status')
    await runBlock(path, 'seaworthy trust rotate')
  })

  it('moving house: an export, and the same server from it to whoever knew the former one', async () => {
    const path = 'docs/runbooks/backup.md'
    await stopServer!()
    await runBlock(path, 'seaworthy export', async (out) => {
      values.set('DIGEST', /SHA-256 of the export: ([0-9a-f]{64})/.exec(out)![1]!)
      await ok('cd seaworthy-export && sha256sum --check --quiet SHA256SUMS')
    })
    await runBlock(path, 'mkdir -m 711 moved-seaworthy-data')
    await ok('mv seaworthy-data former-data && mv moved-seaworthy-data seaworthy-data')
    runServer()
    await waitUntil(
      'the imported server is there',
      async () => (await shell('seaworthy whoami')).exitCode === 0,
    )
    await ok('seaworthy log verify')
    await ok('seaworthy trust status')
    await ok('seaworthy device list')
  })

  it('replicas: what each of several servers is told', async () => {
    await runBlock('docs/runbooks/replicas.md', 'export DATABASE_URL')
  })

  it('no document and no message begins a command in another way', () => {
    const places = [
      ...['README.md', 'CONTRIBUTING.md', ...listFiles('docs', '.md')],
      ...listFiles('packages', '.ts'),
    ]
    assert.ok(places.length > 100)
    assert.deepEqual(
      places.filter((path) => /\bnpx seaworthy/.test(readFileSync(join(root, path), 'utf8'))),
      [],
    )
  })

  it('no reason outlives its command, or the test that it names', () => {
    const texts = [...blocks.values()].flat(2).map(({ text }) => text)
    const tests = ['packages', 'sim'].flatMap((name) => listFiles(name, '.test.ts')).join('\n')
    const stale = notRun.filter(
      ([command, why]) =>
        !texts.some((text) => text.startsWith(command)) ||
        (why.match(/[\w./-]+\.test\.ts/g) ?? []).some((name) => !tests.includes(name)),
    )
    assert.deepEqual(stale, [])
  })

  it('no command is left out in silence', () => {
    assert.deepEqual(
      [...left.values()].map(({ place, text }) => `${place} ${text}`),
      [],
    )
  })
})
