/** Trust policies: who may assume a role. As much of IAM as the policies of docs/onboarding.md and their likely variants need. */

import type { Role } from '@aws-sdk/client-iam';

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Principal?: '*' | Record<string, string | string[]>;
  readonly Condition?: Record<string, Record<string, string | string[]>>;
}

const list = <T>(value: T | T[] | undefined): T[] => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

/** A role's trust policy, which IAM hands out URL-encoded. */
export function trustOf(role: Role): Statement[] {
  return list<Statement>(JSON.parse(decodeURIComponent(role.AssumeRolePolicyDocument ?? '{}')).Statement);
}

/** Why `principal`, a role's ARN, may not assume the role; nothing if it may. */
export function allowsAssume(trust: Statement[], principal: string, externalId: string | undefined): string | undefined {
  const account = principal.split(':')[4]!;
  const names = (named: string): boolean => [account, principal, '*'].includes(named) || named.endsWith(`::${account}:root`);
  const forUs = trust.filter(
    (statement) =>
      statement.Effect === 'Allow' &&
      list(statement.Action).includes('sts:AssumeRole') &&
      list(statement.Principal === '*' ? '*' : statement.Principal?.AWS).some(names),
  );
  if (forUs.length === 0) return `its trust policy does not name account ${account}`;
  const problems = forUs.map((statement) => unmet(statement.Condition ?? {}, principal, externalId));
  return problems.includes(undefined) ? undefined : problems[0];
}

/** The first condition that does not hold for `principal`. */
function unmet(conditions: NonNullable<Statement['Condition']>, principal: string, externalId: string | undefined): string | undefined {
  for (const [operator, keys] of Object.entries(conditions)) {
    for (const [key, values] of Object.entries(keys)) {
      const value = { 'aws:PrincipalArn': principal, 'sts:ExternalId': externalId ?? '' }[key];
      if (value === undefined) return `its trust policy has a condition on ${key}, which cannot be checked from here`;
      const holds = list(values).some((pattern) => (operator.endsWith('Like') ? like(pattern, value) : pattern === value));
      if (holds) continue;
      if (key === 'sts:ExternalId') return 'its trust policy asks for an external id that is not the "externalId" of the cell';
      return `its trust policy does not let ${value} in`;
    }
  }
  return undefined;
}

/** `*` and `?` as IAM has them. */
function like(pattern: string, value: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.');
  return new RegExp(`^${escaped}$`).test(value);
}

/** Whether an AWS service may assume the role. */
export function serviceMayAssume(trust: Statement[], service: string): boolean {
  return trust.some(({ Effect, Principal }) => Effect === 'Allow' && Principal !== '*' && list(Principal?.Service).includes(service));
}
