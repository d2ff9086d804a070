/** The pages of docs/reference: what devices report, and the files that people write for them. */
import type { JsonSchema } from '@seaworthy/oci/bundle/manifest-schema'
import { bundleManifestSchema } from '@seaworthy/oci/bundle/manifest-schema'
import type { ReleaseFault } from '@seaworthy/oci/release-content'
import type { HpkeCode } from '@seaworthy/trust/hpke'
import type { TrustCode } from '@seaworthy/trust/tuf'
import type { AgentConfig } from '../config.ts'
import type {
  AppSettingsFault,
  ContentFailure,
  LocalFailure,
  StateFault,
  TrialFailure,
} from '../refusals.ts'

/** What happened, and what to do about it. */
type Entry = readonly [what: string, wayOut: string]

const newRelease =
  'Make the release again with `release create`; a device tries it under its new counter.'
const attacked =
  'Nothing was taken. If it stays, the server, a mirror or the way to them is faulty or lies: see [server-stolen](../runbooks/server-stolen.md).'
const disk = 'Look at the disk of the device; what runs goes on.'
const publishAnew = 'Publish it again with the right product, channel, platform or hardware.'

const trials: Record<TrialFailure, Entry> = {
  start_failed: [
    'The program of the release could not be started; the reason names the system’s error and the program.',
    'Correct `start` in `seaworthy.json`, or what the program needs on the device, and make a new release.',
  ],
  crash_loop: [
    'The application ended three times while it was watched.',
    'Read the last lines that it wrote: `device show`.',
  ],
  health_failed: [
    'The health check did not succeed within its window, or failed three times in a row after it had.',
    'The reason says what the check saw. Give it longer by `health.windowSeconds`, or correct the application.',
  ],
  interrupted: [
    'The trial was begun three times and never came to a verdict: power cuts, or a machine that falls over.',
    'Look at the device, then offer the release again: `rollout create --attempts`.',
  ],
  release_missing: [
    'The release’s files are no longer on the disk.',
    'The device fetches what it is assigned anew; look at its disk.',
  ],
}

const local: Record<LocalFailure, Entry> = {
  no_space: [
    'The disk has no room for the release.',
    'Make room; it is tried again at the next poll.',
  ],
  disk_failed: ['The disk did not read or write as asked.', disk],
}

const settings: Record<AppSettingsFault | HpkeCode, Entry> = {
  secret_rollback: ['A secret older than one that was here.', 'Set it again: `secret set`.'],
  secret_of_future: [
    'A secret whose version nobody can have given it by now.',
    'Look at the clocks of the server and of whoever set it, then set it again.',
  ],
  setting_twice: ['Two variables or secrets have one name.', attacked],
  secret_names_full: [
    'More names of secrets than a device remembers.',
    'Use names again: a device never forgets one.',
  ],
  receiving_key_malformed: ['The key to which secrets are sealed is none.', disk],
  receiving_key_degenerate: ['A secret was sealed to a point that hides nothing.', attacked],
  sealed_too_short: ['A secret is too short to be one.', 'Set it again: `secret set`.'],
  sealed_not_opened: [
    'A secret was sealed to another device, place, name or version, or was changed.',
    'Set it again: `secret set`.',
  ],
}

const trust: Record<TrustCode | StateFault, Entry> = {
  metadata_malformed: ['Metadata is not of the form that TUF demands.', attacked],
  profile_violation: ['Metadata is outside the strict profile of these repositories.', attacked],
  unsupported_specification: ['Metadata of another version of TUF.', 'Update the agent.'],
  signature_threshold: ['Fewer keys have signed than must.', attacked],
  rollback: ['Metadata older than what the device has seen.', attacked],
  freeze: [
    'Metadata has expired: nobody has renewed it, or somebody keeps the newer from the device.',
    'See [role-expires](../runbooks/role-expires.md); look at the clock of the device.',
  ],
  lifetime_exceeded: ['A timestamp or snapshot that would be valid for too long.', attacked],
  mix_and_match: ['Metadata that does not belong together.', attacked],
  wrong_length: ['Content is not as long as was signed.', attacked],
  wrong_hash: ['Content is not what was signed.', attacked],
  endless_data: ['More bytes than were signed, or than are ever taken.', attacked],
  slow_retrieval: ['Content comes too slowly.', 'Look at the network; it is tried again.'],
  root_chain_broken: ['A root does not follow the one that the device trusts.', attacked],
  metadata_missing: ['The repository lacks a file that its own metadata names.', attacked],
  target_unknown: ['No role that may do so lists the release.', attacked],
  target_path_unusable: ['A signed path that names no file of the repository.', newRelease],
  release_malformed: ['The release is not of the form of one.', newRelease],
  wrong_product: ['The release is of another product.', publishAnew],
  wrong_channel: ['The release is of another channel.', publishAnew],
  wrong_platform: ['The release has nothing for the device’s platform.', publishAnew],
  wrong_hardware: ['The release is for other hardware.', publishAnew],
  counter_below_committed: [
    'The release has a lower counter than one that the device has committed.',
    'To go back, sign the old content under a higher counter: `rollout back`.',
  ],
  below_floor: ['The release lies below the floor of its channel.', 'Offer a newer one.'],
  state_unreadable: [
    'What the device must never forget is gone or damaged: it installs nothing, and what runs goes on.',
    'Restore its state folder, or set the device up anew with a fresh provisioning key.',
  ],
}

