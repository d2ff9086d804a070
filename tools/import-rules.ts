/**
 * The imports that are allowed: the table of docs/ARCHITECTURE.md, and the layers inside the
 * server.
 */
import { posix } from 'node:path'
import type { Rule } from './rule.ts'
import { findPattern } from './rule.ts'
import type { SourceFile } from './source-tree.ts'

/** Workspace packages each package may import. */
const allowedPackages: Record<string, readonly string[]> = {
  std: [],
  trust: ['std'],
  fleet: ['std'],
  api: ['std', 'fleet'],
  oci: ['std'],
  sbom: ['std'],
  response: ['std'],
  agent: ['std', 'trust', 'oci', 'api'],
  cli: ['std', 'trust', 'oci', 'sbom', 'response', 'fleet', 'api'],
  server: ['std', 'trust', 'oci', 'response', 'fleet', 'api'],
  web: ['std', 'trust', 'fleet', 'api'],
}
/** Packages that must run in a browser too. */
export const nodeFree = ['std', 'trust', 'fleet', 'response', 'api', 'web']
const thirdPartyFree = ['std', 'trust', 'fleet', 'response']
/** What a layer of the server may not see. */
const hiddenLayers: Record<string, readonly string[]> = {
  http: ['db', 'tasks'],
  app: ['http', 'tasks'],
  tasks: ['http', 'db'],
  db: ['http', 'app', 'tasks'],
}
/** The programs that the command line starts, and the pages that it hands on. */
const startedByCli =
  /^@seaworthy\/(?:(?:server|agent)\/main|server\/transfers|sim\/stolen|web\/(?:build|pages))$/
/** What every test may import although no package may ship it. */
const testOnlyModules = /^(?:node:|fast-check$|tuf-js$|@tufjs\/)/

const inPackages = (file: SourceFile) => file.path.startsWith('packages/')
const packageOf = (specifier: string) => /^@seaworthy\/([^/]+)/.exec(specifier)?.[1]
const isRelative = (specifier: string) => /^\.{1,2}(?:\/|$)/.test(specifier)
const resolveFrom = (file: SourceFile, specifier: string) =>
  posix.join(posix.dirname(file.path), specifier)
/** The folder of `server/src/app` that a path lies in. */
const roomOf = (path: string) => /^packages\/server\/src\/app\/([\w-]+)\//.exec(path)?.[1]
const layerOf = (path: string) => /^packages\/server\/src\/(\w+)\//.exec(path)?.[1] ?? ''

