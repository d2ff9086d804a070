import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  generatePrimeSync,
  hash,
  sign,
} from 'node:crypto'
import { readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ContentTarget } from '@seaworthy/oci/content'
import { storeContent } from '@seaworthy/oci/content'
import { craftLayer, craftRelease } from '@seaworthy/oci/crafted-release'
import { digestHex, digestOf } from '@seaworthy/oci/digests'
import { createMemoryStore } from '@seaworthy/oci/store/memory'
import { hexDecode } from '@seaworthy/std/bytes'
import { seededRandom, systemRandom } from '@seaworthy/std/random'
import { lacks } from '@seaworthy/std/testing/programs'
import { ManualClock } from '@seaworthy/std/time'
import type { PublicKey, Signer } from '@seaworthy/trust/keys'
import { generateSigner } from '@seaworthy/trust/keys'
import type { RepositorySimulator } from '@seaworthy/trust/testing'
import { createRepositorySimulator, provisionClient } from '@seaworthy/trust/testing'
import type { AnySigned, Metadata, RootSigned, TargetsSigned } from '@seaworthy/trust/tuf'
import { canonicalJson, listReleases, parseMetadata, wireJson } from '@seaworthy/trust/tuf'
import { writeExport } from './release-export.ts'
import { changeConfig, serverFolder } from './state/servers.ts'
import { runCommand, testPorts } from './testing/ports.ts'

const commands = fileURLToPath(new URL('verify-export.sh', import.meta.url))

interface Forgery {
  sig: Uint8Array
  /** What a reader of the folder could take for the key. */
  pem: string
}

/** Signs with an RSA key whose exponent ends in the bytes of this Ed25519 key. */
function signAsRsa({ keyval }: PublicKey, bytes: Uint8Array): Forgery {
  const base64url = (value: bigint) => {
    const hex = value.toString(16)
    return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString(
      'base64url',
    )
  }
  // The extended algorithm of Euclid.
  const invert = (value: bigint, modulus: bigint) => {
    let [a, b, x, y] = [value % modulus, modulus, 1n, 0n]
    while (b !== 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y]
    return { gcd: a, inverse: ((x % modulus) + modulus) % modulus }
  }
  // An exponent must be odd, and have no factor of phi.
  const exponent = BigInt(`0x01${keyval.public}`) | 1n
  for (;;) {
    const [p, q] = [
      generatePrimeSync(1024, { bigint: true }),
      generatePrimeSync(1024, { bigint: true }),
    ]
    const { gcd, inverse: d } = invert(exponent, (p - 1n) * (q - 1n))
    if (gcd !== 1n || p < q) continue
    const parts = {
      n: p * q,
      e: exponent,
      d,
      p,
      q,
      dp: d % (p - 1n),
      dq: d % (q - 1n),
      qi: invert(q, p).inverse,
    }
    const jwk = Object.fromEntries(
      Object.entries(parts).map(([name, value]) => [name, base64url(value)]),
    )
    const key = createPrivateKey({ format: 'jwk', key: { kty: 'RSA', ...jwk } })
    const pem = createPublicKey(key).export({ format: 'pem', type: 'spki' })
    return { sig: sign('sha256', bytes, key), pem }
  }
}

/** Signs with a key of the stranger's own, behind a line of this one. */
function signBehind({ keyval }: PublicKey, bytes: Uint8Array): Forgery {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const [, line] = keyval.public.split('\n')
  const pem = publicKey.export({ format: 'pem', type: 'spki' })
  return { sig: sign('sha256', bytes, privateKey), pem: `a key of the channel\n${line}\n${pem}` }
}