const content: Record<
  Exclude<ReleaseFault | ContentFailure, TrustCode> | 'environment_missing',
  Entry
> = {
  environment_missing: [
    '`seaworthy.json` names a `${NAME}` for which `agent.json` has no value.',
    'Set it in `environment` of [agent.json](agent-json.md) and restart the agent.',
  ],
  bundle_manifest_malformed: [
    '`seaworthy.json` is not of its form.',
    'See [seaworthy.json](seaworthy-json.md) and make a new release.',
  ],
  content_unusable: ['The release could not be used for a cause that nobody foresaw.', newRelease],
  release_mismatch: [
    'What was signed, the index and its manifests contradict one another.',
    newRelease,
  ],
  file_list_malformed: ['The list of files is not of its form.', newRelease],
  file_list_too_large: ['The list of files is too long.', newRelease],
  file_list_mismatch: ['The list of files is not what the bundle holds.', newRelease],
  manifest_too_large: ['A manifest is too long.', newRelease],
  manifest_not_json: ['A manifest is not JSON.', newRelease],
  manifest_malformed: ['A manifest is not of its form.', newRelease],
  manifest_media_type: ['A manifest is of another type than the index says.', newRelease],
  file_name: ['A file of an image has no usable name.', newRelease],
  file_name_twice: ['Two files of an image have one name.', newRelease],
  os_image_malformed: ['The manifest is not one of an operating system image.', newRelease],
  zstd_damaged: ['The layer cannot be decompressed.', newRelease],
  tar_truncated: ['The archive ends too early.', newRelease],
  tar_header: ['The archive has a header out of form.', newRelease],
  tar_not_canonical: ['The archive is written in another way than ours.', newRelease],
  tar_pax: ['The archive has an extended header out of form.', newRelease],
  tar_padding: ['The archive has content in its padding.', newRelease],
  tar_trailing_bytes: ['The archive goes on behind its end.', newRelease],
  entry_order: ['The entries of the archive are out of order.', newRelease],
  entry_duplicate: ['The archive has an entry twice.', newRelease],
  entry_twin: [
    'The archive has two names that some file systems take for one: they differ only by case, by how Unicode composes their letters, or by characters that cannot be seen.',
    'Rename one of them and make the release again with `release create`.',
  ],
  entry_parent: ['The archive has an entry without its folder.', newRelease],
  entry_kind: ['The archive has an entry that is no file, folder or link.', newRelease],
  path_unsafe: ['The archive has a path that leads out of the bundle.', newRelease],
  path_too_long: ['The archive has a path that is too long.', newRelease],
  symlink_escapes: ['The archive has a link that leads out of the bundle.', newRelease],
  links_too_long: ['The archive has links that lead through too many folders.', newRelease],
  file_too_large: ['A file is too large.', newRelease],
  total_too_large: ['All files together are too large.', newRelease],
  too_many_entries: ['The archive has too many entries.', newRelease],
}

