// The small application of the demo, for machines that reach no npm registry. It answers what
// Node-RED's /settings answers.
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'

const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8'))
const settings = process.argv.includes('--moved') ? '/moved/settings' : '/settings'
const server = createServer((request, response) => {
  const isKnown = request.url === settings
  response.writeHead(isKnown ? 200 : 404, { 'content-type': 'application/json' })
  response.end(isKnown ? JSON.stringify({ version }) : '{}')
})
server.listen(Number(process.argv[2]), '127.0.0.1')
process.on('SIGTERM', () => server.close(() => process.exit(0)))
