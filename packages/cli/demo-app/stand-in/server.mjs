// The small application of the demo, for machines that reach no npm registry. It answers what
// Node-RED's /settings answers.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { existsSync, readFileSync } from 'node:fs'

const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8'))
const secret = `${process.env.SEAWORTHY_CONFIG_DIR}/TOKEN`
const tokenSha256 = existsSync(secret)
  ? createHash('sha256').update(readFileSync(secret)).digest('hex')
  : undefined
const settings = process.argv.includes('--moved') ? '/moved/settings' : '/settings'
const server = createServer((request, response) => {
  const isKnown = request.url === settings
  response.writeHead(isKnown ? 200 : 404, { 'content-type': 'application/json' })
  response.end(isKnown ? JSON.stringify({ version, tokenSha256 }) : '{}')
})
server.listen(Number(process.argv[2]), '127.0.0.1')
process.on('SIGTERM', () => server.close(() => process.exit(0)))
