/**
 * Hostile input made of good input: seeds are valid, one to four faults are put in. The same random
 * numbers give the same bytes.
 */
import { concatBytes, joinBytes, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { randomBelow } from '@seaworthy/std/random'

const pick = <T>(random: Random, items: readonly T[]): T =>
  items[randomBelow(random, items.length)]!

/** Texts of JSON values that readers have stumbled over. */
const oddValues = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '-1',
  '1.5',
  '1e3',
  '1e400',
  '-1e-400',
  '2147483648',
  '9007199254740992',
  '9007199254740993',
  '18446744073709551616',
  '9'.repeat(400),
  '0x10',
  '01',
  'NaN',
  'Infinity',
  '""',
  '"0"',
  '"\\u0000"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\ud83d\ude00"',
  '"\u202e\u2066"',
  '"e\u0301\u00e9"',
  '"../../etc/passwd"',
  '"/"',
  '"__proto__"',
  '"constructor"',
  '"2026-02-30T00:00:00Z"',
  '"+275760-09-13T00:00:00Z"',
  '"9999-12-31T23:59:60Z"',
  `"${'a'.repeat(3000)}"`,
  `"${'\\u00e9'.repeat(200)}"`,
  '[]',
  '{}',
  '[[]]',
  '[null]',
  '{"":""}',
  '{"__proto__":{"a":1}}',
  '{"a":1,"a":2}',
  '{"toString":1,"valueOf":2}',
]

const oddNames = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'length',
  '',
  '\u0000',
  '\ud800',
  'a'.repeat(500),
  'root',
  'targets',
  'version',
  '\u00e9',
  'e\u0301',
  '../x',
]

/** Bytes that mean something to some reader. */
const oddBytes = [
  0, 1, 9, 10, 13, 0x20, 0x22, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0x39, 0x3a, 0x5b, 0x5c, 0x5d, 0x7b,
  0x7d, 0x7f, 0x80, 0xbf, 0xc0, 0xed, 0xf4, 0xfe, 0xff,
]

/**
 * JSON as it was written: members in order, with their doubles, and texts that are no JSON at all.
 */
type Node =
  | { kind: 'raw'; text: string }
  | { kind: 'list'; items: Node[] }
  | { kind: 'object'; members: [name: string, value: Node][] }

function nodeOf(value: unknown): Node {
  if (Array.isArray(value)) return { kind: 'list', items: value.map(nodeOf) }
  if (typeof value !== 'object' || value === null)
    return { kind: 'raw', text: JSON.stringify(value) }
  const members = Object.entries(value).map(([name, item]): [string, Node] => [
    JSON.stringify(name),
    nodeOf(item),
  ])
  return { kind: 'object', members }
}

function writeNode(node: Node): string {
  switch (node.kind) {
    case 'raw':
      return node.text
    case 'list':
      return `[${node.items.map(writeNode).join(',')}]`
    case 'object':
      return `{${node.members.map(([name, value]) => `${name}:${writeNode(value)}`).join(',')}}`
  }
}

/** Every position in a document that holds a value, with how to put another one there. */
function placesOf(
  root: Node,
): { get: () => Node; set: (node: Node) => void; parent: Node | undefined }[] {
  const places: ReturnType<typeof placesOf> = []
  const visit = (node: Node) => {
    if (node.kind === 'list') {
      node.items.forEach((_, i) => {
        places.push({
          get: () => node.items[i]!,
          set: (next) => (node.items[i] = next),
          parent: node,
        })
        visit(node.items[i]!)
      })
    }
    if (node.kind === 'object') {
      for (const member of node.members) {
        places.push({ get: () => member[1], set: (next) => (member[1] = next), parent: node })
        visit(member[1])
      }
    }
  }
  visit(root)
  return places
}

function nest(random: Random, inner: string): string {
  const depth = pick(random, [3, 17, 33, 49, 64, 500, 20_000])
  return randomBelow(random, 2) === 0
    ? '['.repeat(depth) + inner + ']'.repeat(depth)
    : '{"a":'.repeat(depth) + inner + '}'.repeat(depth)
}

function mutateNode(random: Random, root: Node): void {
  const places = placesOf(root)
  if (places.length === 0) return
  const place = pick(random, places)
  const { parent } = place
  switch (randomBelow(random, 10)) {
    case 0:
    case 1:
    case 2:
      return place.set({ kind: 'raw', text: pick(random, oddValues) })
    case 3:
      return place.set(structuredClone(pick(random, places).get()))
    case 4:
      if (parent?.kind === 'list') parent.items.splice(randomBelow(random, parent.items.length), 1)
      if (parent?.kind === 'object') {
        parent.members.splice(randomBelow(random, parent.members.length), 1)
      }
      return
    case 5:
      if (parent?.kind === 'list') parent.items.push(structuredClone(place.get()))
      if (parent?.kind === 'object')
        parent.members.push(structuredClone(pick(random, parent.members)))
      return
    case 6:
      if (parent?.kind === 'object') {
        pick(random, parent.members)[0] = JSON.stringify(pick(random, oddNames))
      }
      return
    case 7:
      if (parent?.kind === 'object') {
        parent.members.push([
          JSON.stringify(pick(random, oddNames)),
          { kind: 'raw', text: pick(random, oddValues) },
        ])
      }
      return
    case 8:
      return place.set({ kind: 'raw', text: nest(random, writeNode(place.get())) })
    default:
      return place.set(mutateScalar(random, place.get()))
  }
}