describe(
  'the commands that check an exported release by hand',
  { skip: lacks('bash', 'jq', 'openssl', 'zstd') },
  () => {
    let folder: string
    let honest: string
    let rootDigest: string
    let formerRoot: readonly Signer[]
    let repository: RepositorySimulator
    let signersOf: (role: string) => readonly Signer[]
    const forged: string[] = []

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'seaworthy-by-hand-'))
      honest = join(folder, 'honest')
      const clock = new ManualClock(new Date('2026-06-01T00:00:00Z'))
      const source = storeContent(createMemoryStore({ clock, random: seededRandom(3) }), 'web')
      const { layer, files } = craftLayer([
        { path: 'bin/app', content: 'good', isExecutable: true },
        { path: 'seaworthy.json', content: '{"start":["./bin/app"]}' },
      ])
      const bundles = [{ platform: 'linux/amd64', layer, listed: files }]
      const { bytes } = await craftRelease(source, { product: 'web', version: '1.0', bundles })
      repository = await createRepositorySimulator(clock.now())
      await repository.addProduct('web')
      for (const channel of ['beta', 'stable']) await repository.addChannel('web', channel)
      await repository.addRelease('web', 'stable', '1.0', {
        platforms: ['linux/amd64'],
        length: bytes.length,
        sha256: digestHex(digestOf(bytes)),
        sha512: digestHex(digestOf(bytes, 'sha512')),
      })
      formerRoot = repository.signers.get('root')!.slice(0, 1)
      await repository.rotateKeys('root', 3, 2)
      signersOf = (role) => repository.signers.get(role)!
      const served = async <T extends 'root' | 'targets'>(type: T, name: string) =>
        (await parseMetadata(type, repository.files.get(name)!, 'strict')) as Metadata<
          T extends 'root' ? RootSigned : TargetsSigned
        >
      const roots = [await served('root', '1.root.json'), await served('root', '2.root.json')]
      const roles = new Map<string, Metadata<TargetsSigned>>()
      for (const [role, { version }] of repository.targets)
        roles.set(role, await served('targets', `${version}.${role}.json`))
      const { client } = await provisionClient(repository, clock)
      await client.refresh()
      await client.loadChannel('web', 'stable')
      rootDigest = hash('sha256', repository.anchor, 'hex')
      const [release] = listReleases(roles.get('web.stable')!.signed).releases
      await writeExport({
        folder: honest,
        release: release!,
        view: {
          anchor: { digest: rootDigest, bytes: repository.anchor },
          current: { root: roots[1], roles },
          roots,
          files: client.trustedFiles(),
        },
        roots,
        source,
        random: systemRandom,
        onProgress() {},
      })
    })
    after(() => rm(folder, { recursive: true, force: true }))

    async function check(
      of: string,
      { root = `sha256:${rootDigest}`, release = ['web', 'stable', '1.0'] } = {},
    ) {
      const options = { cwd: of, encoding: 'utf8' } as const
      const { status, stdout, stderr } = spawnSync('bash', [commands, root, ...release], options)
      await rm(join(of, 'unpacked-linux-amd64'), { recursive: true, force: true })
      return { exitCode: status, out: stdout, err: stderr }
    }

    /** A copy of the folder that an attacker changes. Gives what the commands say of it. */
    async function forge(change: (of: string) => Promise<void>): Promise<string> {
      const of = join(folder, `forged-${forged.length}`)
      forged.push(of)
      await cp(honest, of, { recursive: true })
      await change(of)
      const { exitCode, err } = await check(of)
      assert.notEqual(exitCode, 0)
      return err
    }

    const read = async <S extends AnySigned>(of: string, role: string) =>
      JSON.parse(
        (await readFile(join(of, `signatures/${role}.signed.json`), 'utf8')).replaceAll(
          '\n',
          '\\n',
        ),
      ) as S

    /** Puts a document in place of the role's, with these signatures and no others. */
    async function replace(
      of: string,
      role: string,
      signed: AnySigned,
      signatures: readonly { keyId: string; sig: Uint8Array; pem?: string }[],
    ): Promise<void> {
      const below = join(of, 'signatures')
      for (const name of await readdir(below))
        if (new RegExp(`^${role}\\.[0-9a-f]{64}\\.sig$`).test(name)) await rm(join(below, name))
      await writeFile(join(below, `${role}.signed.json`), canonicalJson(signed))
      for (const { keyId, sig, pem } of signatures) {
        await writeFile(join(below, `${role}.${keyId}.sig`), sig)
        if (pem !== undefined) await writeFile(join(below, `${keyId}.pem`), pem)
      }
      const file = (await readdir(join(of, 'tuf'))).find((name) => name.endsWith(`${role}.json`))!
      await writeFile(
        join(of, 'tuf', file),
        wireJson({
          signatures: signatures.map(({ keyId, sig }) => ({ keyid: keyId, sig: sig.toHex() })),
          signed,
        }),
      )
    }

    const signedBy = async (signed: AnySigned, signer: Signer, keyId = signer.keyId) => ({
      keyId,
      sig: hexDecode(await signer.sign(canonicalJson(signed))),
    })

    async function nextVersion(of: string): Promise<TargetsSigned> {
      const signed = await read<TargetsSigned>(of, 'web.stable')
      return { ...signed, version: signed.version + 1 }
    }

    it('T8 an honest export passes, and another root, product, channel or version does not', async () => {
      const { exitCode, out, err } = await check(honest)
      assert.equal(exitCode, 0, out + err)
      for (const role of ['1.root', '2.root', 'targets', 'web', 'web.stable'])
        assert.match(out, new RegExp(`^${role}: signed by [123] keys`, 'm'))
      assert.match(out, /^Genuine as of root 2: web\/stable\/1\.0\./m)
      assert.ok(
        readFileSync(join(honest, 'VERIFY.md'), 'utf8').includes(readFileSync(commands, 'utf8')),
      )
      assert.notEqual((await check(honest, { root: `sha256:${'1'.repeat(64)}` })).exitCode, 0)
      assert.notEqual((await check(honest, { root: '' })).exitCode, 0)
      for (const release of [
        ['web', 'stable', '1.1'],
        ['web', 'beta', '1.0'],
        ['new', 'stable', '1.0'],
      ])
        assert.notEqual((await check(honest, { release })).exitCode, 0)
    })

    it('T8 attack: a stranger without any key passes for the signers: keys of another kind that hold theirs, text before a key', async () => {
      const said = await forge(async (of) => {
        const signed = await nextVersion(of)
        const bytes = canonicalJson(signed)
        const signatures = signersOf('web.stable').map(({ key, keyId }) => {
          const { sig, pem } =
            key.keytype === 'ed25519' ? signAsRsa(key, bytes) : signBehind(key, bytes)
          return { keyId, sig, pem }
        })
        await replace(of, 'web.stable', signed, signatures)
      })
      assert.match(said, /NOT GENUINE: a signature of web\.stable is not by the key that web names/)
    })

    it('T8 attack: the thief of a key of one role signs for another', async () => {
      for (const role of ['timestamp', 'web.beta']) {
        const [thief] = signersOf(role)
        const attempt = (rename: boolean) =>
          forge(async (of) => {
            const signed = await nextVersion(of)
            const signatures = await Promise.all(
              signersOf('web.stable').map(({ keyId }) =>
                signedBy(signed, thief!, rename ? keyId : undefined),
              ),
            )
            await replace(of, 'web.stable', signed, signatures)
          })
        assert.match(await attempt(false), /0 of the 2 keys of web have signed web\.stable/)
        assert.match(await attempt(true), /not by the key that web names for web\.stable/)
      }
      // One of the server's own keys, which the root names, but not for `targets`.
      const [online] = signersOf('timestamp')
      const said = await forge(async (of) => {
        const signed = await read<TargetsSigned>(of, 'targets')
        await replace(of, 'targets', signed, [await signedBy(signed, online!)])
      })
      assert.match(said, /0 of the 2 keys of 2\.root have signed targets/)
    })

    it('T8 attack: one signature counts twice, under the id of another key or one made up', async () => {
      const [thief, other] = signersOf('web.stable')
      for (const [keyId, said] of [
        [other!.keyId, /not by the key that web names/],
        ['f'.repeat(64), /1 of the 2 keys of web have signed web\.stable/],
      ] as const) {
        const err = await forge(async (of) => {
          const signed = await nextVersion(of)
          const once = await signedBy(signed, thief!)
          await replace(of, 'web.stable', signed, [once, { ...once, keyId }])
        })
        assert.match(err, said)
      }
    })

    it('T8 attack: a later root of a stranger, signed by its own keys or by one of the old', async () => {
      const strangers = [await generateSigner('ed25519'), await generateSigner('p256')]
      for (const old of [[], formerRoot, signersOf('root')]) {
        const said = await forge(async (of) => {
          const signed = await read<RootSigned>(of, '2.root')
          const own = { keyids: strangers.map(({ keyId }) => keyId), threshold: 2 }
          const forgedRoot = {
            ...signed,
            keys: { ...signed.keys, ...Object.fromEntries(strangers.map((s) => [s.keyId, s.key])) },
            roles: { ...signed.roles, root: own },
          }
          const signers = [...strangers, ...old]
          await replace(
            of,
            '2.root',
            forgedRoot,
            await Promise.all(signers.map((s) => signedBy(forgedRoot, s))),
          )
        })
        assert.match(said, /[01] of the 2 keys of 1\.root have signed 2\.root/)
      }
    })

    it('T8 attack: the first root is another one than the bytes that were compared', async () => {
      const stranger = await generateSigner('ed25519')
      const said = await forge(async (of) => {
        const signed = await read<RootSigned>(of, '1.root')
        const root = { keyids: [stranger.keyId], threshold: 1 }
        const own = {
          ...signed,
          keys: { ...signed.keys, [stranger.keyId]: stranger.key },
          roles: { ...signed.roles, root },
        }
        const before = await readFile(join(of, 'tuf/1.root.json'))
        await replace(of, '1.root', own, [await signedBy(own, stranger)])
        await writeFile(join(of, 'tuf/1.root.json'), before)
      })
      assert.match(said, /does not say what tuf\/1\.root\.json says/)
    })

    it('T8 attack: other bytes of a layer, another list of files, a signed document of another type', async () => {
      const blobs = 'oci/blobs/sha256'
      for (const name of (await readdir(join(honest, blobs))).slice(0, 3))
        await forge((of) => writeFile(join(of, blobs, name), 'other bytes'))
      for (const name of await readdir(join(honest, 'files')))
        await forge((of) => writeFile(join(of, 'files', name), 'other bytes'))
      const said = await forge(async (of) => {
        const { signatures } = JSON.parse(await readFile(join(of, 'tuf/2.root.json'), 'utf8')) as {
          signatures: { keyid: string; sig: string }[]
        }
        const root = await read<RootSigned>(of, '2.root')
        await replace(
          of,
          'targets',
          root,
          signatures.map(({ keyid, sig }) => ({ keyId: keyid, sig: hexDecode(sig) })),
        )
      })
      assert.match(said, /NOT GENUINE: targets is no targets/)
    })

    it('T8 attack: a layer holds what the signed list of its files does not say, and the sums beside it are made for it', async () => {
      const app = { path: 'bin/app', isExecutable: true }
      const manifest = { path: 'seaworthy.json', content: '{"start":["./bin/app"]}' }
      const listed = craftLayer([{ ...app, content: 'good' }, manifest]).files
      const lies = {
        'another content': [{ ...app, content: 'evil' }, manifest],
        'another mode': [{ ...app, content: 'good', isExecutable: false }, manifest],
        'one file more': [
          { ...app, content: 'good' },
          { path: 'bin/extra', content: '' },
          manifest,
        ],
      }
      for (const [what, entries] of Object.entries(lies)) {
        const { layer, files } = craftLayer(entries)
        const blobs: Uint8Array[] = []
        const target: ContentTarget = {
          hasBlob: async () => false,
          putBlob: async (_expected, open) => void blobs.push(await buffer(open())),
          putManifest: async ({ bytes }) => void blobs.push(bytes),
        }
        const bundles = [{ platform: 'linux/amd64', layer, listed }]
        const { bytes } = await craftRelease(target, { product: 'web', version: '1.0', bundles })
        const said = await forge(async (of) => {
          for (const blob of [...blobs, bytes]) {
            await writeFile(join(of, 'oci/blobs/sha256', hash('sha256', blob, 'hex')), blob)
          }
          const sums = files.entries.flatMap((entry) =>
            entry.type === 'file' ? [`${entry.sha256}  ${entry.path}\n`] : [],
          )
          await writeFile(join(of, 'files/linux-amd64.sha256sums'), sums.join(''))
          const next = await nextVersion(of)
          const path = 'web/stable/1.0'
          const file = next.targets[path]!
          const hashes = { ...file.hashes, sha256: hash('sha256', bytes, 'hex') }
          const signed = { ...next, targets: { ...next.targets, [path]: { ...file, hashes } } }
          const signatures = []
          for (const signer of signersOf('web.stable')) {
            signatures.push(await signedBy(signed, signer))
          }
          await replace(of, 'web.stable', signed, signatures)
        })
        assert.match(
          said,
          /NOT GENUINE: (?:the layer|a file of the layer) for linux\/amd64/,
          `${what}: ${said}`,
        )
      }
    })

    /** The configuration of a machine that has verified what the repository serves now. */
    async function rememberAll(config: string): Promise<void> {
      const { client, store } = await provisionClient(repository, new ManualClock(repository.now))
      await client.refresh()
      await client.loadChannel('web', 'stable')
      const trust = join(serverFolder(config, 'x'), 'trust')
      await mkdir(trust, { recursive: true })
      await writeFile(join(trust, 'anchor.json'), repository.anchor)
      for (const [slot, bytes] of store.slots) await writeFile(join(trust, `state-${slot}`), bytes)
      const server = { url: 'https://x', logVerifierKey: 'x', rootDigest }
      await changeConfig(testPorts(), config, () => ({ current: 'x', servers: { x: server } }))
    }

    it('T8 attack: keys that were replaced sign an export, for a machine that has verified the replacement', async () => {
      const stolen = signersOf('web.stable').slice(0, 2)
      await repository.rotateKeys('web.stable', 3, 2)
      const config = join(folder, 'config')
      await rememberAll(config)
      const verify = (of: string, ...args: string[]) =>
        runCommand(['--config-dir', config, 'release', 'verify', of, ...args])
      const old = await verify(honest)
      assert.equal(old.exitCode, 0, old.err)
      assert.match(
        old.out,
        /this machine has verified newer metadata than the folder brings, .*: web \d+, web\.stable \d+\n/,
      )
      const of = join(folder, 'replaced')
      await cp(honest, of, { recursive: true })
      const signed = { ...(await read<TargetsSigned>(of, 'web.stable')), version: 99 }
      await replace(
        of,
        'web.stable',
        signed,
        await Promise.all(stolen.map((s) => signedBy(signed, s))),
      )
      for (const args of [[], ['--root', rootDigest]]) {
        const { exitCode, err } = await verify(of, ...args)
        assert.equal(exitCode, 3, err)
        assert.match(
          err,
          /web\.stable is signed by 0 of the 2 keys it needs.*\(signature_threshold\)/,
        )
      }
      // Whoever knows nothing of it is told so.
      const alone = await runCommand([
        ...['--config-dir', join(folder, 'alone'), 'release', 'verify', of],
        ...['--root', rootDigest],
      ])
      assert.equal(alone.exitCode, 0, alone.err)
      assert.match(
        alone.out,
        /checked against what this folder brings only\. Its newest root is version 2,/,
      )
      // A release that was withdrawn since is genuine no longer.
      await repository.withdrawRelease('web', 'stable', '1.0')
      await rm(config, { recursive: true })
      await rememberAll(config)
      const withdrawn = await verify(honest)
      assert.equal(withdrawn.exitCode, 3, withdrawn.err)
      assert.match(
        withdrawn.err,
        /web\.stable \d+, which this machine has verified, does not list it any more/,
      )
    })
  },
)
