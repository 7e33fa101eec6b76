/** What `cells.json` says of a cell, checked: whatever could not work on AWS is refused here, with what to do about it. */

import * as fs from 'node:fs';
import { RegionInfo } from 'aws-cdk-lib/region-info';
import { milliseconds, policyVariables } from './policy.ts';

export type Architecture = 'arm64' | 'x86_64';

export interface Cell {
  /** Names the stack, `SpotRecovery-NAME`. */
  readonly name: string;
  readonly region: string;
  /** The central account; absent: that of the credentials. */
  readonly account?: string;
  readonly environment: 'dev' | 'prod';
  /** Every account of this organization may take part… */
  readonly organizationId?: string;
  /** …or these. */
  readonly accounts: readonly string[];
  /** Accounts whose synthetic events are accepted. */
  readonly syntheticFrom: readonly string[];
  readonly architecture: Architecture;
  /** Tunables of docs/policy.md, by their environment variables. */
  readonly policy: Readonly<Record<string, string>>;
  /** What the trust policies of the workload accounts' roles ask for. */
  readonly externalId?: string;
  /** SNS topics that alarms go to. */
  readonly alarmTopics: readonly string[];
  /** After how many receives a message goes to the DLQ. */
  readonly maxReceiveCount: number;
}

/** Something is wrong with the configuration: whose, what, and what to do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** A function's timeout: above the 30 s that a repeated call may need, and no longer than the tunable `lease` (docs/lambda.md, "Time"). */
export const FUNCTION_TIMEOUT_SECONDS = 40;

const ACCOUNT = /^\d{12}$/;
const ORGANIZATION = /^o-[a-z0-9]{10,32}$/; // Organizations API reference, `Organization`
/** The bus policy names each account, and holds 10,240 characters (aws-facts.md §5). */
const MOST_ACCOUNTS = 200;

/** What a cell may say of itself; docs/deploy.md has a row for each. */
export const KEYS = [
  'name', 'region', 'account', 'environment', 'organizationId', 'accounts', 'syntheticFrom', 'architecture', 'policy',
  'externalId', 'alarmTopics', 'maxReceiveCount',
];

/** Reads and checks a configuration file. Throws `ConfigError`. */
export function readCells(file: string): Cell[] {
  let config: unknown;
  try {
    config = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ConfigError(`${file}: ${(error as Error).message}; copy cdk/cells.json and put your own accounts into it`);
  }
  const cells = (config as { cells?: unknown } | null)?.cells;
  if (!Array.isArray(cells) || cells.length === 0) {
    throw new ConfigError(`${file}: "cells" must be a list of at least one cell; see docs/deploy.md`);
  }
  const checked = cells.map((cell, at) => checkCell(cell, at));
  refuseCollisions(checked);
  return checked;
}

/** The cell of that name. Throws `ConfigError`. */
export function select(cells: Cell[], name: string, file: string): Cell {
  const cell = cells.find((cell) => cell.name === name);
  if (cell !== undefined) return cell;
  throw new ConfigError(`cell "${name}" is not in ${file}; known are ${cells.map((cell) => cell.name).join(', ')}`);
}

