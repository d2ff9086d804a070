/**
 * The commands below the program, in the order of `--help`, and the modules that bring them: a
 * command line loads the module of the command that it was given, and no other.
 */
import type { Command } from 'commander'
import type { CliPorts } from './ports.ts'

export interface CommandGroup {
  /** Each command as `--help` writes it, and what it says of it; `null` where it shows none. */
  readonly commands: Readonly<Record<string, string | null>>
  readonly load: () => Promise<(program: Command, ports: CliPorts) => void>
}

export const commandGroups: readonly CommandGroup[] = [
  {
    commands: {
      'up [options]': 'run the server on this machine',
    },
    load: async () => (await import('./commands/up.ts')).addUpCommand,
  },
  {
    commands: {
      'export [options] <dir>':
        'write the whole server of this machine into a new folder, in open formats',
      'import [options] <dir>':
        'make a server on this machine from such a folder, where there is none yet',
    },
    load: async () => (await import('./commands/transfers.ts')).addTransferCommands,
  },
  {
    commands: {
      'demo [options]':
        'everything on this machine: server, signers, devices, a staged update, a rollback, an attack',
    },
    load: async () => (await import('./commands/demo/demo.ts')).addDemoCommand,
  },
  {
    commands: {
      'login [options] <url>':
        'pair this command line with a server: by the line that `seaworthy up` printed, or by a code that you type into the server’s page',
      whoami: 'show the server, the actor behind the token, and what is trusted',
    },
    load: async () => (await import('./commands/login.ts')).addLoginCommands,
  },
  {
    commands: {
      server: 'the server’s own names, certificate and key',
    },
    load: async () => (await import('./commands/certificates.ts')).addServerCommands,
  },
  {
    commands: {
      key: 'make and look at signing keys',
    },
    load: async () => (await import('./commands/keys.ts')).addKeyCommands,
  },
  {
    commands: {
      trust: 'the root of trust: roles, keys, thresholds',
    },
    load: async () => (await import('./commands/trust.ts')).addTrustCommands,
  },
  {
    commands: {
      product: 'what is shipped',
    },
    load: async () => (await import('./commands/products.ts')).addProductCommands,
  },
  {
    commands: {
      channel: 'signed lines of a product: stable, beta, …',
    },
    load: async () => (await import('./commands/channels.ts')).addChannelCommands,
  },
  {
    commands: {
      release: 'versions of a product',
    },
    load: async () => (await import('./commands/releases/index.ts')).addReleaseCommands,
  },
  {
    commands: {
      vulnerability: 'what is known of the components of releases, and which devices run them',
    },
    load: async () =>
      (await import('./commands/vulnerabilities/index.ts')).addVulnerabilityCommands,
  },
  {
    commands: {
      vex: 'statements that a vulnerability matters in a release, or not, and why',
    },
    load: async () => (await import('./commands/vex/index.ts')).addVexCommands,
  },
  {
    commands: {
      'publish [options] <product> <version>': 'propose a release for a channel; its keys decide',
      'withdraw [options] <product> <version>':
        'propose to take a release off a channel; devices that run it keep it',
    },
    load: async () => (await import('./commands/releases/index.ts')).addPublishCommands,
  },
  {
    commands: {
      proposal: 'what waits for offline signatures',
    },
    load: async () => (await import('./commands/proposals.ts')).addProposalCommands,
  },
  {
    commands: {
      mirror: 'static mirrors, from which devices may fetch what is signed',
    },
    load: async () => (await import('./commands/mirrors.ts')).addMirrorCommands,
  },
  {
    commands: {
      fleet: 'sets of devices that share product, channel and policy',
    },
    load: async () => (await import('./commands/fleets.ts')).addFleetCommands,
  },
  {
    commands: {
      'provisioning-key': 'keys with which devices join a fleet',
    },
    load: async () => (await import('./commands/provisioning-keys.ts')).addProvisioningKeyCommands,
  },
  {
    commands: {
      variable: 'values for the applications of a fleet or device',
    },
    load: async () => (await import('./commands/variables.ts')).addVariableCommands,
  },
  {
    commands: {
      secret:
        'secrets for the applications of a fleet or device; the server can read only those that it was given to hold',
    },
    load: async () => (await import('./commands/secrets.ts')).addSecretCommands,
  },
  {
    commands: {
      reader: 'devices to which this machine seals secrets, as people accepted them',
    },
    load: async () => (await import('./commands/readers.ts')).addReaderCommands,
  },
  {
    commands: {
      credential: 'credentials of other systems, lent for a time to whoever gives a reason',
    },
    load: async () =>
      (await import('./commands/stored-credentials.ts')).addStoredCredentialCommands,
  },
  {
    commands: {
      case: 'reports of flaws and what becomes of them, for those who are read in',
    },
    load: async () => (await import('./commands/cases.ts')).addCaseCommands,
  },
  {
    commands: {
      advisory: 'what the public is told of a flaw, for those who are read in to its case',
    },
    load: async () => (await import('./commands/advisories/index.ts')).addAdvisoryCommands,
  },
  {
    commands: {
      'gateway-token': 'tokens of gateways that speak DDI for devices behind them',
    },
    load: async () => (await import('./commands/gateway-tokens.ts')).addGatewayTokenCommands,
  },
  {
    commands: {
      rollout: 'move a fleet to a release, wave by wave',
    },
    load: async () => (await import('./commands/rollouts/index.ts')).addRolloutCommands,
  },
  {
    commands: {
      device: 'the machines',
    },
    load: async () => (await import('./commands/devices.ts')).addDeviceCommands,
  },
  {
    commands: {
      'reboot-lock': 'restart slots of fleets whose restarts are coordinated',
    },
    load: async () => (await import('./commands/reboot-locks.ts')).addRebootLockCommands,
  },
  {
    commands: {
      person: 'people who sign in with a browser',
    },
    load: async () => (await import('./commands/people.ts')).addPersonCommands,
  },
  {
    commands: {
      role: 'what roles allow and deny',
    },
    load: async () => (await import('./commands/roles.ts')).addRoleCommands,
  },
  {
    commands: {
      account: 'your own account',
    },
    load: async () => (await import('./commands/account-keys.ts')).addAccountCommands,
  },
  {
    commands: {
      session: 'where people are signed in',
    },
    load: async () => (await import('./commands/sessions.ts')).addSessionCommands,
  },
  {
    commands: {
      'sign-in-policy': 'which roles sign in with a passkey and nothing less',
    },
    load: async () => (await import('./commands/sign-in-policy.ts')).addSignInPolicyCommands,
  },
  {
    commands: {
      token: 'API tokens of people and service accounts',
    },
    load: async () => (await import('./commands/tokens.ts')).addTokenCommands,
  },
  {
    commands: {
      approval: 'what is done only once another person has approved it',
    },
    load: async () => (await import('./commands/approvals.ts')).addApprovalCommands,
  },
  {
    commands: {
      access: 'who may do what',
    },
    load: async () => (await import('./commands/access.ts')).addAccessCommands,
  },
  {
    commands: {
      log: 'the audit log',
    },
    load: async () => (await import('./commands/audit-log.ts')).addLogCommands,
  },
  {
    commands: {
      'apply [options] <file-or-dir>':
        'make fleets and devices what a file says, or all *.json files of a folder',
      'show [options]': 'print what is there as a file for `apply`',
    },
    load: async () => (await import('./commands/apply.ts')).addApplyCommands,
  },
  {
    commands: {
      'tuf [options]': 'a plain TUF client for any repository; its options stand before the verb',
    },
    load: async () => (await import('./commands/tuf.ts')).addTufCommands,
  },
  {
    commands: {
      'completion <shell>': 'print a completion script; its first line says where to put it',
      'completion-words <kind>': null,
    },
    load: async () => (await import('./commands/completion.ts')).addCompletionCommand,
  },
]
