/** onboarding.yaml: what a workload account gives, and no more; and the commands of docs/onboarding.md, which must do the same. */

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { BUS, HANDLERS, WORKLOAD_ROLE, roleOf } from '../src/names.ts';
import { allowsAssume } from '../src/onboard/trust.ts';
import { eventPattern } from '../src/patterns.ts';

const CENTRAL = '999999999999';
const ACCOUNT = '111111111111';
const REGION = 'eu-west-1';

type Parameters = Record<string, string>;
const ABSENT = Symbol('AWS::NoValue');

const text = fs.readFileSync(path.join(import.meta.dirname, '../onboarding.yaml'), 'utf8');
const short = ['Ref', 'Sub', 'GetAtt', 'If', 'Equals', 'Not', 'Or'].flatMap((name) =>
  ([['scalar', undefined], ['seq', 'seq']] as const).map(([, collection]) => ({
    tag: `!${name}`,
    ...(collection === undefined ? {} : { collection }),
    resolve: (value: any) => ({ [name]: typeof value === 'string' ? value : value.toJSON() }),
  })),
);
const template = parse(text, { customTags: short as any });

/** The template as CloudFormation would have it for these parameters. */
function resolve(value: any, given: Parameters): any {
  const pseudo: Parameters = { 'AWS::Partition': 'aws', 'AWS::AccountId': ACCOUNT, 'AWS::Region': REGION };
  const parameter = (name: string): any =>
    name === 'AWS::NoValue' ? ABSENT : (pseudo[name] ?? given[name] ?? template.Parameters[name]?.Default);
  const go = (it: any): any => {
    if (Array.isArray(it)) return it.map(go).filter((item) => item !== ABSENT);
    if (typeof it !== 'object' || it === null) return it;
    if ('Ref' in it) return parameter(it.Ref);
    if ('Sub' in it) return it.Sub.replace(/\$\{([\w:]+)\}/g, (_: string, name: string) => parameter(name));
    if ('GetAtt' in it) return it.GetAtt;
    if ('Equals' in it) return go(it.Equals[0]) === go(it.Equals[1]);
    if ('Not' in it) return !go(it.Not[0]);
    if ('Or' in it) return it.Or.some(go);
    if ('If' in it) return go(go(template.Conditions[it.If[0]]) ? it.If[1] : it.If[2]);
    const entries = Object.entries(it).map(([key, item]) => [key, go(item)] as const);
    return Object.fromEntries(entries.filter(([, item]) => item !== ABSENT));
  };
  return go(value);
}

const resource = (name: string, given: Parameters = {}): any =>
  resolve(template.Resources[name].Properties, { CentralAccountId: CENTRAL, ...given });
const statements = (role: any): any[] => role.Policies.flatMap((policy: any) => policy.PolicyDocument.Statement);

test('the rule has the shared pattern and leads to the central bus of its region', () => {
  const rule = resource('ForwardingRule');
  assert.deepEqual(rule.EventPattern, eventPattern('workload-forwarding'));
  assert.deepEqual(rule.Targets, [{
    Id: 'central-bus', Arn: `arn:aws:events:${REGION}:${CENTRAL}:event-bus/${BUS}`, RoleArn: 'ForwardingRole.Arn',
  }]);
});

test('only the three handlers of the central account may assume the role, with the external id if there is one', () => {
  const trust = (given: Parameters = {}) => resource('CentralSpotAutomationRole', given).AssumeRolePolicyDocument.Statement;
  const arn = (name: string, account = CENTRAL): string => `arn:aws:iam::${account}:role/${name}`;
  for (const handler of HANDLERS) {
    assert.equal(allowsAssume(trust(), arn(roleOf(handler, REGION)), undefined), undefined, handler);
    assert.equal(allowsAssume(trust({ ExternalId: 'secret' }), arn(roleOf(handler, REGION)), 'secret'), undefined, handler);
    assert.match(allowsAssume(trust({ ExternalId: 'secret' }), arn(roleOf(handler, REGION)), 'other')!, /external id/);
    assert.match(allowsAssume(trust(), arn(roleOf(handler, REGION), '888888888888'), undefined)!, /does not name/);
  }
  assert.match(allowsAssume(trust(), arn('Admin'), undefined)!, /does not let/);
});