/** One cell of a configuration, checked. Throws `ConfigError`. */
export function checkCell(value: unknown, at = 0): Cell {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigError(`cell ${at + 1}: not an object; see docs/deploy.md`);
  }
  const given = value as Record<string, unknown>;
  const label = typeof given.name === 'string' ? `cell "${given.name}"` : `cell ${at + 1}`;
  const refuse = (problem: string): never => {
    throw new ConfigError(`${label}: ${problem}`);
  };
  const shown = (what: unknown): string => JSON.stringify(what);

  const unknown = Object.keys(given).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) refuse(`"${unknown}" means nothing; known are ${KEYS.join(', ')}`);

  const text = (key: string, pattern: RegExp, allowed: string): string | undefined => {
    const it = given[key];
    if (it === undefined) return undefined;
    return typeof it === 'string' && pattern.test(it) ? it : refuse(`${key} ${shown(it)}: must be ${allowed}`);
  };
  const list = (key: string, pattern: RegExp, allowed: string): string[] => {
    const it = given[key] ?? [];
    if (!Array.isArray(it)) return refuse(`${key} ${shown(it)}: must be a list of ${allowed}`);
    const wrong = it.find((item) => typeof item !== 'string' || !pattern.test(item));
    if (wrong !== undefined) refuse(`${key}: ${shown(wrong)} is wrong; it lists ${allowed}`);
    return [...new Set(it as string[])];
  };

  const name = text('name', /^[A-Za-z][A-Za-z0-9-]{0,40}$/, 'a letter, then up to 40 letters, digits and hyphens');
  if (name === undefined) return refuse('has no "name"; the stack is named after it');
  const region = checkRegion(given.region, refuse);
  const environment = given.environment;
  if (environment !== 'dev' && environment !== 'prod') {
    return refuse(`environment ${shown(environment)}: must be "dev" (restore every minute, can be deleted) or "prod"`);
  }
  const organizationId = text('organizationId', ORGANIZATION, 'such as "o-a1b2c3d4e5" (aws organizations describe-organization)');
  const accounts = list('accounts', ACCOUNT, 'account ids of 12 digits, in quotes');
  if (organizationId === undefined && accounts.length === 0) {
    refuse('no "organizationId" and no "accounts": nobody could send it events; set one of them');
  }
  if (organizationId !== undefined && accounts.length > 0) {
    refuse('"organizationId" and "accounts" are both set; keep one: all accounts of the organization, or those listed');
  }
  if (accounts.length > MOST_ACCOUNTS) {
    refuse(`${accounts.length} accounts are more than the ${MOST_ACCOUNTS} that a bus policy holds; set "organizationId" instead`);
  }

  const architecture = given.architecture ?? 'arm64';
  if (architecture !== 'arm64' && architecture !== 'x86_64') {
    return refuse(`architecture ${shown(architecture)}: must be "arm64" or "x86_64"`);
  }
  const maxReceiveCount = given.maxReceiveCount ?? 10;
  if (!Number.isInteger(maxReceiveCount) || (maxReceiveCount as number) < 5 || (maxReceiveCount as number) > 1000) {
    refuse(`maxReceiveCount ${shown(maxReceiveCount)}: must be a whole number from 5 to 1000`);
  }
  const alarmTopics = list('alarmTopics', /^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+$/, 'ARNs of SNS topics');
  const elsewhere = alarmTopics.find((topic) => topic.split(':')[3] !== region);
  if (elsewhere !== undefined) refuse(`alarmTopics: ${elsewhere} is not in ${region}, and CloudWatch only tells topics of its own region`);
  const account = text('account', ACCOUNT, 'the central account\'s id of 12 digits, in quotes');
  const externalId = text('externalId', /^[A-Za-z0-9_+=,.@:/-]{2,1224}$/, '2 to 1224 letters, digits and _+=,.@:/-');
  return {
    name,
    region,
    environment,
    architecture,
    accounts,
    syntheticFrom: syntheticFrom(given.syntheticFrom, environment, accounts, list, refuse),
    policy: policyOf(given.policy, refuse),
    alarmTopics,
    maxReceiveCount: maxReceiveCount as number,
    ...(account === undefined ? {} : { account }),
    ...(organizationId === undefined ? {} : { organizationId }),
    ...(externalId === undefined ? {} : { externalId }),
  };
}

type Refuse = (problem: string) => never;

function checkRegion(region: unknown, refuse: Refuse): string {
  const known = RegionInfo.regions.map((info) => info.name);
  if (typeof region === 'string' && known.includes(region)) return region;
  return refuse(`region ${JSON.stringify(region)} is unknown; known are ${known.join(', ')}`);
}

/** `"*"` stands for all accounts of the cell: a convenience of development, which production must not have by accident. */
function syntheticFrom(
  given: unknown,
  environment: Cell['environment'],
  accounts: string[],
  list: (key: string, pattern: RegExp, allowed: string) => string[],
  refuse: Refuse,
): string[] {
  const all = given === '*' || (Array.isArray(given) && given.includes('*'));
  if (!all) return list('syntheticFrom', ACCOUNT, 'account ids of 12 digits, in quotes');
  if (environment === 'prod') {
    refuse('syntheticFrom "*": in prod every account could have any service moved to On-Demand; list the accounts you test from');
  }
  if (accounts.length === 0) {
    refuse('syntheticFrom "*": an organization\'s accounts cannot be listed here; list the accounts you test from');
  }
  return accounts;
}

function policyOf(given: unknown, refuse: Refuse): Record<string, string> {
  if (given === undefined) return {};
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return refuse('policy: must be an object of tunables, such as { "restore_after": "30m" }');
  }
  const variables = policyVariables(given as Record<string, unknown>, refuse);
  const lease = variables.SPOT_RECOVERY_LEASE;
  if (lease !== undefined && milliseconds(lease) < FUNCTION_TIMEOUT_SECONDS * 1000) {
    refuse(`policy lease "${lease}": a claim must outlive the handler that made it; set ${FUNCTION_TIMEOUT_SECONDS}s or more`);
  }
  return variables;
}

/** Names of queues, functions and table are the same in every cell, so a region of an account has room for one. */
function refuseCollisions(cells: Cell[]): void {
  for (const [at, cell] of cells.entries()) {
    for (const other of cells.slice(0, at)) {
      if (other.name === cell.name) {
        throw new ConfigError(`cell "${cell.name}" is there twice; give each cell its own name`);
      }
      const oneAccount = other.account === undefined || cell.account === undefined || other.account === cell.account;
      if (other.region === cell.region && oneAccount) {
        throw new ConfigError(
          `cells "${other.name}" and "${cell.name}" are both in ${cell.region}, where an account has room for one; ` +
            'give each its own "account", or move one to another region',
        );
      }
    }
  }
}