/** Near misses: one off, one character more, other case. */
function mutateScalar(random: Random, node: Node): Node {
  if (node.kind !== 'raw') return { kind: 'raw', text: `"${node.kind}"` }
  let value: unknown
  try {
    value = JSON.parse(node.text)
  } catch {
    return node
  }
  if (typeof value === 'number') {
    const next = pick(random, [value + 1, value - 1, -value, value * 2 ** 31, value + 0.5])
    return { kind: 'raw', text: String(next) }
  }
  if (typeof value !== 'string') return node
  const at = randomBelow(random, value.length + 1)
  const next = pick(random, [
    value.slice(0, at),
    value.slice(0, at) +
      pick(random, ['\u0000', '/', '.', ' ', '\n', '0', '\ud83d\ude00', '\u0131']) +
      value.slice(at),
    value.toUpperCase(),
    `${value}${value}`,
    ` ${value}`,
    `${value}\n`,
    value.normalize('NFD'),
    value.split('').toReversed().join(''),
  ])
  return { kind: 'raw', text: JSON.stringify(next) }
}

/**
 * A seed that is JSON with one to four faults in its structure; bytes that are none are returned as
 * they are.
 */
export function mutateJson(random: Random, seed: Uint8Array): Uint8Array<ArrayBuffer> {
  let root: Node
  try {
    root = nodeOf(JSON.parse(utf8Decode(seed)))
  } catch {
    return new Uint8Array(seed)
  }
  const whole: Node = { kind: 'list', items: [root] }
  for (let faults = 1 + randomBelow(random, 4); faults > 0; faults--) mutateNode(random, whole)
  return utf8Encode(whole.items.map(writeNode).join(pick(random, ['', ',', ' '])))
}

const digits = /[0-9]+/g

/**
 * A seed with faults in its bytes: flips, cuts, splices with `other`, repeats, numbers that lie.
 */
export function mutateBytes(
  random: Random,
  seed: Uint8Array,
  other: Uint8Array,
): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(seed)
  for (let faults = 1 + randomBelow(random, 4); faults > 0; faults--) {
    const at = randomBelow(random, bytes.length + 1)
    const end = Math.min(bytes.length, at + 1 + randomBelow(random, 40))
    switch (randomBelow(random, 9)) {
      case 0:
        if (at < bytes.length) bytes[at]! ^= 1 << randomBelow(random, 8)
        break
      case 1:
        if (at < bytes.length) bytes[at] = pick(random, oddBytes)
        break
      case 2:
        bytes = bytes.slice(0, at)
        break
      case 3:
        bytes = concatBytes(bytes.subarray(0, at), bytes.subarray(end))
        break
      case 4:
        bytes = concatBytes(
          bytes.subarray(0, at),
          Uint8Array.from({ length: 1 + randomBelow(random, 8) }, () => pick(random, oddBytes)),
          bytes.subarray(at),
        )
        break
      case 5:
        bytes = concatBytes(
          bytes.subarray(0, at),
          other.subarray(randomBelow(random, other.length + 1)),
        )
        break
      case 6: {
        const times = pick(random, [2, 3, 50])
        const part = bytes.subarray(at, end)
        const copies = Array<Uint8Array>(times).fill(part)
        bytes = joinBytes([bytes.subarray(0, end), ...copies, bytes.subarray(end)])
        break
      }
      case 7:
        bytes.fill(pick(random, oddBytes), at, end)
        break
      default:
        bytes = lieAboutNumber(random, bytes)
    }
  }
  return bytes
}

/**
 * Lengths, sizes and counts written in decimal, octal or hexadecimal: another one in the same
 * place.
 */
function lieAboutNumber(random: Random, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = Buffer.from(bytes.subarray(0, 20_000)).toString('latin1')
  const found = [...text.matchAll(digits)]
  if (found.length === 0) return new Uint8Array(bytes)
  const { 0: number, index } = pick(random, found)
  const lie = pick(random, [
    '0',
    '1',
    '-1',
    '7'.repeat(number.length),
    '9'.repeat(number.length),
    '9'.repeat(20),
    `${number}0`,
    `0${number}`,
    String(Number(number) + 1),
  ])
  return concatBytes(
    bytes.subarray(0, index),
    utf8Encode(lie),
    bytes.subarray(index + number.length),
  )
}
