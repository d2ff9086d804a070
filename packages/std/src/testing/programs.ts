/**
 * Every program of others that a test starts: what it is called, and how to get it. A test asks
 * here before it starts one, and is skipped with the answer where something is missing. A build
 * machine (SEAWORTHY_TEST_STRICT=1) has everything, so a missing program is a failure there. The
 * programs that every Debian has (sh, tar, coreutils) need not be asked for.
 */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { hash } from 'node:crypto'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'node:test'

/**
 * Each kind of program, with the names under which it may be found (the first that exists is used)
 * and how to install it.
 */
const optionalPrograms = {
  bash: { names: ['bash'], install: 'apt install bash' },
  chromium: { names: ['chromium'], install: 'apt install chromium' },
  'container runtime': { names: ['runc', 'crun'], install: 'apt install crun' },
  cpio: { names: ['cpio'], install: 'apt install cpio' },
  crane: {
    names: [toolPath('registry-clients', 'go.mod', 'crane')],
    install: 'run tools/registry-clients/install',
  },
  csaf_checker: {
    names: [toolPath('csaf-checker', 'go.mod', 'csaf_checker')],
    install: 'run tools/csaf-checker/install',
  },
  curl: { names: ['curl'], install: 'apt install curl' },
  debootstrap: { names: ['/usr/sbin/debootstrap'], install: 'apt install debootstrap' },
  dpkg: { names: ['dpkg'], install: 'apt install dpkg' },
  'dpkg-query': { names: ['dpkg-query'], install: 'apt install dpkg' },
  fish: { names: ['fish'], install: 'apt install fish' },
  gpg: { names: ['gpg'], install: 'apt install gnupg' },
  jq: { names: ['jq'], install: 'apt install jq' },
  mksquashfs: { names: ['mksquashfs'], install: 'apt install squashfs-tools' },
  npx: { names: ['npx'], install: 'apt install npm' },
  objcopy: { names: ['objcopy'], install: 'apt install binutils' },
  'odata-clients': {
    names: [
      toolPath(
        'odata-clients',
        'package-lock.json',
        'node_modules/pinejs-client-core/dist/index.js',
      ),
    ],
    install: 'run tools/odata-clients/install',
  },
  'openapi-client': {
    names: [toolPath('openapi-client', 'go.mod', 'oapi-codegen')],
    install: 'run tools/openapi-client/install',
  },
  openssl: { names: ['openssl'], install: 'apt install openssl' },
  oras: {
    names: [toolPath('registry-clients', 'go.mod', 'oras')],
    install: 'run tools/registry-clients/install',
  },
  pebble: {
    names: [toolPath('pebble', 'go.mod', 'pebble')],
    install: 'run tools/pebble/install',
  },
  podman: { names: ['podman'], install: 'apt install podman' },
  'postgres 15': {
    names: ['/usr/lib/postgresql/15/bin/postgres'],
    install: 'apt install postgresql-15',
  },
  prometheus: { names: ['prometheus'], install: 'apt install prometheus' },
  promtool: { names: ['promtool'], install: 'apt install prometheus' },
  rauc: { names: ['rauc'], install: 'apt install rauc' },
  'rauc-hawkbit': {
    names: [toolPath('rauc-hawkbit', 'requirements.txt', 'bin/python3')],
    install: 'run tools/rauc-hawkbit/install',
  },
  regctl: {
    names: [toolPath('registry-clients', 'go.mod', 'regctl')],
    install: 'run tools/registry-clients/install',
  },
  script: { names: ['script'], install: 'apt install bsdutils' },
  skopeo: { names: ['skopeo'], install: 'apt install skopeo' },
  swupdate: { names: ['swupdate'], install: 'apt install swupdate' },
  'systemd-analyze': { names: ['systemd-analyze'], install: 'apt install systemd' },
  versitygw: {
    names: [toolPath('versitygw', 'go.mod', 'versitygw')],
    install: 'run tools/versitygw/install',
  },
  zip: { names: ['zip'], install: 'apt install zip' },
  zsh: { names: ['zsh'], install: 'apt install zsh' },
  zstd: { names: ['zstd'], install: 'apt install zstd' },
} as const satisfies Record<string, { names: readonly string[]; install: string }>

export type OptionalProgram = keyof typeof optionalPrograms
export const optionalProgramNames = Object.keys(optionalPrograms) as OptionalProgram[]

/** The path at which `tools/NAME/install` puts the program, by the file that pins it. */
function toolPath(name: string, pins: string, program: string): string {
  const text = readFileSync(new URL(`../../../../tools/${name}/${pins}`, import.meta.url))
  const version = hash('sha256', text, 'hex').slice(0, 16)
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  return join(cache, 'seaworthy', `${name}-${version}`, program)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return existsSync(file)
  } catch {
    return false
  }
}

/** The path of the program, or `undefined` where it is not installed. */
export function findProgram(program: OptionalProgram): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return optionalPrograms[program].names
    .flatMap((name) => (name.startsWith('/') ? [name] : folders.map((f) => join(f, name))))
    .find(isExecutable)
}

/**
 * Why a test that starts these programs cannot run here, or `false`. Throws instead when the tests
 * are strict.
 */
export function lacks(...programs: readonly OptionalProgram[]): string | false {
  const missing = programs.find((program) => findProgram(program) === undefined)
  if (missing === undefined) return false
  const text = `needs ${missing} (${optionalPrograms[missing].install})`
  if (process.env['SEAWORTHY_TEST_STRICT'] === '1') throw new Error(text)
  return text
}

/** Skips the test where one of the programs is missing. */
export function skipWithout(t: TestContext, ...programs: readonly OptionalProgram[]): boolean {
  const missing = lacks(...programs)
  if (missing === false) return false
  t.skip(missing)
  return true
}
