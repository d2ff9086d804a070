/** Time, chance, waiting, the network, the environment and folders come from outside. */
import type { Rule } from './rule.ts'
import { at, banCalls, findPattern, isPure } from './rule.ts'
import type { SourceFile } from './source-tree.ts'

/**
 * The file gives the name `fetch` to something of its own: a parameter, a destructured field, a
 * constant.
 */
const bindsFetch = (file: SourceFile) =>
  /[{,(]\s*fetch\s*[,}:)=?]|\b(?:const|function)\s+fetch\b|\bfetch\(\w+\??:/.test(file.code)

export const portRules: Rule[] = [
  banCalls(
    'time comes as a value or a Clock',
    [
      { pattern: /\bDate\.now\b/g, instead: 'take `now` or a Clock (std/time)' },
      {
        pattern: /\bnew Date\s*(?:\(\s*\)|(?![\s(\w$]))/g,
        instead: 'take `now` or a Clock (std/time)',
      },
      { pattern: /(?<![\w$.]|new )Date\s*\(/g, instead: 'take `now` or a Clock (std/time)' },
      { pattern: /\bperformance\.now\b/g, instead: 'take a Clock (std/time)' },
    ],
    {
      caught: [
        at('const a = Date.now()'),
        at('const a = new Date()'),
        at('const a = new Date( )'),
        at('const a = new Date'),
        at('const a = Date()'),
        at('const f = Date.now'),
        at('const a = performance.now()'),
        ['sim/src/world.ts', 'const a = Date.now()'],
      ],
      passes: [
        at('const a = new Date(ms)'),
        at('// never Date.now()'),
        at("const a = 'Date.now()'"),
        at('const a: Date = clock.now()'),
        at('function parseDate(a: Date): Date {}'),
        ['packages/std/src/time.ts', 'export const a = () => new Date()'],
        ['packages/agent/src/main.ts', 'const a = Date.now()'],
        ['packages/agent/src/a.test.ts', 'const a = Date.now()'],
      ],
    },
  ),
  banCalls(
    'chance comes as a Random',
    [
      { pattern: /\bMath\.random\b/g, instead: 'take a Random (std/random)' },
      { pattern: /\brandomUUID\b/g, instead: 'std/ids makes identifiers' },
      {
        pattern: /\b(?:getRandomValues|randomBytes|randomInt)\b/g,
        instead: 'take a Random (std/random)',
      },
    ],
    {
      caught: [
        at('const a = Math.random()'),
        at('const a = crypto.randomUUID()'),
        at('crypto.getRandomValues(a)'),
        at("import { randomBytes } from 'node:crypto'"),
      ],
      passes: [at('const a = random.bytes(16)'), at('// Math.random is banned')],
    },
  ),
  banCalls(
    'waiting comes as a Sleep',
    [
      { pattern: /(?<![\w$.])(?:setTimeout|setInterval)\b/g, instead: 'take a Sleep (std/time)' },
      {
        pattern: /\bglobalThis\.(?:setTimeout|setInterval)\b/g,
        instead: 'take a Sleep (std/time)',
      },
      { pattern: /\bAbortSignal\.timeout\b/g, instead: 'take a Sleep and an AbortController' },
    ],
    {
      caught: [
        at('setTimeout(a, 5)'),
        at('await promisify(setTimeout)(5)'),
        at("import { setTimeout as wait } from 'node:timers/promises'"),
        at('globalThis.setInterval(a, 5)'),
        at('AbortSignal.timeout(5)'),
      ],
      passes: [at('await sleep(5)'), at('socket.setTimeout(5)'), at('clearTimeout(timer)')],
    },
  ),
  {
    name: 'the network comes as a Fetch',
    appliesTo: isPure,
    check: (file) => [
      ...findPattern(file, /\b(?:globalThis|global|window|self)\.fetch\b/g, () => 'take a Fetch'),
      ...findPattern(file, /(?<![\w$.])fetch\s*\(/g, () => 'take a Fetch').filter(
        () => !bindsFetch(file),
      ),
      ...findPattern(file, /[:=]\s*fetch\b(?!\s*[(:])/g, () => 'take a Fetch').filter(
        () => !bindsFetch(file),
      ),
    ],
    caught: [
      at("await fetch('https://a')"),
      at('const get = globalThis.fetch'),
      at('const client = { get: fetch }'),
    ],
    passes: [
      at('const load = async ({ fetch }: Ports) => fetch(path)'),
      at('await ports.fetch(path)'),
      at('interface Ports { fetch(path: string): void }'),
    ],
  },
  banCalls(
    'only main.ts reads the environment',
    [{ pattern: /\bprocess\.env\b|\bprocess\[/g, instead: 'take configuration' }],
    {
      caught: [
        at("const a = process.env['A']"),
        at('const { env } = process.env'),
        ['packages/server/src/config/env.ts', 'const a = process.env'],
      ],
      passes: [
        ['packages/agent/src/main.ts', 'const a = process.env'],
        ['packages/agent/bin/seaworthy-agent.mjs', 'const a = process.env'],
        ['packages/cli/demo-app/stand-in/server.mjs', 'const a = process.env'],
        at('const a = env.process'),
      ],
    },
    // The demo's application is somebody's, and reads what applications read.
    (file) => isPure(file) && !file.path.startsWith('packages/cli/demo-app/'),
  ),
  banCalls(
    'folders are made with makeFolders',
    [
      {
        pattern: /\bmkdir(?:Sync)?\([^\n;]*?\brecursive:/g,
        instead: 'it never ends below /proc; makeFolders (oci/folders) does',
      },
    ],
    {
      caught: [
        at('await mkdir(path, { recursive: true })'),
        at('mkdirSync(join(a, b), { mode, recursive: true })'),
      ],
      passes: [at('await mkdir(path)'), at('makeFolders(path)\nrm(path, { recursive: true })')],
    },
    (file) => !file.isTest && file.path.startsWith('packages/'),
  ),
  banCalls(
    'paths are taken apart by node:path',
    [
      {
        pattern: /\.slice\(\s*0\s*,\s*[\w.]+\.lastIndexOf\b/g,
        instead: 'dirname, without a slash too',
      },
      {
        pattern: /\.slice\(\s*(?:dir|folder|root)\.length\s*\+\s*1\s*\)/g,
        instead: 'relative, however the folder was written',
      },
    ],
    {
      caught: [
        at("const parent = path.slice(0, path.lastIndexOf('/'))"),
        at('const inner = path.slice(folder.length + 1)'),
      ],
      passes: [
        at('const parent = dirname(path)'),
        at("const name = path.slice(path.lastIndexOf('/') + 1)"),
        at('const name = role.slice(product.length + 1)'),
      ],
    },
  ),
  {
    name: 'no program loads all of fetch for a name of node:http',
    appliesTo: (file) => !file.isTest && /^packages\/\w+\/(?:src|bin)\//.test(file.path),
    check: (file) =>
      [...file.source.matchAll(/^import (?!type\b)[^;\n]* from 'node:http'/gm)].map((match) => ({
        line: file.source.slice(0, match.index).split('\n').length,
        text: 'take plainHttp (oci/plain-http)',
      })),
    caught: [
      at("import { request } from 'node:http'"),
      at("import type { Agent } from 'node:http'\nimport { get } from 'node:http'"),
    ],
    passes: [
      at("import type { Agent } from 'node:http'"),
      at("import { request } from 'node:https'"),
      ['packages/agent/src/a.test.ts', "import { get } from 'node:http'"],
    ],
  },
]
