/** `seaworthy release …`: the commands about releases that are registered. */
import type { Command } from 'commander'
import { CommanderError, Option } from 'commander'
import { bundleManifestSchema } from '@seaworthy/oci/bundle/manifest-schema'
import { documentKinds } from '@seaworthy/sbom/documents'
import type { ReleaseView } from '@seaworthy/api/releases'
import { listReleases, showRelease } from '@seaworthy/api/releases'
import { showReleaseExposure } from '@seaworthy/api/vulnerabilities'
import type { Context } from '../../context.ts'
import { withContext } from '../../context.ts'
import { formatAgo, formatBytes, shortDigest } from '../../output/format.ts'
import { collect, collectPlatforms } from '../../options.ts'
import { ParseEnd } from '../../parse-end.ts'
import type { CliPorts } from '../../ports.ts'
import { collectPages, withConnection } from '../../connection.ts'
import { createReleaseFrom } from './create.ts'
import { diffReleases } from './diff.ts'
import { exportRelease } from './export.ts'
import { showSbom } from './sbom.ts'
import type { VerifyOptions } from './verify.ts'
import { verifyExport, verifyReleaseOnline } from './verify.ts'
import { countFound, describeCounts, orDenied } from '../vulnerabilities/view.ts'
import { describeChannels, describeRelease } from './view.ts'

export function addReleaseCommands(program: Command, ports: CliPorts): void {
  const release = program.command('release').description('versions of a product')
  const create = release.command('create <product> <version>')
  create

    .description('build a release, push it and register it; it runs nowhere before it is published')
    .requiredOption(
      '--platform <os/arch>',
      'for example linux/amd64; repeat with --from',
      collectPlatforms,
    )
    .requiredOption(
      '--from <source>',
      'DIR, FILE, oci:DIR[:NAME] or docker://HOST/REPO:TAG, for the platform before it',
      collect,
    )
    .option('--raw', 'files stay as they are: an OS image (the default for .swu and .raucb)')
    .option(
      '--sbom <file>',
      'a CycloneDX or SPDX document of the build, carried beside what is computed; OS/ARCH=FILE for several platforms; may be repeated',
      collect,
    )
    .option('--no-start', 'a bundle without seaworthy.json: devices unpack it, and start nothing')
    .option('--json-schema', 'print the JSON Schema of seaworthy.json, and do nothing else')
    .on('option:json-schema', () => {
      ports.out.write(`${JSON.stringify(bundleManifestSchema, undefined, 2)}\n`)
      throw new ParseEnd(create, new CommanderError(0, 'seaworthy.json-schema', ''))
    })
    .action(withContext(ports, createReleaseFrom))
  release
    .command('list <product>')
    .description('list releases, newest first')
    .action(withContext(ports, list))
  release
    .command('show <product> <version>')
    .description('show one release')
    .action(withContext(ports, show))
  release
    .command('diff <product> <before> <after>')
    .description('what changes on devices: files, sizes, modes')
    .option('--all', 'every entry, however many')
    .action(
      withContext(
        ports,
        (context, product: string, before: string, after: string, options: { all?: boolean }) =>
          diffReleases(context, product, [before, after], options),
      ),
    )
  release
    .command('sbom <product> <version>')
    .description('show what it is made of: the bill of materials that its signature covers')
    .addOption(
      new Option('--format <format>', 'the form').choices(documentKinds).default('packages'),
    )
    .option('--platform <os/arch>', 'needed where the release has several')
    .option('--channel <name>', 'needed where several channels list the version')
    .option('--handed-over', 'what its build handed over, instead of what was computed')
    .option('--digest <digest>', 'one of several that were handed over')
    .option('-o, --output <file>', 'write the document there, byte for byte')
    .action(withContext(ports, showSbom))
  release
    .command('export <product> <version>')
    .description('write it as a folder that sha256sum, jq and openssl check')
    .requiredOption('-o, --output <dir>', 'a new or empty folder')
    .option('--channel <name>', 'needed where several channels list the version')
    .action(withContext(ports, exportRelease))
  release
    .command('verify <product-or-dir> [version]')
    .description(
      'check the chain from the root to every byte, on the server or of an exported folder',
    )
    .option('--channel <name>', 'needed where several channels list the version')
    .option('--root <sha256:…>', 'the digest of the root that must vouch for it')
    .action(
      withContext(
        ports,
        (context, target: string, version: string | undefined, options: VerifyOptions) =>
          version === undefined
            ? verifyExport(context, target, options)
            : verifyReleaseOnline(context, target, version, options),
      ),
    )
}

async function list(context: Context, product: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const releases = await collectPages((query) =>
      client.call(listReleases, { params: { product }, query }),
    )
    const now = context.ports.clock.now()
    context.show(releases, () =>
      context.table<ReleaseView>(
        [
          { title: 'version', text: (r) => r.version, isShrinkable: true },
          { title: 'digest', text: (r) => shortDigest(r.digest) },
          {
            title: 'platforms',
            text: (r) => r.platforms.map((p) => p.platform).join(' '),
            isShrinkable: true,
          },
          { title: 'size', text: (r) => formatBytes(r.totalBytes), align: 'right' },
          { title: 'channels', text: describeChannels, isShrinkable: true },
          { title: 'created', text: (r) => formatAgo(r.createdAt, now), isDroppable: true },
        ],
        releases,
        'No releases yet: see `seaworthy release create --help`.',
      ),
    )
  })
}

async function show(context: Context, product: string, version: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const params = { product, version }
    const [view, known] = await Promise.all([
      client.call(showRelease, { params }),
      orDenied(client.call(showReleaseExposure, { params })),
    ])
    const now = context.ports.clock.now()
    context.show({ ...view, ...countFound(known, now) }, () => [
      ...describeRelease(context, view),
      ...describeCounts(known, now),
    ])
  })
}
