/** What comes from outside is read by the functions that bound it. */
import type { Rule } from './rule.ts'
import { at, banCalls } from './rule.ts'

export const inputRules: Rule[] = [
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
]
