/**
 * The house rules that a machine can check, one object each, with the code that it must catch and
 * the code that it must let through. `tidy.test.ts` runs them over the repository and over their
 * own examples.
 */
import { posix } from 'node:path'
import type { Rule } from './import-rules.ts'
import { findPattern, importRules } from './import-rules.ts'
import { programRules } from './program-rules.ts'
import { proseRules } from './prose-rules.ts'
import { spreadRule } from './spread-rules.ts'
import { lineAt } from './source-scan.ts'
import type { SourceFile } from './source-tree.ts'

const linesMax = 500
const isTypeScript = (file: SourceFile) => /\.tsx?$/.test(file.path)

const inPackages = (file: SourceFile) => file.path.startsWith('packages/')

/** Shipped code, which must be handed its time, chance and network. */
const isPure = (file: SourceFile) =>
  (file.path.startsWith('packages/') || file.path.startsWith('sim/')) &&
  file.workspace !== 'std' &&
  !file.isTest &&
  !file.isMain

function banCalls(
  name: string,
  bans: readonly { pattern: RegExp; instead: string }[],
  examples: Pick<Rule, 'caught' | 'passes'>,
  appliesTo = isPure,
): Rule {
  return {
    name,
    appliesTo,
    check: (file) =>
      bans.flatMap(({ pattern, instead }) =>
        findPattern(file, pattern, (match) => `${match}: ${instead}`),
      ),
    ...examples,
  }
}

const at = (source: string): readonly [string, string] => ['packages/agent/src/a.ts', source]

/**
 * The file gives the name `fetch` to something of its own: a parameter, a destructured field, a
 * constant.
 */
