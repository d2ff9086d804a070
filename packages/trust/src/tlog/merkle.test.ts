import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hexDecode, hexEncode } from '@seaworthy/std/bytes'
import { coverRange, hashLeaf, hashTree } from './merkle.ts'
import {
  planInclusion,
  proveConsistency,
  proveInclusion,
  type ReadNodes,
  verifyConsistency,
  verifyInclusion,
} from './proofs.ts'
import { makeEntries, sha256 } from './testing.ts'

/** The inputs and roots that the certificate transparency implementations share. */
const vectorEntries = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
]
const vectorRoots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

const leavesMax = 300
const leaves = makeEntries(0, leavesMax).map((e) => hashLeaf(sha256, e))
const roots = Array.from({ length: leavesMax + 1 }, (_, n) => hashTree(sha256, leaves.slice(0, n)))

const readFromLeaves: ReadNodes = async (nodes) =>
  nodes.map(({ level, index }) =>
    hashTree(sha256, leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)),
  )

/** `MTH` of RFC 6962 section 2.1, word for word: the other way to the same root. */
function hashTreeByDefinition(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length <= 1) return hashes[0] ?? sha256(new Uint8Array())
  let k = 1
  while (k * 2 < hashes.length) k *= 2
  const left = hashTreeByDefinition(hashes.slice(0, k))
  return sha256(Buffer.concat([Uint8Array.of(1), left, hashTreeByDefinition(hashes.slice(k))]))
}

const flipBit = (bytes: Uint8Array, bit: number) => {
  const flipped = bytes.slice()
  flipped[bit >> 3]! ^= 1 << (bit & 7)
  return flipped
}
const code = (expected: string) => (error: Error & { code?: string }) => error.code === expected

test('roots of the shared vectors, sizes 0 to 8', () => {
  const hashes = vectorEntries.map((e) => hashLeaf(sha256, hexDecode(e)))
  for (const [size, root] of vectorRoots.entries()) {
    assert.equal(hexEncode(hashTree(sha256, hashes.slice(0, size))), root, `size ${size}`)
  }
})

test('the tree is the one the definition gives, for every size', () => {
  for (let n = 0; n <= leavesMax; n++) {
    assert.deepEqual(
      hexEncode(roots[n]!),
      hexEncode(hashTreeByDefinition(leaves.slice(0, n))),
      `size ${n}`,
    )
  }
})

test('every leaf of every tree has a proof that holds', async () => {
  for (let size = 1; size <= 70; size++) {
    for (let index = 0; index < size; index++) {
      const proof = await proveInclusion(sha256, readFromLeaves, index, size)
      const claim = { leafHash: leaves[index]!, index, size, root: roots[size]! }
      verifyInclusion(sha256, claim, proof)
    }
  }
})

test('every two sizes of one log have a consistency proof that holds', async () => {
  for (let newSize = 0; newSize <= 70; newSize++) {
    for (let oldSize = 0; oldSize <= newSize; oldSize++) {
      const proof = await proveConsistency(sha256, readFromLeaves, oldSize, newSize)
      verifyConsistency(
        sha256,
        { oldSize, oldRoot: roots[oldSize]!, newSize, newRoot: roots[newSize]! },
        proof,
      )
    }
  }
})

test('T9 forged inclusion: a flipped bit, another position, a longer or shorter proof are refused', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: leavesMax }),
      fc.nat(),
      fc.nat(),
      async (size, pickLeaf, pickBit) => {
        const index = pickLeaf % size
        const proof = await proveInclusion(sha256, readFromLeaves, index, size)
        const claim = { leafHash: leaves[index]!, index, size, root: roots[size]! }
        verifyInclusion(sha256, claim, proof)
        const bit = pickBit % 256
        const refuted = code('inclusion_refuted')
        const withLeaf = { ...claim, leafHash: flipBit(claim.leafHash, bit) }
        assert.throws(() => verifyInclusion(sha256, withLeaf, proof), refuted)
        const withRoot = { ...claim, root: flipBit(claim.root, bit) }
        assert.throws(() => verifyInclusion(sha256, withRoot, proof), refuted)
        for (let i = 0; i < proof.length; i++) {
          const flipped = proof.with(i, flipBit(proof[i]!, bit))
          assert.throws(() => verifyInclusion(sha256, claim, flipped), refuted)
        }
        const malformed = code('proof_malformed')
        assert.throws(() => verifyInclusion(sha256, claim, [...proof, claim.root]), malformed)
        if (size > 1) {
          assert.throws(() => verifyInclusion(sha256, claim, proof.slice(1)), malformed)
          const elsewhere = { ...claim, index: (index + 1) % size }
          assert.throws(() => verifyInclusion(sha256, elsewhere, proof))
        }
      },
    ),
    { numRuns: 150 },
  )
})

test('T9 forged consistency: a flipped bit in either root or the proof is refused', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: leavesMax }),
      fc.nat(),
      fc.nat({ max: 255 }),
      async (newSize, pickSize, bit) => {
        const oldSize = 1 + (pickSize % newSize)
        const claim = { oldSize, oldRoot: roots[oldSize]!, newSize, newRoot: roots[newSize]! }
        const proof = await proveConsistency(sha256, readFromLeaves, oldSize, newSize)
        const refuted = code('consistency_refuted')
        for (const wrong of [
          { ...claim, oldRoot: flipBit(claim.oldRoot, bit) },
          { ...claim, newRoot: flipBit(claim.newRoot, bit) },
        ]) {
          assert.throws(() => verifyConsistency(sha256, wrong, proof), refuted)
        }
        for (let i = 0; i < proof.length; i++) {
          const flipped = proof.with(i, flipBit(proof[i]!, bit))
          assert.throws(() => verifyConsistency(sha256, claim, flipped), refuted)
        }
        assert.throws(
          () => verifyConsistency(sha256, claim, [...proof, claim.newRoot]),
          code('proof_malformed'),
        )
      },
    ),
    { numRuns: 150 },
  )
})

test('claims that make no sense are refused by code, never by a crash', () => {
  const root = roots[4]!
  for (const [index, size] of [
    [4, 4],
    [-1, 4],
    [0, 0],
    [0.5, 4],
    [0, 2 ** 53],
    [Number.NaN, 4],
  ] as const) {
    const claim = { leafHash: leaves[0]!, index, size, root }
    assert.throws(() => verifyInclusion(sha256, claim, []), code('proof_malformed'))
  }
  const shrinking = { oldSize: 5, oldRoot: roots[5]!, newSize: 4, newRoot: root }
  assert.throws(() => verifyConsistency(sha256, shrinking, []), code('proof_malformed'))
  const shortHash = { leafHash: new Uint8Array(31), index: 0, size: 1, root }
  assert.throws(() => verifyInclusion(sha256, shortHash, []), code('proof_malformed'))
  const fakeEmpty = { oldSize: 0, oldRoot: roots[1]!, newSize: 4, newRoot: root }
  assert.throws(() => verifyConsistency(sha256, fakeEmpty, []), code('consistency_refuted'))
})

test('trees of sizes that do not fit into 32 bits are planned in as many steps as they are high', () => {
  const size = 2 ** 52 + 12_345
  assert.equal(planInclusion({ start: 2 ** 40 + 1, end: 2 ** 40 + 2 }, size).length, 53)
  const cover = coverRange({ start: 0, end: size })
  assert.equal(
    cover.reduce((sum, node) => sum + 2 ** node.level, 0),
    size,
  )
})