test('the role looks at services and moves them between FARGATE and FARGATE_SPOT, and may nothing else', () => {
  const service = `arn:aws:ecs:*:${ACCOUNT}:service/*`;
  const provider = (name: string): string => `arn:aws:ecs:*:${ACCOUNT}:capacity-provider/${name}`;
  assert.deepEqual(statements(resource('CentralSpotAutomationRole')), [
    { Sid: 'LookAtServices', Effect: 'Allow', Action: 'ecs:DescribeServices', Resource: service },
    {
      Sid: 'MoveServicesBetweenFargateAndFargateSpot',
      Effect: 'Allow',
      Action: 'ecs:UpdateService',
      Resource: service,
      Condition: {
        'ForAllValues:ArnLike': { 'ecs:capacity-provider': [provider('FARGATE'), provider('FARGATE_SPOT')] },
        Null: { 'ecs:capacity-provider': 'false', 'ecs:task-definition': 'true' },
      },
    },
  ]);
  const [, lax] = statements(resource('CentralSpotAutomationRole', { TaskDefinition: 'NotLookedAt' }));
  assert.deepEqual(lax.Condition.Null, { 'ecs:capacity-provider': 'false' });
  assert.equal(resource('CentralSpotAutomationRole').RoleName, WORKLOAD_ROLE);
});

test('the forwarding role may put events on the central bus, for that one rule', () => {
  const role = resource('ForwardingRole');
  assert.deepEqual(statements(role), [{
    Sid: 'PutEventsOnTheCentralBus', Effect: 'Allow', Action: 'events:PutEvents',
    Resource: `arn:aws:events:${REGION}:${CENTRAL}:event-bus/${BUS}`,
  }]);
  const [trust] = role.AssumeRolePolicyDocument.Statement;
  assert.deepEqual(trust.Principal, { Service: 'events.amazonaws.com' });
  const rule = `arn:aws:events:${REGION}:${ACCOUNT}:rule/fargate-spot-forwarding`;
  assert.deepEqual(trust.Condition, { StringEquals: { 'aws:SourceAccount': ACCOUNT }, ArnEquals: { 'aws:SourceArn': rule } });
});

test('in a StackSet over several regions one of them makes the role', () => {
  const makes = (given: Parameters): boolean => resolve(template.Conditions.MakesRole, given);
  assert.equal(makes({}), true);
  assert.equal(makes({ RoleRegion: REGION }), true);
  assert.equal(makes({ RoleRegion: 'us-east-1' }), false);
});

test('the commands of docs/onboarding.md put the same policies, pattern and target', () => {
  const page = fs.readFileSync(path.join(import.meta.dirname, '../../docs/onboarding.md'), 'utf8');
  const variables: Parameters = { CENTRAL, ACCOUNT, REGION, BUS: `arn:aws:events:${REGION}:${CENTRAL}:event-bus/${BUS}` };
  const documents = [...page.matchAll(/<<JSON\n([\s\S]*?)\nJSON\n/g)].map(([, document]) => {
    const plain = document!.replaceAll('\\$', '\u0000').replace(/\$\{?(\w+)\}?/g, (_, name: string) => variables[name] ?? assert.fail(name));
    return JSON.parse(plain.replaceAll('\u0000', '$'));
  });
  const role = resource('CentralSpotAutomationRole');
  const forwarding = resource('ForwardingRole');
  assert.deepEqual(documents, [
    role.AssumeRolePolicyDocument,
    role.Policies[0].PolicyDocument,
    forwarding.AssumeRolePolicyDocument,
    forwarding.Policies[0].PolicyDocument,
    resource('ForwardingRule').EventPattern,
  ]);
  assert(page.includes(`--role-name ${WORKLOAD_ROLE}`));
  const target = page.match(/--targets "(Id=.*)"/)![1]!.replace(/\$\{?(\w+)\}?/g, (_, name: string) => variables[name] ?? assert.fail(name));
  assert.equal(target, `Id=central-bus,Arn=${variables.BUS},RoleArn=arn:aws:iam::${ACCOUNT}:role/${forwarding.RoleName}`);
});