const members: Record<keyof AgentConfig, string> = {
  server:
    'Origin of the server, `https://host:port`. Left out, the device lives on its mirrors alone.',
  pin: 'Pin of the key of the server’s certificate, `sha256:…`. Not together with `ca`.',
  ca: 'File with the certificate of the CA that the server’s must be from.',
  root: 'SHA-256 of the root of trust. Required.',
  rootFile:
    'File with that root; without it the agent asks the server or a mirror, and compares the digest.',
  rootInline: 'That root itself, in Base64.',
  provisioningKey: 'The key with which the device registers; the agent removes it afterwards.',
  enrolmentKey:
    'The key with which it shows that holders enrolled it; removed with the provisioning key.',
  product: 'The product whose releases it runs. Required.',
  channel: 'The channel that it follows. Required.',
  pollSeconds: 'Seconds between polls, 1 to 604800, where the server names no other; 3600.',
  mirrors:
    'Where content and metadata may come from too, at most 16: an origin, or `{"url": …, "pin": …}` or `{"url": …, "ca": …}`. A mirror decides nothing: everything is verified as if it came from the server.',
  reportOutput:
    'Whether the report of a failed update has the last lines that the release wrote; true.',
  stateDir: 'The folder of the agent’s state and of the releases; `/var/lib/seaworthy`.',
  runDir: 'The folder of the socket `agent.sock`; `/run/seaworthy`.',
  environment:
    'Values for `${NAME}` in `seaworthy.json`, which the application gets in its environment too.',
  user: 'The account of the application, where the agent runs as root; `seaworthy-app`.',
  fetchUser: 'The account of the fetcher, where the agent runs as root; `seaworthy`. Never root.',
  platform: 'The platform whose part of a release is taken, such as `linux/arm64`; this machine’s.',
  hardware: 'What the hardware is called; releases may be for some hardware only.',
  name: 'A name for people, told when the device registers.',
  tags: 'Tags, told when the device registers; waves and windows go by them.',
}

const cell = (text: string) => text.replaceAll('|', String.raw`\|`)
const row = (...cells: string[]) => `| ${cells.map(cell).join(' | ')} |`
const table = (titles: readonly string[], rows: readonly string[]) =>
  [row(...titles), row(...titles.map(() => '---')), ...rows].join('\n')
const codes = (title: string, entries: Readonly<Record<string, Entry>>) =>
  `## ${title}\n${table(
    ['code', 'what happened', 'what to do'],
    Object.entries(entries)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([code, [what, wayOut]]) => row(`\`${code}\``, what, wayOut)),
  )}\n`

function describeMember(path: string, schema: JsonSchema, isRequired: boolean): string[] {
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, member]) =>
    describeMember(path === '' ? name : `${path}.${name}`, member, requires(schema, name)),
  )
  if (path === '') return inner
  const example = schema.examples?.[0] ?? schema.default
  const own = row(
    `\`${path}\``,
    isRequired ? 'yes' : 'no',
    schema.description ?? '',
    schema.default === undefined ? '' : `\`${JSON.stringify(schema.default)}\``,
    example === undefined ? '' : `\`${JSON.stringify(example)}\``,
  )
  return [own, ...inner]
}

function requires({ required = [] }: JsonSchema, name: string): boolean {
  return required.includes(name)
}

/** The pages, by the names of their files. */
export function renderReference(): ReadonlyMap<string, string> {
  return new Map([
    [
      'device-codes.md',
      [
        '# Codes that devices report\n',
        'A device signs the code and, in words, the reason: `device show`, `device updates`, `rollout show`. This page is made from the closed unions of the agent; a test fails when a code is missing.\n',
        codes('A release on trial, or variables and secrets', trials),
        codes('The machine', local),
        codes('Signatures and metadata', trust),
        codes('The content of a release', content),
        codes('Variables and secrets', settings),
      ].join('\n'),
    ],
    [
      'agent-json.md',
      [
        '# agent.json\n',
        'The configuration of the agent, `/etc/seaworthy/agent.json`. Unknown members are refused.\n',
        table(
          ['member', 'what it says'],
          Object.entries(members).map(([name, what]) => row(`\`${name}\``, what)),
        ),
        '',
      ].join('\n'),
    ],
    [
      'seaworthy-json.md',
      [
        '# seaworthy.json\n',
        `${bundleManifestSchema.description} Unknown members are refused, by \`release create\` and by each device. \`release create --json-schema\` prints the schema, for editors.\n`,
        table(
          ['member', 'required', 'what it says', 'default', 'example'],
          describeMember('', bundleManifestSchema, true),
        ),
        '',
      ].join('\n'),
    ],
  ])
}
