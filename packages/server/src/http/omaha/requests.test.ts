import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseOmahaRequest } from './requests.ts'
import { XmlError } from './xml.ts'

const withEvent = (attributes: string) =>
  parseOmahaRequest(`<request protocol="3.0"><app appid="a"><event ${attributes}/></app></request>`)
    .apps[0]!.events[0]!

test('D6 trap: error codes are unsigned, and their four flags say nothing about the error', () => {
  const codes = [
    ['10', 10],
    [String(2 ** 28 + 10), 10],
    [String(2 ** 31 + 2 ** 30 + 2 ** 29 + 37), 37],
    ['-1879048182', 10],
    ['-2147483604', 44],
    ['2404', 2404],
    ['99999999999999999999999', 0],
    ['', 0],
    ['0x10', 0],
    ['1e3', 0],
  ] as const
  for (const [text, code] of codes) {
    assert.equal(
      withEvent(`eventtype="3" eventresult="0" errorcode="${text}"`).errorCode,
      code,
      text,
    )
  }
})

test('D6 trap: a version before that says nothing is none', () => {
  assert.equal(withEvent('eventtype="3" eventresult="2" previousversion=""').previousVersion, null)
  assert.equal(withEvent('eventtype="3" eventresult="2"').previousVersion, null)
  const first = withEvent('eventtype="3" eventresult="2" previousversion="0.0.0.0"')
  assert.equal(first.previousVersion, null)
  const real = withEvent('eventtype="3" eventresult="2" previousversion="1.2.3"')
  assert.equal(real.previousVersion, '1.2.3')
})

test('what is no number is no event that anybody knows', () => {
  const event = withEvent('eventtype="-1" eventresult="1.5"')
  assert.deepEqual([event.type, event.result], [-1, -1])
})

test('D6 fault: an app whose attributes are too long is there all the same, and they say nothing', () => {
  const long = '1'.repeat(129)
  const request = parseOmahaRequest(
    `<request protocol="3.0"><app appid="a${long}" version="${long}" machineid="${long}" bootid="${long}"><event eventtype="3" eventresult="2" previousversion="${long}" errorcode="${long}"/><updatecheck/></app></request>`,
  )
  const [app] = request.apps
  assert.deepEqual(
    [app!.appId, app!.version, app!.machineId, app!.bootId],
    [`a${long}`, '', '', null],
  )
  assert.deepEqual(app!.events, [{ type: 3, result: 2, errorCode: 0, previousVersion: null }])
})

test('D6 attack: too many apps or events are refused', () => {
  const refused = [
    '<response/>',
    `<request>${'<app/>'.repeat(21)}</request>`,
    `<request><app>${'<event/>'.repeat(21)}</app></request>`,
  ]
  for (const text of refused) assert.throws(() => parseOmahaRequest(text), XmlError)
})
