#!/usr/bin/env node
// Starts the agent with the Node it needs: this one if it is new enough, otherwise the one that npm
// installed. The one file that `build/main.ts` makes has its own check.
import { existsSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const main = join(here, '../src/main.ts')

const nodeMajorMin = 26

if (Number(process.versions.node.split('.')[0]) >= nodeMajorMin) {
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
    // Not `.bin/node`: npm 9 removes it with the package for the other architecture (RFD 22).
    const candidate = join(folder, `node_modules/node-linux-${process.arch}/bin/node`)
    if (existsSync(candidate)) return candidate
    if (folder === dirname(folder)) {
      process.stderr.write(
        `seaworthy-agent: needs Node ${nodeMajorMin} or newer, which npm ci installs, and this is Node ${process.versions.node} at ${process.execPath}\n`,
      )
      process.exit(2)
    }
  }
}