const bindsFetch = (file: SourceFile) =>
  /[{,(]\s*fetch\s*[,}:)=?]|\b(?:const|function)\s+fetch\b|\bfetch\(\w+\??:/.test(file.code)

/** Who decides what should run where; `trust` and `agent` judge for themselves, on purpose. */
const decidesByFleet = (file: SourceFile) =>
  /^packages\/(?:fleet|server|cli|web)\/src\//.test(file.path) &&
  !file.path.startsWith('packages/server/src/stolen/') &&
  file.path !== 'packages/fleet/src/releases/order.ts' &&
  !file.isTest

/** Lists of states and pairs of comparisons that say which ends of an update are failures. */
const endsOfAnUpdate = [
  /\[[^[\]]*'rolled_back'[^[\]]*\]/g,
  /\b\w*[sS]tate [!=]== '(?:rolled_back|failed)'\s*(?:\|\||&&)\s*[\w.]*[sS]tate [!=]== '(?:rolled_back|failed)'/g,
]

export const houseRules: Rule[] = [
  {
    name: 'the ends of an update are listed in fleet/src/rollouts',
    appliesTo: (file) =>
      /^packages\/(?:fleet|server|cli|web)\/src\//.test(file.path) &&
      !/^packages\/fleet\/src\/rollouts\/(?:rollout|update-(?:ends|states))\.ts$/.test(file.path) &&
      !file.isTest,
    check: (file) =>
      endsOfAnUpdate.flatMap((pattern) =>
        [...file.source.matchAll(pattern)].map(({ index }) => ({
          line: lineAt(file.source, index),
          text: 'use isEnd, isToldFailure, counterOf or updateStates of @seaworthy/fleet/rollouts',
        })),
      ),
    caught: [
      [
        'packages/server/src/app/a.ts',
        "if (['committed', 'rolled_back', 'failed'].includes(state)) f()",
      ],
      ['packages/cli/src/a.ts', "const is = a.state === 'failed' || a.state === 'rolled_back'"],
    ],
    passes: [
      [
        'packages/fleet/src/rollouts/update-ends.ts',
        "const ends = ['committed', 'rolled_back'] as const",
      ],
      ['packages/server/src/app/a.ts', "if (state === 'rolled_back') f(codes[0])"],
      ['packages/server/src/app/a.test.ts', "const states = ['rolled_back', 'failed']"],
    ],
  },
  ...importRules,
  ...programRules,
  ...proseRules,
  spreadRule,
  banCalls(
    'JSON is read by std/json: strictly, or as anybody reads it, and never by JSON.parse',
    [
      {
        pattern: /\bJSON\s*\.\s*parse\b/g,
        instead: 'take `parseJson` or `parseAnyJson` (std/json)',
      },
    ],
    {
      caught: [
        at('const value: unknown = JSON.parse(text)'),
        at('lines.map(JSON.parse)'),
        ['packages/std/src/log.ts', 'JSON.parse(text)'],
        ['packages/server/src/main.ts', 'JSON.parse(text)'],
      ],
      passes: [
        at('parseJson(bytes, openJson)'),
        at('JSON.stringify(value) // not JSON.parse'),
        ['packages/std/src/json.ts', 'JSON.parse(text)'],
        ['packages/agent/src/a.test.ts', 'JSON.parse(text)'],
      ],
    },
    (file) =>
      /^packages\/\w+\/src\//.test(file.path) &&
      !file.isTest &&
      file.path !== 'packages/std/src/json.ts',
  ),
  banCalls(
    'no value is said to be of every type',
    [
      {
        pattern: /\bas\s+never\b/g,
        instead: 'give it its type: unknown, a generic, or z.safeParse for a schema',
      },
    ],
    {
      caught: [
        at('return parsed.data as never'),
        at('call({ body: body as\n  never })'),
        ['sim/src/a.ts', 'f(a as never)'],
        ['packages/web/src/main.tsx', '<A b={c as never} />'],
      ],
      passes: [
        at('function refuse(): never {}'),
        at('// as never before'),
        at("say('as never')"),
        at('const names = list as neverEmpty'),
        ['packages/agent/src/a.test.ts', 'f({ broken: true } as never)'],
      ],
    },
    (file) => /^(?:packages|sim|bench)\//.test(file.path) && !file.isTest,
  ),
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
    'bodies of requests are read in server/src/http/bodies.ts, within their limits',
    [
      {
        pattern: /\b(?:req|request)\.(?:iterator|pipe|read|resume)\s*\(/g,
        instead: 'readBytes or readPieces (http/bodies.ts)',
      },
      {
        pattern: /\b(?:req|request)\.(?:on|once)\s*\(/g,
        instead: 'readBytes or readPieces (http/bodies.ts)',
      },
      {
        pattern: /\bof (?:req|request)\b(?!\.)/g,
        instead: 'readBytes or readPieces (http/bodies.ts)',
      },
    ],
    {
      caught: [
        ['packages/server/src/http/a.ts', 'for await (const piece of req) parts.push(piece)'],
        ['packages/server/src/http/a.ts', 'for await (const p of request as Body) use(p)'],
        ['packages/server/src/http/registry/a.ts', 'const pieces = request.iterator({})'],
        ['packages/server/src/http/a.ts', "req.on('data', take)"],
        ['packages/server/src/http/a.ts', 'req.pipe(file)'],
      ],
      passes: [
        ['packages/server/src/http/a.ts', 'for (const name of request.headers) use(name)'],
        ['packages/server/src/http/bodies.ts', 'for await (const piece of req) use(piece)'],
        ['packages/cli/src/a.ts', 'for await (const piece of request) use(piece)'],
      ],
    },
    (file) =>
      file.path.startsWith('packages/server/src/http/') &&
      file.path !== 'packages/server/src/http/bodies.ts' &&
      !file.isTest,
  ),
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
    'a refusal says of which union its code is',
    [
      {
        pattern:
          /\b(?:new (?:Refusal|TrustError)|refusalAs|refuseAs|throwRefusal|trustErrorsOf)\(/g,
        instead: 'new Refusal<ReleaseRefusal>(…), the closed union of its module',
      },
    ],
    {
      caught: [
        at("throw new Refusal('a', 'b')"),
        at("const e = new TrustError('a', 'b')"),
        at("const refuse: Refuse = refuseAs('a')"),
        at("throwRefusal('a', 'b')"),
      ],
      passes: [
        at("throw new Refusal<ReleaseRefusal>('a', 'b')"),
        at('new MyRefusal(a)'),
        at('const refuse: RefuseBy<ReleaseRefusal> = throwRefusal'),
        at("const malformed = refusalAs<ReleaseRefusal>('a')"),
      ],
    },
    (file) => inPackages(file) && file.path !== 'packages/std/src/refusal.ts' && !file.isTest,
  ),
  banCalls(
    'a refusal under another name is made by std/refusal',
    [
      {
        pattern:
          /(?:=>|\)(?::[^=;{}()]*)?\s*\{)\s*(?:\{\s*)?(?:throw |return )?new (?:Refusal|TrustError)<\w+>\(\s*(?:code|' *')\s*,\s*(?:what|why|(?:publicM|m)essage)\s*[,)]/g,
        instead: 'refuseAs, refusalAs, throwRefusal or trustErrorsOf',
      },
    ],
    {
      caught: [
        at("const tooMany = (why: string) => new Refusal<ARefusal>('too_many', why)"),
        at("function refuse(what: string): never {\n  throw new Refusal<A>('a', what)\n}"),
        at('const refuse = (code: A, what: string): never => { throw new Refusal<A>(code, what) }'),
        at('function f(code: A, message: string) {\n  return new TrustError<A>(code, message)\n}'),
      ],
      passes: [
        at("const tooMany = refusalAs<ARefusal>('too_many')"),
        at("const unknown = () => new Refusal<ARefusal>('a_unknown', 'no such a')"),
        at("if (fault !== null) throw new Refusal<ARefusal>('a_faulty', fault)"),
      ],
    },
    (file) => inPackages(file) && file.path !== 'packages/std/src/refusal.ts' && !file.isTest,
  ),
  banCalls(
    'a use case takes the few things it needs',
    [{ pattern: /\bapp: App\b/g, instead: "Pick<App, 'db' | …>" }],
    {
      caught: [
        ['packages/server/src/app/trust/a.ts', 'function a(app: App, now: Date) {}'],
        ['packages/server/src/tasks/a.ts', 'export function createA(app: App): Task {}'],
      ],
      passes: [
        ['packages/server/src/app/trust/a.ts', "function a(app: Pick<App, 'db'>) {}"],
        ['packages/server/src/http/index.ts', 'function a(app: App) {}'],
      ],
    },
    (file) => /^packages\/server\/src\/(?:app|tasks)\//.test(file.path) && !file.isTest,
  ),
  banCalls(
    'no state at the level of a module',
    [
      {
        pattern: /^(?:export\s+)?(?:let|var)\s+\w+/gm,
        instead: 'keep it in what a function makes',
      },
    ],
    {
      caught: [at('let count = 0'), at('export let a: number'), at('var a')],
      passes: [at('const a = 0'), at('function f() {\n  let a = 0\n}')],
    },
    (file) => !file.isMain && !file.isTest && isTypeScript(file),
  ),
  banCalls(
    'modules name what they give: no default export, no star',
    [
      { pattern: /\bexport\s+default\b/g, instead: 'export it by its name' },
      { pattern: /\bexport\s*\{[^}]*\bas\s+default\b/g, instead: 'export it by its name' },
      { pattern: /\bexport\s*\*/g, instead: 'list what the folder promises' },
    ],
    {
      caught: [
        at('export default function a() {}'),
        at('const a = 1\nexport { a as default }'),
        at("export * from './b.ts'"),
        at("export * as b from './b.ts'"),
      ],
      passes: [at("import b from 'b'"), at("export { b } from './b.ts'")],
    },
    () => true,
  ),
  banCalls(
    'types do not lie and can be erased',
    [
      {
        pattern: /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w+/gm,
        instead: 'a union of strings',
      },
      { pattern: /^\s*(?:export\s+)?(?:declare\s+)?namespace\s+\w+/gm, instead: 'a module' },
      {
        pattern: /(?:[:<|&,(=]|\bas|=>)\s*any\b(?!\s*[:(?])(?:\[\])*/g,
        instead: '`unknown`, and look before using',
      },
    ],
    {
      caught: [
        at('enum A { b }'),
        at('export const enum A { b }'),
        at('namespace A {}'),
        at('let a: any'),
        at('const a = b as any'),
        at('const a: Map<string, any> = b'),
      ],
      passes: [
        at("type A = 'enum'"),
        at('// any of them'),
        at('const a = Promise.any(b)'),
        at('const anyone: unknown = 1'),
        at('f({ any: 1 })'),
      ],
    },
    (file) => isTypeScript(file) && !file.isTest,
  ),
  banCalls(
    'which release is newer is judged in fleet/src/releases/order.ts',
    [
      {
        pattern: /\bcounter\s*(?:<=?|>=?|-)\s*[\w(]|(?<!=)(?:<=?|>=?|-)\s*[\w.?!]+\.counter\b/g,
        instead: 'use isNewer, newestFirst, standingOf, … of @seaworthy/fleet/releases',
      },
    ],
    {
      caught: [
        ['packages/server/src/app/a.ts', 'const is = release.counter > baseline.counter'],
        ['packages/fleet/src/rollouts/a.ts', 'const is = counter <= reached'],
        ['packages/fleet/src/rollouts/a.ts', 'const is = floor <= rollout.counter'],
        ['packages/cli/src/a.ts', 'all.toSorted((a, b) => b.counter - a.counter)'],
      ],
      passes: [
        ['packages/fleet/src/releases/order.ts', 'return release.counter > than.counter'],
        ['packages/trust/src/tuf/a.ts', 'const is = release.counter < device.floor'],
        ['packages/server/src/app/a.ts', 'const f = (a) => a.counter'],
        ['packages/server/src/app/a.ts', 'const is = a.counter === b.counter'],
      ],
    },
    decidesByFleet,
  ),
  {
    name: 'names say what a thing is',
    appliesTo: (file) =>
      file.path.startsWith('packages/') || /^(?:sim|bench|tools)\//.test(file.path),
    check: (file) => {
      const stem = posix.basename(file.path).split('.')[0]!
      const words = stem.split('-')
      const bad =
        words.find((w) => /^(?:utils?|helpers?|managers?|common|misc|shared|stuff)$/.test(w)) ??
        [stem].find((s) => /^(?:data|info|handle|types|constants|main-\d)$/.test(s))
      const findings = bad ? [{ line: 1, text: `"${bad}" in a file name says nothing` }] : []
      if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(stem)) {
        findings.push({ line: 1, text: `${stem}: file names are kebab-case` })
      }
      return [
        ...findings,
        ...findPattern(
          file,
          /\b(?:function|class|interface|type)\s+\w*(?:Manager|Helper|Util|Utils|Misc)\b/g,
          (match) => `${match}: name it after what it does`,
        ),
        ...findPattern(file, /\bfunction\s+handle\s*[(<]/g, () => 'handle what? verb and noun'),
      ]
    },
    caught: [
      ['packages/oci/src/utils.ts', ''],
      ['packages/oci/src/tar-helpers.ts', ''],
      ['packages/oci/src/types.ts', ''],
      ['packages/oci/src/blobStore.ts', ''],
      at('class BlobManager {}'),
      at('function handle() {}'),
    ],
    passes: [['packages/oci/src/blob-store.ts', 'function handleUpload() {}']],
  },
  {
    name: 'an index opens with what its folder is for',
    appliesTo: (file) => /^packages\/.*\/index\.ts$/.test(file.path),
    check: (file) =>
      /^\/\*\*[\s\S]*?\*\//.test(file.source)
        ? []
        : [{ line: 1, text: 'the first thing is a /** comment */' }],
    caught: [['packages/oci/src/tar/index.ts', "export { a } from './a.ts'"]],
    passes: [['packages/oci/src/tar/index.ts', '/** Reads tar. */\nexport const a = 1']],
  },
  {
    name: `files have at most ${linesMax} lines`,
    appliesTo: (file) => !file.isTest,
    check: (file) => {
      const lines = file.source.split('\n').length - 1
      return lines > linesMax ? [{ line: lines, text: 'split it by noun into a folder' }] : []
    },
    caught: [at('a\n'.repeat(linesMax + 1))],
    passes: [at('a\n'.repeat(linesMax))],
  },
  banCalls(
    'what comes in pieces is put together by a ByteCollector',
    [
      {
        pattern:
          /\b(?:pieces|parts|chunks|blocks|waiting|rest|received|kept)\.push\(\s*(?:(?:piece|part|chunk|block|taken|data)\b|Uint8Array\.from\()/g,
        instead: 'take `createByteCollector` (std/bytes): a piece may be one byte',
      },
    ],
    {
      caught: [
        at('for await (const piece of body) pieces.push(piece)'),
        at('await readAll(source, (piece) => void pieces.push(piece))'),
        at('waiting.push(taken)'),
        at('parts.push(part as Buffer)'),
        at('chunks.push(Uint8Array.from(chunk))'),
        ['packages/std/src/http.ts', 'parts.push(part)'],
      ],
      passes: [
        at('for await (const piece of body) collector.add(piece)'),
        at('parts.push({ name, offset, size })'),
        at('reader.push(chunk)'),
        ['packages/agent/src/a.test.ts', 'pieces.push(piece)'],
      ],
    },
    (file) => /^packages\/\w+\/src\//.test(file.path) && !file.isTest,
  ),
  banCalls(
    'slow hashes of the server wait in one queue',
    [
      {
        pattern: /\b(?:argon2|scrypt|pbkdf2)(?:Sync)?\b/g,
        instead: 'take `app.slowHashes`, so that content is read meanwhile',
      },
    ],
    {
      caught: [
        ['packages/server/src/app/people/a.ts', "import { argon2 } from 'node:crypto'"],
        ['packages/server/src/http/a.ts', 'await promisify(scrypt)(password, salt, 32)'],
      ],
      passes: [
        ['packages/server/src/app/people/slow-hashes.ts', 'promisify(argon2)'],
        ['packages/server/src/app/people/a.test.ts', 'argon2Sync(name, parameters)'],
        ['packages/cli/src/keys/a.ts', 'promisify(argon2)'],
      ],
    },
    (file) =>
      file.path.startsWith('packages/server/src/') &&
      !file.isTest &&
      file.path !== 'packages/server/src/app/people/slow-hashes.ts',
  ),
  {
    name: 'SQL only in packages/server/src/db',
    appliesTo: (file) =>
      file.path.startsWith('packages/') &&
      !file.path.startsWith('packages/server/src/db/') &&
      !file.isTest,
    check: (file) =>
      file.strings.flatMap(({ text, start }) =>
        /^\s*(?:(?:select|SELECT)\s[\s\S]*\s(?:from|FROM)\s|(?:insert|INSERT)\s+(?:into|INTO)\s|(?:update|UPDATE)\s+\S+\s+(?:set|SET)\s|(?:delete|DELETE)\s+(?:from|FROM)\s|(?:create|alter|drop|CREATE|ALTER|DROP)\s+(?:table|index|unique|TABLE|INDEX|UNIQUE)\s|(?:select|SELECT)\s+(?:pg_|1\b|\*))/.test(
          text,
        )
          ? [{ line: file.source.slice(0, start).split('\n').length, text: 'one function in db/' }]
          : [],
      ),
    caught: [
      ['packages/server/src/app/a.ts', 'await sql`select id from devices where ${x}`'],
      ['packages/server/src/http/a.ts', "query('INSERT INTO devices (id) values (1)')"],
      ['packages/server/src/tasks/a.ts', 'sql`\n  update devices set name = ${name}`'],
      ['packages/server/src/main.ts', "sql.unsafe('select pg_advisory_lock(1)')"],
    ],
    passes: [
      ['packages/server/src/db/devices.ts', 'await sql`select id from devices`'],
      ['packages/cli/src/a.ts', "help('Select a device from the list')"],
      ['packages/cli/src/a.ts', "help('delete the device')"],
    ],
  },
]
