import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { repositoryRoot } from './source-tree.ts'

/** Runs the test runner in a repository of its own that holds these files. */
function runTests(
  t: TestContext,
  files: Record<string, string>,
  suite: string,
  environment: Record<string, string> = {},
): { status: number | null; output: string } {
  const root = mkdtempSync(join(tmpdir(), 'seaworthy-tests-'))
  t.after(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'tools'))
  for (const name of [
    'test.ts',
    'test-pace.ts',
    'test-report.ts',
    'test-idling.ts',
    'test-modules.ts',
    'test-usage.ts',
    'source-tree.ts',
    'source-scan.ts',
  ]) {
    cpSync(join(repositoryRoot, 'tools', name), join(root, 'tools', name))
  }
  for (const [path, text] of Object.entries(files)) writeFileSync(join(root, path), text)
  const { NODE_TEST_CONTEXT: _parent, SEAWORTHY_TEST_STRICT: _strict, ...inherited } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, ['tools/test.ts', suite], {
    cwd: root,
    encoding: 'utf8',
    env: { ...inherited, ...environment },
  })
  return { status, output: stdout + stderr }
}

const passing = "import { test } from 'node:test'\ntest('fine', () => {})\n"
const failing = "import { test } from 'node:test'\ntest('broken', () => { throw new Error('x') })\n"
const skipping =
  "import { test } from 'node:test'\ntest('zstd', { skip: 'needs zstd (apt install zstd)' }, () => {})\n"

test('a suite passes, and the last lines are those of Node’s runner', (t) => {
  const { status, output } = runTests(t, { 'a.test.ts': passing }, 'unit')
  assert.equal(status, 0, output)
  assert.match(output, /ℹ pass 1\n[\s\S]*ℹ skipped 0\nℹ todo 0\nℹ duration_ms [\d.]+\s*$/)
})

test('each suite runs its own files only', (t) => {
  const files = {
    'a.test.ts': passing,
    'b.integration.test.ts': failing,
    'c.long.test.ts': failing,
  }
  assert.equal(runTests(t, files, 'unit').status, 0)
  assert.equal(runTests(t, files, 'integration').status, 1)
  assert.equal(runTests(t, files, 'long').status, 1)
})

test('a failing test, a file that does not load and an empty suite are failures', (t) => {
  assert.equal(runTests(t, { 'a.test.ts': passing, 'b.test.ts': failing }, 'unit').status, 1)
  assert.equal(runTests(t, { 'a.test.ts': "import './missing.ts'\n" }, 'unit').status, 1)
  const empty = runTests(t, {}, 'unit')
  assert.equal(empty.status, 1)
  assert.match(empty.output, /no unit test file was found/)
  assert.equal(runTests(t, {}, 'nonsense').status, 2)
})

test('skipped tests are listed, and are failures in strict mode', (t) => {
  const lenient = runTests(t, { 'a.test.ts': skipping }, 'unit')
  assert.equal(lenient.status, 0)
  assert.match(lenient.output, /skipped:\n {2}zstd: needs zstd \(apt install zstd\)/)
  const strict = runTests(t, { 'a.test.ts': skipping }, 'unit', { SEAWORTHY_TEST_STRICT: '1' })
  assert.equal(strict.status, 1)
  assert.match(strict.output, /SEAWORTHY_TEST_STRICT=1 forbids/)
})

/** Waits in a test file until another one is there. */
const meeting = (own: string, other: string) => `
import { existsSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
test('meets', async () => {
  writeFileSync('${own}', '')
  while (!existsSync('${other}')) await sleep(20)
})
`

/** Fails when another file of its kind runs meanwhile. */
const alone = `
import { rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
test('is alone', async () => {
  writeFileSync('here', '', { flag: 'wx' })
  await sleep(300)
  rmSync('here')
})
`

test('integration files run side by side, but for those that need the machine alone', (t) => {
  const { status, output } = runTests(
    t,
    {
      'a.integration.test.ts': meeting('a', 'b'),
      'b.integration.test.ts': meeting('b', 'a'),
      'c.integration.test.ts': alone,
      'd.integration.test.ts': alone,
      'tools/test-pace.ts': `
        export const needsMachineAlone = (path: string) => /^[cd]/.test(path)
        export const orderByLength = (paths: string[]) => paths
      `,
    },
    'integration',
  )
  assert.equal(status, 0, output)
  assert.match(output, /ℹ tests 4\n[\s\S]*ℹ pass 4\n/)
  assert.equal(output.match(/ℹ tests/g)?.length, 1)
})

test('the report says how long each file took and how long processors worked for it, its processes among them', (t) => {
  const burning = `
    import { spawnSync } from 'node:child_process'
    import { test } from 'node:test'
    const burn = 'const end = process.cpuUsage().user + 300_000; while (process.cpuUsage().user < end);'
    test('burns', () => { spawnSync(process.execPath, ['-e', burn]) })
  `
  const { output } = runTests(t, { 'a.test.ts': burning }, 'unit')
  const [, elapsed, worked] = /([\d.]+) s +([\d.]+) s {2}a\.test\.ts/.exec(output) ?? []
  assert.ok(Number(elapsed) >= 0.3 && Number(worked) >= 0.3, output)
})

test('a file that lives on after its last test fails the run, which names what holds it and where it began', (t) => {
  const idling = `
    import { createServer } from 'node:net'
    import { after, test } from 'node:test'
    after(() => {})
    test('forgets', async () => {
      await waitForever()
      createServer().listen(0, '127.0.0.1').unref()
    })
    async function waitForever() {
      setTimeout(() => {}, 12_000)
    }
  `
  const tidying = `
    import { after, test } from 'node:test'
    after(() => new Promise((resolve) => setTimeout(resolve, 11_000)))
    test('is followed by much tidying up', () => {})
  `
  const files = { 'a.test.ts': idling, 'b.test.ts': tidying }
  const { status, output } = runTests(t, files, 'unit')
  assert.equal(status, 1, output)
  assert.match(output, /ℹ fail 0\n/)
  assert.match(
    output,
    /not ended 10 s after their last test, held by:\n {2}a\.test\.ts\n {4}a timer\n {6}waitForever \(a\.test\.ts:10:7\)\n.*\(a\.test\.ts:6:13\)\n/,
  )
  assert.doesNotMatch(output, /a server|^ {2}b\.test\.ts$/m)
})
