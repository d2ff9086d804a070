/**
 * The tree of commands. Built from the ports, so that help, completion and tests see the same one
 * as users.
 */
import { Command } from 'commander'
import { addAccountCommands } from './commands/account-keys.ts'
import { addApprovalCommands } from './commands/approvals.ts'
import { addServerCommands } from './commands/certificates.ts'
import { addChannelCommands } from './commands/channels.ts'
import { addCompletionCommand } from './commands/completion.ts'
import { addDemoCommand } from './commands/demo/demo.ts'
import { addDeviceCommands } from './commands/devices.ts'
import { addFleetCommands } from './commands/fleets.ts'
import { addGatewayTokenCommands } from './commands/gateway-tokens.ts'
import { addAccessCommands } from './commands/access.ts'
import { addKeyCommands } from './commands/keys.ts'
import { addLogCommands } from './commands/audit-log.ts'
import { addLoginCommands } from './commands/login.ts'
import { addPersonCommands } from './commands/people.ts'
import { addProductCommands } from './commands/products.ts'
import { addProposalCommands } from './commands/proposals.ts'
import { addProvisioningKeyCommands } from './commands/provisioning-keys.ts'
import { addReaderCommands } from './commands/readers.ts'
import { addSecretCommands } from './commands/secrets.ts'
import { addVariableCommands } from './commands/variables.ts'
import { addRebootLockCommands } from './commands/reboot-locks.ts'
import { addCaseCommands } from './commands/cases.ts'
import { addPublishCommands, addReleaseCommands } from './commands/releases/index.ts'
import { addRoleCommands } from './commands/roles.ts'
import { addRolloutCommands } from './commands/rollouts/index.ts'
import { addSessionCommands } from './commands/sessions.ts'
import { addSignInPolicyCommands } from './commands/sign-in-policy.ts'
import { addStoredCredentialCommands } from './commands/stored-credentials.ts'
import { addTokenCommands } from './commands/tokens.ts'
import { addTransferCommands } from './commands/transfers.ts'
import { addTrustCommands } from './commands/trust.ts'
import { addTufCommands } from './commands/tuf.ts'
import { addVexCommands } from './commands/vex/index.ts'
import { addVulnerabilityCommands } from './commands/vulnerabilities/index.ts'
import { addUpCommand } from './commands/up.ts'
import { addHelpBelow, FittingHelp } from './help.ts'
import { createOptionUse } from './option-use.ts'
import type { OptionUse } from './option-use.ts'
import { ParseEnd } from './parse-end.ts'
import type { CliPorts } from './ports.ts'

/** Each of these adds its commands to the program, in the order of `--help`. */
const additions: readonly ((program: Command, ports: CliPorts) => void)[] = [
  addUpCommand,
  addTransferCommands,
  addDemoCommand,
  addLoginCommands,
  addServerCommands,
  addKeyCommands,
  addTrustCommands,
  addProductCommands,
  addChannelCommands,
  addReleaseCommands,
  addVulnerabilityCommands,
  addVexCommands,
  addPublishCommands,
  addProposalCommands,
  addFleetCommands,
  addProvisioningKeyCommands,
  addVariableCommands,
  addSecretCommands,
  addReaderCommands,
  addStoredCredentialCommands,
  addCaseCommands,
  addGatewayTokenCommands,
  addRolloutCommands,
  addDeviceCommands,
  addRebootLockCommands,
  addPersonCommands,
  addRoleCommands,
  addAccountCommands,
  addSessionCommands,
  addSignInPolicyCommands,
  addTokenCommands,
  addApprovalCommands,
  addAccessCommands,
  addLogCommands,
  addTufCommands,
  addCompletionCommand,
]

const exitText = `Exit codes: 0 done, 1 failed, 2 usage, 3 refused by a policy or verification, 4 not allowed, 5 not found, 6 unreachable.
With --json, the last line of the error stream is an object with command, exitCode, code, message and wayOut.`

export function createProgram(ports: CliPorts): Command {
  const program = new Command('seaworthy')
    .description(
      'Ships software to fleets of Linux machines without trusting the servers in the middle.',
    )
    .option('--json', 'print data as JSON, and an error as one line of JSON')
    .option('--server <name>', 'the paired server to talk to (default: the one of the last login)')
    .option(
      '--config-dir <dir>',
      'where pairing, trust and log state are kept; SEAWORTHY_CONFIG in the environment says the same (default: ~/.config/seaworthy)',
    )
    .option('--await-approval', 'wait where another person must approve first, then go on')
    .option('--yes', 'do not ask for confirmation')
    .option('--no-color', 'no colours (NO_COLOR in the environment does the same)')
    .option('--verbose', 'show the causes of an error')
    .version('0.1.0', '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .showSuggestionAfterError()
  addHelpBelow(program, exitText)
  for (const add of additions) add(program, ports)
  const use = createOptionUse()
  shape(program, { ports, use })
  program.hook('postAction', (_program, action) => use.requireRead(action))
  return program
}

/**
 * Every command below behaves alike: it does not exit or print by itself, and keeps to the width of
 * the terminal.
 */
function shape(command: Command, { ports, use }: { ports: CliPorts; use: OptionUse }): void {
  use.watch(command)
  command
    .exitOverride((error) => {
      throw new ParseEnd(command, error)
    })
    .configureOutput({
      writeOut: (text) => ports.out.write(text),
      writeErr: (text) => ports.err.write(text),
      getOutHelpWidth: () => (ports.out.isTerminal ? ports.out.columns : 100),
      getErrHelpWidth: () => (ports.err.isTerminal ? ports.err.columns : 100),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: () => {},
    })
  command.createHelp = () => new FittingHelp()
  for (const child of command.commands) shape(child, { ports, use })
}
