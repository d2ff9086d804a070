/** A product, its releases, fleets, devices and rollouts, made with the command line. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Page } from 'playwright-core'
import type { WebServer } from './server.ts'

const launcher = fileURLToPath(new URL('../../../cli/bin/seaworthy', import.meta.url))

/** A machine of somebody with a token of the server and the only key of the product. */
export interface Machine {
  /** Runs the command line; answers what it printed. */
  readonly run: (...args: readonly string[]) => Promise<string>
  /** The path of a file in the folder where commands run. */
  readonly path: (name: string) => string
  /** Options with which a command signs. */
  readonly sign: readonly string[]
  readonly remove: () => Promise<void>
}

export async function createMachine(server: WebServer): Promise<Machine> {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-pages-'))
  const env = { ...process.env, SEAWORTHY_CONFIG: join(folder, 'config'), NO_COLOR: '1' }
  const run = async (...args: readonly string[]) => {
    const done = await promisify(execFile)(launcher, ['--yes', ...args], { cwd: folder, env })
    return done.stdout
  }
  const passphrase = ['--passphrase-file', 'passphrase']
  await writeFile(join(folder, 'passphrase'), 'for tests of pages only\n', { mode: 0o600 })
  await run('login', server.origin, '--pin', server.pin, '--token', server.token)
  await run('key', 'create', 'one.key', ...passphrase)
  for (const version of ['1.0.0', '1.1.0', '1.2.0']) {
    await writeFile(join(folder, `image-${version}`), `image ${version}\n`.repeat(2000))
  }
  return {
    run,
    path: (name) => join(folder, name),
    sign: ['--sign-with', 'one.key', ...passphrase],
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** Makes a product with a channel, two fleets and six devices. */
export async function fillFleets({ run, sign }: Machine): Promise<void> {
  await run('trust', 'init', '--root-key', 'one.key', '--threshold', '1', ...sign.slice(2))
  await run('product', 'create', 'gateway', '--kind', 'os-image', ...sign)
  const channel = ['channel', 'create', 'gateway', 'stable', '--key', 'one.key']
  await run(...channel, '--threshold', '1', ...sign)
  for (const fleet of ['harbour', 'shops']) {
    await run('fleet', 'create', fleet, '--product', 'gateway', '--channel', 'stable')
  }
}

/** Adds six devices; answers the token of each by its name. */
export async function fillDevices({ run }: Machine): Promise<ReadonlyMap<string, string>> {
  const tokens = new Map<string, string>()
  for (let i = 1; i <= 6; i++) {
    const name = `gate-${i}`
    const device = ['--name', name, '--protocol', 'ddi', '--platform', 'linux/arm64']
    const made = await run(
      ...['--json', 'device', 'create', ...device, '--tag', i === 3 ? 'site=north' : 'site=south'],
      ...['--fleet', i % 2 === 0 ? 'harbour' : 'shops'],
    )
    tokens.set(name, (JSON.parse(made) as { token: string }).token)
  }
  return tokens
}

/** Sets variables of a fleet and of a device, and a secret that the server holds. */
export async function fillSettings({ run, path }: Machine): Promise<void> {
  const ofFleet = ['--fleet', 'harbour']
  await run('variable', 'set', 'LOG_LEVEL', 'info', ...ofFleet)
  await run('variable', 'set', 'UPSTREAM', 'https://collector.example/v1/measurements', ...ofFleet)
  await writeFile(path('api-token'), 'for screenshots only')
  const held = ['--product', 'gateway', '--server-held', '--file', 'api-token']
  await run('secret', 'set', 'API_TOKEN', ...ofFleet, ...held)
}

/** Packs and publishes the release. */
export async function publishImage({ run, sign }: Machine, version: string): Promise<void> {
  const source = ['--platform', 'linux/arm64', '--from', `image-${version}`, '--raw']
  await run('release', 'create', 'gateway', version, ...source)
  await run('publish', 'gateway', version, '--channel', 'stable', ...sign)
}

/** Makes a product of bundles and registers two releases of it, which differ in their program. */
export async function fillBundles({ run, path, sign }: Machine): Promise<void> {
  await run('product', 'create', 'tool', '--kind', 'bundle', ...sign)
  for (const version of ['1.0.0', '1.1.0']) {
    const folder = path(`tool-${version}`)
    const library = join(folder, 'node_modules', 'left-pad')
    await mkdir(library, { recursive: true })
    await mkdir(join(folder, 'bin'))
    await writeFile(join(folder, 'bin', 'run'), `#!/bin/sh\n# ${version}\n`, { mode: 0o755 })
    await writeFile(join(folder, 'seaworthy.json'), '{"start":["./bin/run"]}')
    const about = { name: 'left-pad', version: '1.3.0', license: 'MIT' }
    await writeFile(join(library, 'package.json'), JSON.stringify(about))
    const source = ['--platform', 'linux/arm64', '--from', `tool-${version}`]
    await run('release', 'create', 'tool', version, ...source)
  }
}

/** Lets a device ask what it should run, from the browser. */
export async function pollAs(page: Page, name: string, token: string): Promise<string> {
  return page.evaluate(
    async ([address, authorization]) => {
      const reply = await fetch(address, { headers: { authorization } })
      return `${reply.status} ${await reply.text()}`
    },
    [`/DEFAULT/controller/v1/${name}`, `TargetToken ${token}`] as const,
  )
}
