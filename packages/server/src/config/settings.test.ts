import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { upOptions } from '@seaworthy/api/up-options'
import { utf8Encode } from '@seaworthy/std/bytes'
import { formatSettings, readSettings, settingsBytesMax, UsageError } from './settings.ts'
import { readSettingsFile } from './settings-file.ts'

const file = '/etc/seaworthy/server.json'

function read(text: string, argv: string[] = [], variables: Record<string, string> = {}) {
  const asked: string[] = []
  const settings = readSettings({
    argv: ['--config', file, ...argv],
    variables,
    readFile: (path) => {
      asked.push(path)
      return utf8Encode(text)
    },
  })
  const of = (name: string) => {
    const { value, origin } = settings.find((one) => one.name === name)!
    return [value, origin]
  }
  return { settings, of, asked }
}

test('an option stands above a variable, and that above the settings file', () => {
  const text = JSON.stringify({
    listen: '0.0.0.0:1',
    workers: '3',
    name: ['a.example', 'b.example'],
    'report-form': true,
    'acme-agree-terms': false,
  })
  const variables = { SEAWORTHY_LISTEN: '0.0.0.0:2', SEAWORTHY_WORKERS: '4', SEAWORTHY_NAMES: '' }
  const { of, asked } = read(text, ['--listen', '0.0.0.0:3'], variables)
  assert.deepEqual(of('listen'), ['0.0.0.0:3', '--listen'])
  assert.deepEqual(of('workers'), ['4', 'SEAWORTHY_WORKERS'])
  assert.deepEqual(of('name'), [['a.example', 'b.example'], file])
  assert.deepEqual(of('report-form'), [true, file])
  assert.deepEqual(of('acme-agree-terms'), [undefined, 'default'])
  assert.deepEqual(of('log-level'), [undefined, 'default'])
  assert.deepEqual(asked, [file])
  const named = read(text, ['--name', 'c.example'])
  assert.deepEqual(named.of('name'), [['c.example'], '--name'])
})

test('a setting of the file means what its option means, and no file holds what is for one start', () => {
  for (const option of upOptions) {
    if (option.name === 'config' || option.name === 'print-config') continue
    const value = 'isRepeatable' in option ? ['here'] : 'value' in option ? 'here' : true
    const text = JSON.stringify({ [option.name]: value })
    if ('isNotInFile' in option) {
      assert.throws(() => read(text), /is for the command line alone/, option.name)
      continue
    }
    assert.deepEqual(read(text).of(option.name), [value, file])
    const argv = 'value' in option ? [`--${option.name}`, 'here'] : [`--${option.name}`]
    assert.deepEqual(read('{}', argv).of(option.name)[0], value)
  }
})

test('a settings file that cannot be meant is refused with its path, its setting and what that takes', () => {
  const wrong: [text: string, why: RegExp][] = [
    ['{"listen": 8443}', /server\.json: "listen" takes a text: host:port$/],
    ['{"lisen": "0.0.0.0:1"}', /there is no setting "lisen"; did you mean "listen"\?$/],
    ['{"name": "a.example"}', /"name" takes a list of texts/],
    ['{"report-form": "yes"}', /"report-form" takes true or false$/],
    ['{"listen": "a:1", "listen": "b:2"}', /server\.json is not JSON: /],
    ['[]', /server\.json is not an object of settings/],
    ['', /server\.json is not JSON: /],
    ['{"config": "other.json"}', /"config" is for the command line alone: --config$/],
  ]
  for (const [text, why] of wrong) {
    assert.throws(
      () => read(text),
      (error: unknown) => error instanceof UsageError && why.test(error.message),
      text,
    )
  }
})

test('what is printed of the settings says where each comes from, and no password', () => {
  const url = 'postgres://sea:hidden-word@db.example/sea'
  const { settings } = read('{"log-level": "warn"}', [
    '--database-url',
    url,
    '--blobs',
    'a\u001b[2J',
  ])
  const lines = formatSettings(settings)
  const line = (name: string) => lines.find((one) => one.startsWith(`${name} `))!.split(/ {2,}/)
  assert.deepEqual(line('log-level'), ['log-level', 'warn', file])
  assert.deepEqual(line('listen'), ['listen', '127.0.0.1:8443', 'default'])
  assert.deepEqual(line('blobs').slice(1), ['a\\u{1b}[2J', '--blobs'])
  assert.match(line('database-url')[1]!, /^postgres:\/\/sea:not-shown@db\.example\/sea$/)
  assert.ok(!lines.join('').includes('hidden-word'))
})

test('a settings file that is missing, a folder or too long is said with its path', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-settings-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'server.json')
  assert.throws(() => readSettingsFile(path), /server\.json cannot be read: no such file/)
  assert.throws(() => readSettingsFile(folder), /cannot be read: is a folder/)
  await writeFile(path, ' '.repeat(settingsBytesMax + 1))
  assert.throws(() => readSettingsFile(path), /is longer than 65536 bytes/)
  await writeFile(path, '{}')
  assert.equal(Buffer.from(readSettingsFile(path)).toString(), '{}')
})
