import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { makeFolders } from '@seaworthy/oci/folders'
import { startServer } from './testing/server.ts'

const repository = fileURLToPath(new URL('../../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'seaworthy-packed-'))
after(() => rmSync(folder, { recursive: true }))
// PostgreSQL may run under another account, which has to get through here.
chmodSync(folder, 0o711)
const modules = join(folder, 'node_modules')
const launcher = join(modules, '.bin/seaworthy')
// No Node is pinned here: the one that runs this test is on the PATH.
const env = {
  HOME: '/nonexistent',
  PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
}

interface Manifest {
  readonly exports?: Record<string, string>
  readonly bin?: Record<string, string>
  readonly dependencies?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
}

const readManifest = (of: string) =>
  JSON.parse(readFileSync(join(of, 'package.json'), 'utf8')) as Manifest

/**
 * Installs the tarballs as npm does, without a network: packages of others are links to those of
 * the repository, and only what a manifest names is there.
 */
function install(tarballs: string): void {
  for (const file of readdirSync(tarballs)) {
    const name = file.replace(/^seaworthy-(\w+)-.*$/, '@seaworthy/$1')
    const to = join(modules, name)
    makeFolders(to)
    execFileSync('tar', ['-xzf', join(tarballs, file), '-C', to, '--strip-components=1'])
    const manifest = readManifest(to)
    makeFolders(join(modules, '.bin'))
    for (const [bin, target] of Object.entries(manifest.bin ?? {}))
      symlinkSync(join(to, target), join(modules, '.bin', bin))
    for (const other of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }))
      if (!other.startsWith('@seaworthy/')) linkFromRepository(other)
  }
}

function linkFromRepository(name: string): void {
  const from = join(repository, 'node_modules', name)
  const to = join(modules, name)
  // Packages for other platforms are not installed.
  if (existsSync(to) || !existsSync(from)) return
  makeFolders(dirname(to))
  symlinkSync(from, to)
}

const pack = spawnSync(process.execPath, [join(repository, 'tools/pack.ts'), `${folder}/packed`], {
  encoding: 'utf8',
})
assert.equal(pack.status, 0, pack.stderr)
install(`${folder}/packed`)

test('the packed command line runs, serves and logs in with nothing but its tarballs and what they name', async (t) => {
  const run = (...args: string[]) =>
    spawnSync(launcher, ['--config-dir', join(folder, 'config'), ...args], {
      encoding: 'utf8',
      env,
      input: '',
    })
  const version = run('--version')
  assert.deepEqual([version.status, version.stdout, version.stderr], [0, '0.1.0\n', ''])
  const { url, pin, token } = await startServer(t, { launcher: [launcher], env })
  const login = run('login', url, '--pin', pin, '--token', token)
  assert.equal(login.status, 0, login.stderr)
  assert.match(run('fleet', 'list').stdout, /^no fleets/i)
  const page = await readPage(`${url}/sign-in`)
  const script = /src="(\/assets\/app-[^"]+\.js)"/.exec(page)?.[1]
  assert.ok(script !== undefined, page)
  assert.match(await readPage(`${url}${script}`), /recovery/i)
})

/** Reads what a browser would get from the server of this test, whose certificate is its own. */
function readPage(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { rejectUnauthorized: false, agent: false }, (response) => {
      assert.equal(response.statusCode, 200, url)
      text(response).then(resolve, reject)
    }).on('error', reject)
  })
}

test('every program that the packed command line starts is named by its manifest, and loads', () => {
  const cli = join(modules, '@seaworthy/cli')
  const started = readdirSync(join(cli, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js'))
    .flatMap((path) => [
      ...readFileSync(join(cli, 'src', path), 'utf8').matchAll(
        /import\.meta\.resolve\('(@seaworthy\/[^/']+)\/([^']+)'\)/g,
      ),
    ])
  const programs = new Map(
    started.map(([, name, program]) => [`${name}/${program}`, { name: name!, program: program! }]),
  )
  // The pages are packed as they are served, and not what builds them.
  programs.delete('@seaworthy/web/build')
  programs.delete('@seaworthy/web/pages')
  assert.ok(programs.size >= 3, [...programs.keys()].join())
  const { dependencies = {} } = readManifest(cli)
  for (const { name, program } of programs.values()) {
    assert.ok(name in dependencies, name)
    const file = join(modules, name, readManifest(join(modules, name)).exports![`./${program}`]!)
    // It reads its options only after all of its imports were found.
    const loaded = spawnSync(process.execPath, [file, '--nonsense'], { env, encoding: 'utf8' })
    assert.match(loaded.stderr, /nonsense|^Usage/, `${name}: ${loaded.stderr}`)
    assert.doesNotMatch(loaded.stderr, /ERR_(?!PARSE_ARGS)/, name)
  }
})

test('nothing that only tests use is packed, and no types', () => {
  const packed = readdirSync(join(modules, '@seaworthy'), { recursive: true, encoding: 'utf8' })
  assert.ok(packed.length > 300, `${packed.length} files`)
  const stray = /\.(?:test|suite|fixture|golden)\.|\/testing(?:\/|\.|$)|\.ts$/
  assert.deepEqual(
    packed.filter((path) => stray.test(path)),
    [],
  )
})
