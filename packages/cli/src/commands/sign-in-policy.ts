/** `seaworthy sign-in-policy …`: which roles need a passkey. */
import type { Command } from 'commander'
import type { BuiltInRole } from '@seaworthy/fleet/access'
import { builtInRoles } from '@seaworthy/fleet/access'
import { setSignInPolicy, showSignInPolicy } from '@seaworthy/api/sign-in-policy'
import type { SignInPolicyOutcome } from '@seaworthy/api/sign-in-policy'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { oneOf } from '../options.ts'
import { formatCount, harmless } from '../output/format.ts'
import { dryRunQuery } from '../output/rights-outcome.ts'
import type { CliPorts } from '../ports.ts'
import { withConnection } from '../connection.ts'

export function addSignInPolicyCommands(program: Command, ports: CliPorts): void {
  const policy = program
    .command('sign-in-policy')
    .description('which roles sign in with a passkey and nothing less')
  policy
    .command('show')
    .description('show which roles need a passkey')
    .action(withContext(ports, show))
  policy
    .command('set')
    .description('set which roles need a passkey; only owners, in the browser, let one do without')
    .option('--passkey-role <role>', 'a built-in role that needs one, repeatable', collectRole)
    .option('--dry-run', 'say whose sessions would end and who would be shut out, no more')
    .action(withContext(ports, set))
}

const readRole = oneOf(...builtInRoles)

function collectRole(text: string, before: readonly BuiltInRole[] | undefined): BuiltInRole[] {
  return [...(before ?? []), readRole(text)]
}

async function show(context: Context): Promise<void> {
  await withConnection(context, async ({ client, server }) => {
    const policy = await client.call(showSignInPolicy, {})
    context.show(policy, () => [
      ...context.fields([['need a passkey', listed(policy.passkeyRoles)]]),
      'Other roles may use a password with an authenticator, or an identity provider, as well.',
      `To let a role do without, an owner opens ${server.url}/people`,
    ])
  })
}

const listed = (names: readonly string[]) => (names.length === 0 ? 'no role' : names.join(', '))

interface SetOptions {
  passkeyRole?: BuiltInRole[]
  dryRun?: boolean
}

async function set(context: Context, options: SetOptions): Promise<void> {
  const { passkeyRole: passkeyRoles, dryRun: isDryRun = false } = options
  if (passkeyRoles === undefined) {
    throw new CliError('usage', 'name every role that needs a passkey: --passkey-role ROLE …')
  }
  await withConnection(context, async ({ client }) => {
    const call = async (query: ReturnType<typeof dryRunQuery>) =>
      client.call(setSignInPolicy, { query, body: { passkeyRoles } })
    const trial = await call(dryRunQuery(true))
    if (isDryRun) {
      context.show(trial, () => describe(trial))
      return
    }
    if (trial.endedSessionsCount > 0 || trial.shutOutCount > 0) {
      for (const line of describe(trial)) context.warn(line)
      await context.confirm('Set the policy?')
    }
    const outcome = await call({})
    context.show(outcome, () => describe(outcome))
  })
}

function describe(outcome: SignInPolicyOutcome): string[] {
  const { isDryRun, passkeyRoles, tightened, endedSessionsCount, shutOutCount, shutOut } = outcome
  const sessions = formatCount(endedSessionsCount, 'session')
  const people = formatCount(shutOutCount, 'person', 'people')
  const unnamed = shutOutCount - shutOut.length
  return [
    `${isDryRun ? 'These roles would need' : 'These roles need'} a passkey: ${listed(passkeyRoles)}.`,
    tightened.length === 0
      ? 'None of them needed none before.'
      : `New among them: ${listed(tightened)}.`,
    isDryRun ? `${sessions} would end.` : `${sessions} ended.`,
    ...(shutOutCount === 0
      ? ['Nobody is shut out.']
      : [
          `${people} ${isDryRun ? 'would be' : shutOutCount === 1 ? 'is' : 'are'} shut out until they have a passkey (a recovery code or \`seaworthy person reinvite ID\` lets them register one):`,
          ...shutOut.map(({ id, name, role }) => `  ${id}   ${role}   ${harmless(name)}`),
          ...(unnamed === 0 ? [] : [`  and ${unnamed} more`]),
        ]),
  ]
}
