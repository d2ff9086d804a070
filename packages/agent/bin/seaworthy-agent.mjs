#!/usr/bin/env node
// Starts the agent with the Node it needs: this one if it is new enough, otherwise the one that npm installed.
import { existsSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const main = join(here, '../src/main.ts')

if (Number(process.versions.node.split('.')[0]) >= 26) {
  process.argv[1] = main
  await import('../src/main.ts')
} else {
  const node = findNode(here)
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code) => process.exit(code ?? 1))
}

function findNode(from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules/.bin/node')
    if (existsSync(candidate)) return candidate
    if (folder === dirname(folder)) {
      process.stderr.write('seaworthy-agent: needs Node 26 (npm ci installs it)\n')
      process.exit(1)
    }
  }
}
