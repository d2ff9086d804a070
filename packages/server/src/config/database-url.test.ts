import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDatabaseUrl } from './database-url.ts'

test('host, port, user, password, database, and what is left out', () => {
  assert.deepEqual(parseDatabaseUrl('postgres://sea:p%40ss@127.0.0.1:6432/worthy'), {
    host: '127.0.0.1',
    port: 6432,
    user: 'sea',
    password: 'p@ss',
    database: 'worthy',
    sslMode: 'disable',
    sslRootCert: null,
    sslCert: null,
    sslKey: null,
  })
  const socket = parseDatabaseUrl('postgresql://sea@localhost/worthy?host=/run/postgresql')
  assert.deepEqual([socket.host, socket.port, socket.sslMode], ['/run/postgresql', 5432, 'disable'])
  assert.equal(parseDatabaseUrl('postgres://sea@[::1]/x').host, '::1')
  assert.equal(parseDatabaseUrl('postgres://sea@db.example').database, 'sea')
})

test('another machine is asked for its certificate unless somebody says otherwise', () => {
  assert.equal(parseDatabaseUrl('postgres://sea@db.example/x').sslMode, 'verify-full')
  assert.equal(parseDatabaseUrl('postgres://sea@10.0.0.1/x').sslMode, 'verify-full')
  assert.equal(parseDatabaseUrl('postgres://sea@10.0.0.1/x?sslmode=disable').sslMode, 'disable')
  const own = parseDatabaseUrl('postgres://sea@localhost/x?sslrootcert=/etc/ca.pem')
  assert.deepEqual([own.sslMode, own.sslRootCert], ['verify-full', '/etc/ca.pem'])
})

test('what cannot be meant is refused without quoting it', () => {
  for (const text of [
    'mysql://sea:hunter2@x/y',
    'postgres://sea:hunter2@x:99999/y',
    'postgres://sea:hunter2@a,b/y',
    'postgres://sea:hunter2@x/y?sslmode=prefer',
    'postgres://sea:hunter2@x/y?sslmode=VERIFY-FULL',
    'postgres://sea:hunter2@x/y?options=-c',
    'postgres://sea:hunter2@x/y?sslcert=/a',
    'postgres://:hunter2@x/y',
    'postgres://sea:hunter2%@x/y',
    'postgres://sea:hunter2@x/%zz',
    'hunter2',
  ]) {
    assert.throws(
      () => parseDatabaseUrl(text),
      (error) => error instanceof SyntaxError && !error.message.includes('hunter2'),
      text,
    )
  }
})
