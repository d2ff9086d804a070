#!/usr/bin/env node
// Starts the command line with the Node that this checkout pins, whatever Node was asked to run this file.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const main = join(here, '..', 'src', 'main.ts')
const nodeMajorMin = 24

if (Number(process.versions.node.split('.')[0]) >= nodeMajorMin) {
  await import(pathToFileURL(main).href)
} else {
  startWith(findPinnedNode(here))
}

function findPinnedNode(from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', '.bin', 'node')
    if (existsSync(candidate)) return candidate
    if (dirname(folder) === folder) {
      process.stderr.write(
        `seaworthy: start: Node ${process.versions.node} is too old, and the pinned Node is not installed\n` +
          `Run \`npm ci\` in the checkout, or use Node ${nodeMajorMin} or newer.\n`,
      )
      process.exit(1)
    }
  }
}

function startWith(node) {
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  // The terminal sends its signals to the whole group; these come to this process alone.
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  child.on('error', (error) => {
    process.stderr.write(`seaworthy: start: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    for (const name of ['SIGTERM', 'SIGHUP', 'SIGINT']) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}
