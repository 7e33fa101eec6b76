/** `onboard check`: prints what of the onboarding is there. Exit code 0: all of it. 1: something is missing. 2: not checked. */

import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { IAMClient } from '@aws-sdk/client-iam';
import { OrganizationsClient } from '@aws-sdk/client-organizations';
import { STSClient } from '@aws-sdk/client-sts';
import { fromIni } from '@aws-sdk/credential-providers';
import { type Cell, ConfigError, readCells } from '../cell.ts';
import { CheckError, type Clients, check } from './check.ts';
import { report } from './report.ts';

const USAGE =
  'usage: cargo xtask onboard check --account ID [--region R] [--profile P] [--endpoint-url URL] [--cells FILE]';

async function main(): Promise<number> {
  const options = {
    account: { type: 'string' }, region: { type: 'string' }, profile: { type: 'string' },
    'endpoint-url': { type: 'string' }, cells: { type: 'string' },
  } as const;
  const { values } = parseArgs({ options, strict: true });
  const account = values.account;
  if (account === undefined || !/^\d{12}$/.test(account)) {
    throw new CheckError(`--account ${account ?? 'is missing'}: must be the workload account's id of 12 digits\n${USAGE}`);
  }
  const file = path.resolve(values.cells ?? path.join(import.meta.dirname, '../../cells.json'));
  const cell = cellOf(readCells(file), values.region ?? process.env.AWS_REGION, file);
  const findings = await check(account, cell, clients(cell.region, values.profile, values['endpoint-url']));
  const { text, exitCode } = report(account, cell, findings);
  console.log(text);
  return exitCode;
}

function cellOf(cells: Cell[], region: string | undefined, file: string): Cell {
  const [only, another] = region === undefined ? cells : cells.filter((cell) => cell.region === region);
  const known = cells.map((cell) => cell.region).join(', ');
  if (only === undefined) throw new CheckError(`--region ${region}: ${file} has no cell there; it has cells in ${known}`);
  if (another === undefined) return only;
  throw new CheckError(`--region is missing, and ${file} has cells in ${known}; say which`);
}

function clients(region: string, profile: string | undefined, endpoint: string | undefined): Clients {
  const config = {
    region,
    maxAttempts: 3,
    ...(profile === undefined ? {} : { credentials: fromIni({ profile }) }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
  return {
    sts: new STSClient(config),
    iam: new IAMClient(config),
    events: new EventBridgeClient(config),
    organizations: new OrganizationsClient(config),
  };
}

try {
  process.exitCode = await main();
} catch (error) {
  const known = error instanceof CheckError || error instanceof ConfigError;
  const usage = (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  if (!known && !usage) throw error;
  console.error(`error: ${(error as Error).message}${usage ? `\n${USAGE}` : ''}`);
  process.exitCode = 2;
}
