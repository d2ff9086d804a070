import type { Command } from 'commander'
import type { CliPorts } from '../ports.ts'
export function addTrustCommands(_program: Command, _ports: CliPorts): void {}
