/** The layers of the server, and what its processes share. */
import type { Rule } from './rule.ts'
import { banCalls } from './rule.ts'

export const serverRules: Rule[] = [
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
