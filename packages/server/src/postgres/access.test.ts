import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatAccess } from './access.ts'

const passwd = 'root:x:0:0::/root:/bin/sh\npostgres:x:105:105::/:/bin/sh\nodd"name:x:7:7::/:\n'

test('A6 the embedded database takes the accounts of the server and of PostgreSQL alone', () => {
  const rules = 'local all seaworthy peer map=server\n'
  const root = 'server "root" seaworthy\n'
  assert.deepEqual(formatAccess(passwd, 0, 105), {
    ...{ rules, accounts: `${root}server "postgres" seaworthy\n` },
  })
  assert.deepEqual(formatAccess(passwd, 0, 0), { rules, accounts: root })
  assert.deepEqual(formatAccess(passwd, 0, 65_534), { rules, accounts: root })
})

test('A6 where the account of the server has no name that can be written, its folder alone decides', () => {
  for (const uid of [4711, 7]) {
    const { rules, accounts } = formatAccess(passwd, uid, uid)
    assert.deepEqual([rules, accounts], ['local all seaworthy trust\n', ''])
  }
})
