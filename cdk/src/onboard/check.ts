/**
 * What of the onboarding is there in a workload account, and what is missing. Reads, never changes; works with the credentials of
 * that account.
 */

import { DescribeRuleCommand, EventBridgeClient, ListTargetsByRuleCommand } from '@aws-sdk/client-eventbridge';
import { GetRoleCommand, IAMClient, type Role } from '@aws-sdk/client-iam';
import { DescribeOrganizationCommand, OrganizationsClient } from '@aws-sdk/client-organizations';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { isDeepStrictEqual } from 'node:util';
import type { Cell } from '../cell.ts';
import { BUS, HANDLERS, WORKLOAD_ROLE, roleOf } from '../names.ts';
import { eventPattern } from '../patterns.ts';
import { allowsAssume, serviceMayAssume, trustOf } from './trust.ts';
import { type Question, simulate } from './simulate.ts';

export const RULE = 'fargate-spot-forwarding';

/** One line of the list. */
export interface Finding {
  readonly what: string;
  /** `unknown`: the credentials may not look, or this account cannot know. */
  readonly state: 'there' | 'missing' | 'unknown';
  /** Why, and for what is missing the remedy. */
  readonly because?: string;
}

/** The check itself cannot be made: wrong credentials, no network. */
export class CheckError extends Error {}

export interface Clients {
  readonly sts: STSClient;
  readonly iam: IAMClient;
  readonly events: EventBridgeClient;
  readonly organizations: OrganizationsClient;
}

/** Looks at `account` in the region of `cell`. Throws `CheckError`. */
export async function check(account: string, cell: Cell, clients: Clients): Promise<Finding[]> {
  const caller = await clients.sts.send(new GetCallerIdentityCommand({})).catch((error: Error & { code?: string }) => {
    // The codes of Node's own errors, of an endpoint that is not there.
    const unreachable = ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT'].includes(error.code ?? '');
    const remedy = unreachable ? 'see to the network, or to --endpoint-url' : `set --profile to one of account ${account}`;
    throw new CheckError(`cannot ask who the credentials belong to: ${error.message}; ${remedy}`);
  });
  if (caller.Account !== account) {
    throw new CheckError(`the credentials are those of account ${caller.Account}; set --profile to one of account ${account}`);
  }
  const partition = caller.Arn?.split(':')[1] ?? 'aws';
  const target = await targetOf(cell, clients.events);
  const central = cell.account ?? target.central;
  return [
    await admission(account, cell, clients.organizations),
    ...(await workloadRole(account, central, partition, cell, clients.iam)),
    ...target.findings,
    ...(await forwardingRole(target, clients.iam)),
  ];
}

async function admission(account: string, cell: Cell, organizations: OrganizationsClient): Promise<Finding> {
  const what = `cell "${cell.name}" of ${cell.region} admits account ${account}`;
  if (cell.organizationId === undefined) {
    if (cell.accounts.includes(account)) return { what, state: 'there' };
    const remedy = `add "${account}" to its "accounts" in cells.json, then cargo xtask deploy --cell ${cell.name}`;
    return { what, state: 'missing', because: remedy };
  }
  try {
    const { Organization } = await organizations.send(new DescribeOrganizationCommand({}));
    if (Organization?.Id === cell.organizationId) return { what, state: 'there' };
    const because = `the account is in organization ${Organization?.Id}, the cell's is ${cell.organizationId}`;
    return { what, state: 'missing', because };
  } catch (error) {
    if (nameOf(error) === 'AWSOrganizationsNotInUseException') {
      return { what, state: 'missing', because: `the account is in no organization, the cell's is ${cell.organizationId}` };
    }
    return unknown(what, error);
  }
}

/** Steps 1 and 2. */
async function workloadRole(account: string, central: string | undefined, partition: string, cell: Cell, iam: IAMClient): Promise<Finding[]> {
  const exists = `step 1: role ${WORKLOAD_ROLE}`;
  const role = await roleNamed(WORKLOAD_ROLE, iam).catch((error) => unknown(exists, error));
  if (role === undefined) return [{ what: exists, state: 'missing', because: 'make it: docs/onboarding.md, step 1' }];
  if ('state' in role) return [role];

  const findings: Finding[] = [{ what: exists, state: 'there' }];
  for (const handler of HANDLERS) {
    const what = `step 1: ${handler} may assume it`;
    if (central === undefined) {
      findings.push({ what, state: 'unknown', because: 'which account is the central one is not known before step 3' });
      continue;
    }
    const principal = `arn:${partition}:iam::${central}:role/${roleOf(handler, cell.region)}`;
    const problem = allowsAssume(trustOf(role), principal, cell.externalId);
    findings.push(
      problem === undefined
        ? { what, state: 'there' }
        : { what, state: 'missing', because: `${problem}; set the trust policy of docs/onboarding.md, step 1` },
    );
  }

  const service = `arn:${partition}:ecs:${cell.region}:${account}:service/any-cluster/any-service`;
  const provider = (name: string): string => `arn:${partition}:ecs:${cell.region}:${account}:capacity-provider/${name}`;
  const providers = { 'ecs:capacity-provider': ['FARGATE', 'FARGATE_SPOT'].map(provider) };
  const questions: [string, Question, string][] = [
    ['it may look at services', { action: 'ecs:DescribeServices', resource: service }, 'allowed'],
    ['it may move services between FARGATE and FARGATE_SPOT', { action: 'ecs:UpdateService', resource: service, context: providers }, 'allowed'],
    [
      'it may not move them to other capacity providers',
      { action: 'ecs:UpdateService', resource: service, context: { 'ecs:capacity-provider': [provider('another')] } },
      'denied',
    ],
  ];
  for (const [may, question, wanted] of questions) findings.push(await answer(`step 2: ${may}`, role, question, wanted, iam));
  return findings;
}

