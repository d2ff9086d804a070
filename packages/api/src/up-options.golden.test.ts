import { test } from 'node:test'
import { expectGolden } from '../../../tools/golden.ts'
import type { UpOption } from './up-options.ts'
import { upOptions } from './up-options.ts'

const head = `# server.json

The settings of a server, in a file that \`seaworthy up --config FILE\` reads (or the variable \`SEAWORTHY_CONFIG\` names); \`seaworthy export\` and \`seaworthy import\` take it too. The members have the names of the options of \`seaworthy up\`:

\`\`\`json
{
  "data-dir": "/var/lib/seaworthy-server",
  "listen": "0.0.0.0:8443",
  "name": ["updates.example.org"],
  "report-form": true
}
\`\`\`

An option stands above a variable, and a variable above the file. Unknown members are refused. \`seaworthy up --print-config\` says each setting and where it comes from (\`--json\` too), and starts nothing; a password in an address is not shown. Keep passwords out of the file where others may read it: \`PGPASSWORD\`, \`AWS_ACCESS_KEY_ID\`, \`AWS_SECRET_ACCESS_KEY\` and \`AWS_SESSION_TOKEN\` come from the environment.

| setting | in the file | variable | what it says | without it |
| --- | --- | --- | --- | --- |
`

const shapeOf = ({ value, isRepeatable, isNotInFile }: UpOption): string => {
  if (isNotInFile === true) return 'no'
  if (value === undefined) return '`true` or `false`'
  return isRepeatable === true ? `list of ${value}` : value
}

const rowOf = (option: UpOption): string => {
  const { name, variable, text, standard } = option
  const named = variable === undefined ? '' : `\`${variable}\``
  const otherwise = standard ?? (option.value === undefined ? 'off' : '')
  return `| \`${name}\` | ${shapeOf(option)} | ${named} | ${text} | ${otherwise} |`
}

test('every setting of the server is explained in docs/reference, from the table that reads it', () => {
  const page = new URL('../../../docs/reference/server-json.md', import.meta.url)
  expectGolden(page, `${head}${upOptions.map(rowOf).join('\n')}\n`)
})
