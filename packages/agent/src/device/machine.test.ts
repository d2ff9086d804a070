import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { machineField } from '@seaworthy/api/device-self'
import { readMachine } from './machine.ts'
import { nameOfSystem, roundedBytes } from './machine-words.ts'

test('D1 what the machine is fits a report, also where a folder or a file is missing', () => {
  const now = new Date()
  for (const folder of [tmpdir(), '/no/such/folder']) {
    const machine = readMachine(folder, now)
    assert.deepEqual(machineField.parse(machine), machine)
    assert.equal(machine.node, process.version)
    assert.ok(Date.parse(machine.bootedAt) <= now.getTime(), 'no boot lies in the future')
    assert.equal(machine.freeBytes !== undefined, folder === tmpdir())
  }
})

test('D1 the name of the system is read as os-release writes it, whatever else stands there', () => {
  const of = (line: string) => nameOfSystem(`NAME=x\n${line}\nID=y\n`)
  assert.equal(of('PRETTY_NAME="Debian GNU/Linux 13 (trixie)"'), 'Debian GNU/Linux 13 (trixie)')
  assert.equal(of("PRETTY_NAME='Alpine'"), 'Alpine')
  assert.equal(of('PRETTY_NAME=plain'), 'plain')
  assert.equal(of('PRETTY_NAME="\u001b[31mred\u0000"'), '[31mred')
  assert.equal(of('PRETTY_NAME=""'), undefined)
  assert.equal(of('NOTHING=1'), undefined)
  assert.equal(of(`PRETTY_NAME=${'x'.repeat(999)}`)?.length, 128)
  assert.equal(of(`PRETTY_NAME=${'x'.repeat(127)}\u{1F6A2}`), 'x'.repeat(127), 'no half character')
})

test('D1 free bytes are told in two figures', () => {
  for (const [bytes, told] of [
    [0, 0],
    [7, 7],
    [99, 99],
    [12_345, 12_000],
    [999_999_999, 990_000_000],
  ] as const) {
    assert.equal(roundedBytes(bytes), told)
  }
})
