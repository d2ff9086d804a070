import assert from 'node:assert/strict'
import { BlockList } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { coversNetworks, isNetwork, isWithinNetworks } from './index.ts'

test('A3 networks are read as they are written, and slips of the hand are refused', () => {
  for (const text of ['10.0.0.0/8', '192.0.2.1', '0.0.0.0/0', '::/0', '2001:db8::/32', '::1']) {
    assert.ok(isNetwork(text), text)
  }
  const wrong = [
    '',
    '10.0.0.0/33',
    '10.0.0.1/8',
    '010.0.0.0/8',
    '10.0.0/8',
    '1.2.3.4/8/8',
    '::/129',
  ]
  for (const text of [
    ...wrong,
    'fe80::1%eth0',
    '2001:db8::1/32',
    ':::',
    '1::2::3',
    '::ffff:1.2.3.0/120',
  ]) {
    assert.ok(!isNetwork(text), text)
  }
})

test('A3 an IPv4 address is the same in either of its spellings', () => {
  assert.ok(isWithinNetworks(['192.0.2.0/24'], '::ffff:192.0.2.7'))
  assert.ok(isWithinNetworks(['::ffff:192.0.2.7'], '192.0.2.7'))
  assert.ok(!isWithinNetworks(['::/0'], '192.0.2.7'))
  assert.ok(!isWithinNetworks(['0.0.0.0/0'], 'no address'))
  assert.ok(!isWithinNetworks([], '192.0.2.7'))
  assert.ok(isWithinNetworks(null, 'anything'))
})

const ipv4 = fc.ipV4()
const network4 = fc.tuple(fc.nat(0xffff_ffff), fc.nat(32)).map(([value, prefix]) => {
  const base = prefix === 0 ? 0 : (value >>> (32 - prefix)) << (32 - prefix)
  return `${[24, 16, 8, 0].map((shift) => (base >>> shift) & 255).join('.')}/${prefix}`
})
const network6 = fc.tuple(fc.bigInt(0n, (1n << 128n) - 1n), fc.nat(128)).map(([value, prefix]) => {
  const hostBits = BigInt(128 - prefix)
  const base = ((value >> hostBits) << hostBits).toString(16).padStart(32, '0')
  return `${base.match(/.{4}/g)!.join(':')}/${prefix}`
})
const any = fc.oneof(network4, network6)

test('A3 an address is within the networks that Node says it is within (property)', () => {
  fc.assert(
    fc.property(fc.array(any, { maxLength: 4 }), fc.oneof(ipv4, fc.ipV6()), (networks, address) => {
      const family = (text: string) => (text.includes(':') ? 'ipv6' : 'ipv4')
      // Node compares the two spellings of IPv4 across families; that is the test above.
      fc.pre(![address, ...networks].some((text) => /^(?:0*:)+(?:ffff|:)/i.test(text)))
      const list = new BlockList()
      for (const text of networks.filter((one) => family(one) === family(address))) {
        const [base, prefix] = text.split('/')
        list.addSubnet(base!, Number(prefix), family(base!))
      }
      const expected = list.check(address, family(address))
      assert.equal(isWithinNetworks(networks, address), expected, `${networks.join()} ${address}`)
    }),
    { numRuns: 1000 },
  )
})

test('A3 what networks cover is within them, wherever an address is (property)', () => {
  const lists = fc.option(fc.array(any, { maxLength: 4 }), { nil: null })
  fc.assert(
    fc.property(lists, lists, fc.oneof(ipv4, fc.ipV6()), (own, other, address) => {
      if (!coversNetworks(own, other)) return
      if (isWithinNetworks(other, address)) assert.ok(isWithinNetworks(own, address))
    }),
    { numRuns: 1000 },
  )
  assert.ok(coversNetworks(['10.0.0.0/8'], ['10.1.0.0/16', '10.2.3.4']))
  assert.ok(!coversNetworks(['10.0.0.0/8'], ['0.0.0.0/0']))
  assert.ok(!coversNetworks(['10.0.0.0/8'], null))
  assert.ok(coversNetworks(null, null))
})
