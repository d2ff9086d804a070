/**
 * docs/OTHER-CLIENTS.md, line by line: an Omaha client's release, app id, token and address, with
 * curl as the client.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { systemRandom } from '@seaworthy/std/random'
import { skipWithout } from '@seaworthy/std/testing/programs'
import { createCliUser } from './testing/cli-user.ts'
import { startServer } from './testing/server.ts'

const run = promisify(execFile)
const appId = '{e96281a6-d1af-4bde-9a0a-97b76e56dc57}'
const request = `<?xml version="1.0" encoding="UTF-8"?>
<request protocol="3.0" version="update_engine-0.4.10" updaterversion="update_engine-0.4.10" installsource="scheduler" ismachine="1">
    <os version="Chateau" platform="CoreOS" sp="3815.2.0_x86_64"></os>
    <app appid="${appId}" version="3815.2.0" track="stable" bootid="{b}" oem="ami" machineid="0123456789abcdef0123456789abcdef" board="amd64-usr" delta_okay="false" >
        <ping active="1"></ping>
        <updatecheck></updatecheck>
        <event eventtype="3" eventresult="2" previousversion=""></event>
    </app>
</request>`

test('D6 the steps of the guide lead to an offer at the address of update.conf, and to its payload', async (t) => {
  if (skipWithout(t, 'curl')) return
  const server = await startServer(t)
  const ann = await createCliUser(t, 'ann')
  await ann.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  await ann.ok('key', 'create', ann.file('key'))
  const signed = ['--sign-with', ann.file('key')]
  await ann.ok('trust', 'init', '--root-key', ann.file('key'), '--threshold', '1')
  await ann.ok('product', 'create', 'os', '--kind', 'os-image', ...signed)
  await ann.ok('channel', 'create', 'os', 'stable', '--key', ann.file('key'), '--threshold', '1')
  const payload = ann.file('flatcar_production_update.gz')
  await writeFile(payload, randomBytes(50_000))
  const from = ['--platform', 'linux/amd64', '--raw', '--from', payload]
  await ann.ok('release', 'create', 'os', '3815.2.1', ...from)
  await ann.ok('publish', 'os', '3815.2.1', '--channel', 'stable', ...signed)
  await ann.ok('product', 'set-omaha-app', 'os', appId)
  await ann.ok('fleet', 'create', 'os-fleet', '--product', 'os', '--channel', 'stable')
  const omaha = ['--protocol', 'omaha', '--platform', 'linux/amd64']
  const { token } = await ann.json<{ token: string }>(
    'device',
    'create',
    '--fleet',
    'os-fleet',
    ...omaha,
  )

  const { host } = new URL(server.url)
  const addresses = [
    `https://machine:${token}@${host}/omaha/v1/update/`,
    `https://${host}/omaha/v1/update/${token}/`,
  ]
  for (const address of addresses) {
    const post = ['--silent', '--insecure', '--header', 'content-type: text/xml', '--data', request]
    const { stdout } = await run('curl', [...post, address])
    assert.match(stdout, /<manifest version="3815\.2\.1">/)
    const codebase = /codebase="([^"]+)"/.exec(stdout)![1]!
    const file = ann.file('downloaded')
    const get = ['--silent', '--insecure', '--fail', '--output', file]
    await run('curl', [...get, `${codebase}flatcar_production_update.gz`])
    const bytes = await readFile(file)
    assert.deepEqual(bytes, await readFile(payload))
    const sha256 = createHash('sha256').update(bytes).digest('base64')
    assert.ok(stdout.includes(`sha256="${sha256}"`), stdout)
  }
  const devices = await ann.json<{ protocol: string }[]>('device', 'list')
  assert.deepEqual(
    devices.map(({ protocol }) => protocol),
    ['omaha'],
  )

  await t.test('what is not there yet is said with the proposal that waits for it', async () => {
    const create = ['product', 'create', 'kiosk', '--kind', 'bundle', ...signed]
    const { id } = await ann.json<{ id: string }>(...create, '--no-apply')
    const channel = ['channel', 'create', 'kiosk', 'stable', '--key', ann.file('key')]
    assert.equal(
      await ann.fails(5, ...channel, '--threshold', '1'),
      `seaworthy: channel create: there is no product kiosk yet: ${id} (Create product kiosk) waits to be published\nPublish it with \`seaworthy proposal apply ${id}\`.\n`,
    )
    const again = await ann.fails(3, ...create)
    assert.match(again, new RegExp(`this was proposed already: ${id} \\(Create product kiosk\\)`))
    assert.match(
      again,
      new RegExp(`seaworthy proposal apply ${id}.*seaworthy proposal reject ${id}`),
    )
    const open = await ann.json<unknown[]>('proposal', 'list', '--state', 'open')
    assert.equal(open.length, 1, 'no second one was made')
  })

  await t.test('A9 how much a product may hold is set, shown and lifted', async () => {
    const set = await ann.ok('product', 'set', 'os', '--quota', '50GiB')
    assert.match(set, /^os holds [\d.]+ (?:B|KiB|MiB) of 50\.0 GiB\.\n$/)
    assert.match(await ann.ok('product', 'show', 'os'), /storage: +[\d.]+ \w+ of 50\.0 GiB\n/)
    const over = await ann.ok('product', 'set', 'os', '--quota', '1B')
    assert.match(over, /more than it may: nothing is removed, and no push is taken\.\n$/)
    await ann.fails(2, 'product', 'set', 'os', '--quota', '50GB')
    await ann.ok('product', 'set', 'os', '--quota', 'none')
    assert.match(await ann.ok('product', 'show', 'os'), /storage: .* \(no quota\)\n/)
  })

  await t.test('a product or channel that does not exist is named with those that do', async () => {
    assert.match(
      await ann.fails(5, 'publish', 'oss', '3815.2.1', '--channel', 'stable', ...signed),
      /there is no product oss\nThe products are: os\.\n$/,
    )
    assert.match(
      await ann.fails(5, 'publish', 'os', '3815.2.1', '--channel', 'stabel', ...signed),
      /os has no channel stabel\nThe channels of os are: stable\.\n$/,
    )
    const fleet = (product: string, channel: string) =>
      ann.fails(5, 'fleet', 'create', 'ships', '--product', product, '--channel', channel)
    assert.match(await fleet('oss', 'stable'), /there is no product oss /)
    assert.match(await fleet('os', 'stabel'), /os has no channel stabel, but stable /)
  })

  await t.test(
    'an interrupted release create ends at once and leaves nothing behind',
    async (t) => {
      const temporary = ann.file('tmp')
      await mkdir(temporary)
      const end = new AbortController()
      // Names of new files are drawn by chance: the first one after the work folder is there says
      // that packing has begun.
      const random = {
        ...systemRandom,
        bytes: (count: number) => {
          if (readdirSync(temporary).length > 0) end.abort()
          return systemRandom.bytes(count)
        },
      }
      const packing = await createCliUser(t, 'packing', { signal: end.signal, random })
      await cp(ann.file('config'), packing.file('config'), { recursive: true })
      const { TMPDIR } = process.env
      process.env['TMPDIR'] = temporary
      t.after(() => {
        if (TMPDIR === undefined) delete process.env['TMPDIR']
        else process.env['TMPDIR'] = TMPDIR
      })
      const failed = await packing.fails(1, 'release', 'create', 'os', '3815.2.2', ...from)
      assert.equal(failed, 'seaworthy: release create: interrupted\n')
      assert.deepEqual(readdirSync(temporary), [])
    },
  )
})