export const importRules: Rule[] = [
  {
    name: 'packages import only what the table of docs/ARCHITECTURE.md allows',
    appliesTo: inPackages,
    check: (file) =>
      file.imports.flatMap(({ specifier, line, kind }) => {
        const target = packageOf(specifier)
        const allowed = [file.workspace, ...(allowedPackages[file.workspace] ?? [])]
        if (target === undefined || allowed.includes(target)) return []
        // The command line starts programs as processes of their own: a path, not code.
        if (file.workspace === 'cli' && kind === 'resolve') {
          if (startedByCli.test(specifier)) return []
        }
        return [{ line, text: `${file.workspace} may not import ${specifier}` }]
      }),
    caught: [
      ['packages/fleet/src/a.ts', "import type { A } from '@seaworthy/trust/tuf'"],
      ['packages/std/src/a.ts', "import '@seaworthy/trust/tuf'"],
      ['packages/agent/src/a.ts', "export { a } from '@seaworthy/server/app'"],
      ['packages/server/src/a.ts', "await import('@seaworthy/cli/commands')"],
      ['packages/server/src/a.ts', "import.meta.resolve('@seaworthy/agent/main')"],
      ['packages/cli/src/a.ts', "import { a } from '@seaworthy/server/main'"],
      ['packages/cli/src/a.ts', "import { a } from '@seaworthy/web/build'"],
      ['packages/web/src/a.tsx', "import { a } from '@seaworthy/oci/tar'"],
      ['packages/trust/src/a.test.ts', "import { a } from '@seaworthy/oci/tar'"],
      ['packages/oci/src/a.ts', "import { a } from '@seaworthy/sim/world'"],
      ['packages/newcomer/src/a.ts', "import { a } from '@seaworthy/std/time'"],
    ],
    passes: [
      ['packages/server/src/a.ts', "import { a } from '@seaworthy/trust/tlog'"],
      ['packages/cli/src/a.ts', "import.meta.resolve('@seaworthy/server/main')"],
      ['sim/src/a.ts', "import { a } from '@seaworthy/server/app'"],
    ],
  },
  {
    name: 'nothing imports sim, bench or tools',
    appliesTo: (file) =>
      file.workspace !== 'sim' && file.workspace !== 'bench' && file.workspace !== 'tools',
    check: (file) =>
      file.imports.flatMap(({ specifier, line, kind }) => {
        const path = isRelative(specifier) ? resolveFrom(file, specifier) : ''
        if (file.workspace === 'cli' && kind === 'resolve' && startedByCli.test(specifier))
          return []
        if (file.isTest && path === 'tools/golden.ts') return []
        return /^(?:sim|bench|tools)\//.test(path) || /^@seaworthy\/(?:sim|bench)\b/.test(specifier)
          ? [{ line, text: `${specifier} is for development only` }]
          : []
      }),
    caught: [
      ['packages/agent/src/a.ts', "import { a } from '@seaworthy/sim/world'"],
      ['packages/agent/src/a.ts', "import { a } from '../../../tools/golden.ts'"],
      ['packages/agent/src/a.test.ts', "import { a } from '../../../sim/src/world.ts'"],
      ['packages/cli/src/a.ts', "import { a } from '@seaworthy/sim/stolen'"],
      ['packages/cli/src/a.ts', "import.meta.resolve('@seaworthy/sim/world')"],
    ],
    passes: [
      ['packages/cli/src/a.ts', "import.meta.resolve('@seaworthy/sim/stolen')"],
      ['packages/agent/src/a.test.ts', "import { a } from '../../../tools/golden.ts'"],
    ],
  },
  {
    name: 'no relative path leads out of a package',
    appliesTo: (file) => file.workspace !== 'tools',
    check: (file) => {
      const home = file.path.startsWith('packages/')
        ? `packages/${file.workspace}/`
        : `${file.workspace}/`
      return file.imports.flatMap(({ specifier, line }) => {
        if (!isRelative(specifier)) return []
        const path = resolveFrom(file, specifier)
        return path.startsWith(home) || (file.isTest && path === 'tools/golden.ts')
          ? []
          : [{ line, text: `${specifier}: import it as @seaworthy/…` }]
      })
    },
    caught: [
      ['packages/agent/src/a.ts', "import { a } from '../../std/src/time.ts'"],
      ['sim/src/a.ts', "import { a } from '../../packages/std/src/time.ts'"],
      ['packages/agent/src/a.ts', "export { a } from '../..'"],
    ],
    passes: [['packages/agent/src/deep/a.ts', "import { a } from '../time.ts'"]],
  },
  {
    name: 'every import names its module as a string',
    appliesTo: (file) => !file.isTest && !file.isMain,
    check: (file) =>
      file.imports.flatMap(({ specifier, line }) =>
        specifier === '' ? [{ line, text: 'a computed import cannot be checked' }] : [],
      ),
    caught: [['packages/agent/src/a.ts', 'await import(name)']],
    passes: [['packages/agent/src/a.ts', "await import('./a.ts')"]],
  },
  {
    name: 'browser-safe packages use nothing of Node',
    appliesTo: (file) =>
      nodeFree.includes(file.workspace) &&
      !file.isTest &&
      !file.isMain &&
      !file.path.startsWith('packages/web/build/'),
    check: (file) => [
      ...file.imports.flatMap(({ specifier, line }) =>
        /^(?:node:|fs$|path$|crypto$|buffer$|util$|stream$|http$|https$|net$|os$)/.test(specifier)
          ? [{ line, text: `${specifier}: take a port instead` }]
          : [],
      ),
      ...findPattern(
        file,
        /(?<![.\w$'"])(?:Buffer|process|__dirname|__filename)(?![\w$]|\s*:)/g,
        (name) => `${name} exists in Node only`,
      ),
    ],
    caught: [
      ['packages/trust/src/a.ts', "import { createHash } from 'node:crypto'"],
      ['packages/trust/src/a.ts', "import type { Hash } from 'crypto'"],
      ['packages/std/src/a.ts', 'export const a = Buffer.from([1])'],
      ['packages/api/src/a.ts', 'process.stdout.write(a)'],
      ['packages/web/src/pages/a.tsx', "import { join } from 'node:path'"],
    ],
    passes: [
      ['packages/trust/src/a.test.ts', "import { createHash } from 'node:crypto'"],
      ['packages/trust/src/a.ts', 'export const a = new Uint8Array() // not a Buffer'],
      ['packages/web/build/a.ts', "import { join } from 'node:path'"],
    ],
  },
  {
    name: 'std, trust and fleet have no third-party code',
    appliesTo: (file) => thirdPartyFree.includes(file.workspace),
    check: (file) =>
      file.imports.flatMap(({ specifier, line }) =>
        isRelative(specifier) ||
        specifier.startsWith('@seaworthy/') ||
        (file.isTest && testOnlyModules.test(specifier)) ||
        specifier.startsWith('node:')
          ? []
          : [{ line, text: `${specifier} is not ours` }],
      ),
    caught: [
      ['packages/trust/src/a.ts', "import { verify } from '@noble/ed25519'"],
      ['packages/fleet/src/a.ts', "import { z } from 'zod'"],
      ['packages/std/src/a.ts', "import fc from 'fast-check'"],
      ['packages/trust/src/a.test.ts', "import { z } from 'zod'"],
    ],
    passes: [['packages/trust/src/a.test.ts', "import fc from 'fast-check'"]],
  },
  {
    name: 'layers of the server: http → app → db, tasks → app',
    appliesTo: (file) => layerOf(file.path) in hiddenLayers && !file.isTest,
    check: (file) =>
      file.imports.flatMap(({ specifier, line }) => {
        const target = isRelative(specifier)
          ? layerOf(resolveFrom(file, specifier))
          : (/^@seaworthy\/server\/(\w+)/.exec(specifier)?.[1] ?? '')
        return hiddenLayers[layerOf(file.path)]!.includes(target)
          ? [{ line, text: `${layerOf(file.path)} may not import ${target}` }]
          : []
      }),
    caught: [
      ['packages/server/src/http/a.ts', "import { a } from '../db/a.ts'"],
      ['packages/server/src/http/registry/a.ts', "import type { a } from '../../db/a.ts'"],
      ['packages/server/src/app/a.ts', "import { a } from '../http/a.ts'"],
      ['packages/server/src/db/a.ts', "import { a } from '../app/a.ts'"],
      ['packages/server/src/tasks/a.ts', "import { a } from '../db/a.ts'"],
      ['packages/server/src/db/a.ts', "import { a } from '@seaworthy/server/app'"],
    ],
    passes: [
      ['packages/server/src/http/a.ts', "import { a } from '../app/a.ts'"],
      ['packages/server/src/app/a.ts', "import { a } from '../db/a.ts'"],
      ['packages/server/src/main.ts', "import { a } from './db/a.ts'"],
    ],
  },
  {
    name: 'rooms of server/src/app are entered through their index.ts',
    // `app.ts` names the types of its parts by their files: their indexes lead back to it.
    appliesTo: (file) =>
      file.path.startsWith('packages/server/') &&
      !file.isTest &&
      file.path !== 'packages/server/src/app/app.ts',
    check: (file) =>
      file.imports.flatMap(({ specifier, line }) => {
        const path = isRelative(specifier) ? resolveFrom(file, specifier) : ''
        const room = roomOf(path)
        return room === undefined ||
          room === roomOf(file.path) ||
          path.endsWith(`/${room}/index.ts`)
          ? []
          : [{ line, text: `${specifier}: import what app/${room}/index.ts gives` }]
      }),
    caught: [
      ['packages/server/src/http/a.ts', "import { a } from '../app/trust/a.ts'"],
      ['packages/server/src/app/devices/a.ts', "import type { A } from '../trust/a.ts'"],
      ['packages/server/src/server.ts', "import { a } from './app/foreign/ddi/index.ts'"],
      ['packages/server/src/app/why.ts', "export { a } from './devices/devices.ts'"],
    ],
    passes: [
      ['packages/server/src/http/a.ts', "import { a } from '../app/trust/index.ts'"],
      ['packages/server/src/app/foreign/ddi/a.ts', "import { a } from '../a.ts'"],
      ['packages/server/src/app/devices/a.ts', "import { a } from '../views.ts'"],
      ['packages/server/src/app/app.ts', "import type { A } from './trust/a.ts'"],
      ['packages/server/src/http/a.test.ts', "import { a } from '../app/trust/a.ts'"],
    ],
  },
  {
    name: 'only the database layer knows the driver',
    appliesTo: (file) => inPackages(file) && !file.isTest,
    check: (file) =>
      file.imports.flatMap(({ specifier, line }) =>
        /^(?:postgres|pg)$/.test(specifier) && layerOf(file.path) !== 'db'
          ? [{ line, text: 'the driver belongs to packages/server/src/db' }]
          : [],
      ),
    caught: [['packages/server/src/app/a.ts', "import postgres from 'postgres'"]],
    passes: [['packages/server/src/db/pool.ts', "import postgres from 'postgres'"]],
  },
  {
    name: 'what ships does not import what only tests use',
    appliesTo: (file) => !file.isTest && file.workspace !== 'sim' && file.workspace !== 'bench',
    check: (file) =>
      file.imports.flatMap(({ specifier, line }) =>
        /\.(?:test|suite|fixture)\.ts$|\/testing(?:\.ts$|\/|$)|^node:test|^fast-check$/.test(
          specifier,
        )
          ? [{ line, text: `${specifier} is for tests` }]
          : [],
      ),
    caught: [
      ['packages/oci/src/a.ts', "import { a } from './a.test.ts'"],
      ['packages/oci/src/a.ts', "import { a } from './store.suite.ts'"],
      ['packages/trust/src/tlog/a.ts', "import { a } from './testing.ts'"],
      ['packages/oci/src/a.ts', "import fc from 'fast-check'"],
    ],
    passes: [['packages/oci/src/a.test.ts', "import { a } from './store.suite.ts'"]],
  },
]