async function answer(what: string, role: Role, question: Question, wanted: string, iam: IAMClient): Promise<Finding> {
  try {
    const { allowed, by } = await simulate(role.Arn!, question, iam);
    if (allowed === (wanted === 'allowed')) return { what, state: 'there' };
    return { what, state: 'missing', because: `IAM's simulation says ${by}; put the policy of docs/onboarding.md, step 2` };
  } catch (error) {
    return unknown(what, error);
  }
}

/** What the forwarding rule says: where it leads, and what is wrong with it. */
interface Target {
  readonly central?: string;
  readonly bus?: string;
  readonly role?: string;
  readonly findings: Finding[];
}

/** Step 3, the rule. */
async function targetOf({ region, account }: Cell, events: EventBridgeClient): Promise<Target> {
  const exists = `step 3: rule ${RULE} on the default bus of ${region}`;
  const remedy = 'put it: docs/onboarding.md, step 3';
  const findings: Finding[] = [];
  try {
    const rule = await events.send(new DescribeRuleCommand({ Name: RULE }));
    findings.push({ what: exists, state: 'there' });
    const say = (what: string, holds: boolean, because: string): void => {
      findings.push(holds ? { what: `step 3: ${what}`, state: 'there' } : { what: `step 3: ${what}`, state: 'missing', because });
    };
    say('it is enabled', rule.State !== 'DISABLED', `enable it: aws events enable-rule --name ${RULE} --region ${region}`);
    const pattern = rule.EventPattern === undefined ? undefined : JSON.parse(rule.EventPattern);
    const same = isDeepStrictEqual(pattern, eventPattern('workload-forwarding'));
    say('its pattern is handlers/event-patterns/workload-forwarding.json', same, `it is not; ${remedy}`);

    const { Targets } = await events.send(new ListTargetsByRuleCommand({ Rule: RULE }));
    const target = Targets?.find(({ Arn }) => Arn?.endsWith(`:event-bus/${BUS}`));
    const [, , , inRegion, central] = target?.Arn?.split(':') ?? [];
    say(`its target is ${BUS}`, target !== undefined, remedy);
    if (target === undefined) return { findings };
    say(`${target.Arn} is in this region`, inRegion === region, `events would leave the region, and its cell refuses them; ${remedy}`);
    if (account !== undefined) say(`it is the bus of the central account ${account}`, central === account, remedy);
    say('the target has a role', target.RoleArn !== undefined, `without one EventBridge may not send to another account; ${remedy}`);
    return {
      findings,
      bus: target.Arn!,
      ...(central ? { central } : {}),
      ...(target.RoleArn === undefined ? {} : { role: target.RoleArn }),
    };
  } catch (error) {
    if (nameOf(error) === 'ResourceNotFoundException') return { findings: [{ what: exists, state: 'missing', because: remedy }] };
    return { findings: [...findings, unknown(exists, error)] };
  }
}

/** Step 3, the role that the rule forwards with. */
async function forwardingRole(target: Target, iam: IAMClient): Promise<Finding[]> {
  if (target.role === undefined || target.bus === undefined) return [];
  const name = target.role.split('/').at(-1)!;
  const trusts = `step 3: EventBridge may assume ${name}`;
  const role = await roleNamed(name, iam).catch((error) => unknown(trusts, error));
  if (role === undefined) return [{ what: trusts, state: 'missing', because: 'the role does not exist: docs/onboarding.md, step 3' }];
  if ('state' in role) return [role];
  const trusted = serviceMayAssume(trustOf(role), 'events.amazonaws.com');
  const question = { action: 'events:PutEvents', resource: target.bus };
  return [
    trusted ? { what: trusts, state: 'there' } : { what: trusts, state: 'missing', because: 'its trust policy does not name events.amazonaws.com: docs/onboarding.md, step 3' },
    await answer('step 3: the role may put events on the central bus', role, question, 'allowed', iam),
  ];
}

async function roleNamed(RoleName: string, iam: IAMClient): Promise<Role | undefined> {
  try {
    return (await iam.send(new GetRoleCommand({ RoleName }))).Role;
  } catch (error) {
    if (['NoSuchEntityException', 'NoSuchEntity'].includes(nameOf(error))) return undefined;
    throw error;
  }
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '');

function unknown(what: string, error: unknown): Finding {
  return { what, state: 'unknown', because: error instanceof Error ? error.message : String(error) };
}
