/** The functions: what they run with and, to the letter, what they may do. */

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { Cell, DEV, PROD, dev, prod } from './fixture.ts';

const HANDLERS = {
  'fargate-spot-task-placement-failure-handler': 'fargate-spot-placement-failure-queue',
  'fargate-spot-interruption-handler': 'fargate-spot-interruption-queue',
  'fargate-spot-restore-handler': undefined,
};

/** The queue by which a function hands work on. */
const handOn = (cell: Cell) => cell.named('AWS::SQS::Queue', 'QueueName', 'fargate-spot-placement-failure-queue');

/** Everything the role of `handler` may do, as text. */
function permissions(cell: Cell, handler: string): object[] {
  const region = (cell.config as { region: string }).region;
  const role = cell.named('AWS::IAM::Role', 'RoleName', `${handler}-${region}`);
  assert.equal(role.Properties.ManagedPolicyArns, undefined, 'no managed policies');
  return role.Properties.Policies.flatMap((policy: any) => policy.PolicyDocument.Statement.map((it: any) => cell.text(it)));
}

function expected(cell: Cell, handler: string, queue: string | undefined, where: object): object[] {
  const table = cell.arn(cell.named('AWS::DynamoDB::Table', 'TableName', 'ecs_cp_restore_state'));
  const log = cell.arn(cell.named('AWS::Logs::LogGroup', 'LogGroupName', `/aws/lambda/${handler}`));
  const allow = (Sid: string, Action: string | string[], Resource: string, more = {}): object =>
    ({ Sid, Effect: 'Allow', Action, Resource, ...more });
  return [
    allow('AssumeWorkloadRole', 'sts:AssumeRole', 'arn:${AWS::Partition}:iam::*:role/CentralSpotAutomationRole', {
      Condition: { StringEquals: where },
    }),
    allow('KeepRecords', ['dynamodb:DeleteItem', 'dynamodb:GetItem', 'dynamodb:PutItem'], table),
    allow('QueryDue', 'dynamodb:Query', `${table}/index/due`),
    allow('HandOn', 'sqs:SendMessage', cell.arn(handOn(cell))),
    allow('AnnounceTransitions', 'events:PutEvents', cell.arn(cell.of('AWS::Events::EventBus')[0]!)),
    allow('WriteLog', ['logs:CreateLogStream', 'logs:PutLogEvents'], log),
    ...(queue === undefined ? [] : [allow(
      'ConsumeQueue',
      ['sqs:ChangeMessageVisibility', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'],
      cell.arn(cell.named('AWS::SQS::Queue', 'QueueName', queue)),
    )]),
  ];
}

for (const [handler, queue] of Object.entries(HANDLERS)) {
  test(`${handler} may do exactly what docs/lambda.md says, on exactly its resources`, () => {
    const accounts = { 'aws:ResourceAccount': ['111111111111', '222222222222'] };
    const organization = { 'aws:ResourceOrgID': 'o-exampleorg1' };
    assert.deepEqual(permissions(dev, handler), expected(dev, handler, queue, accounts));
    assert.deepEqual(permissions(prod, handler), expected(prod, handler, queue, organization));
  });
}

test('no policy of the cell has a wildcard in an action it allows, and only Lambda assumes the roles', () => {
  for (const cell of [dev, prod]) {
    const allowed = JSON.stringify(cell.template.toJSON()).match(/"Action":("[^"]*"|\[[^\]]*\])[^{}]*"Effect":"Allow"/g)!;
    assert(allowed.length > 10);
    for (const statement of allowed) assert(!/"Action":[^}]*\*[^}]*"(Condition|Effect)/.test(statement), statement);
    assert.equal(cell.of('AWS::IAM::Role').length, 3);
    assert.equal(cell.of('AWS::IAM::Policy').length, 0, 'no policy but the roles\' own');
    for (const { Properties } of cell.of('AWS::IAM::Role')) {
      assert.deepEqual(Properties.AssumeRolePolicyDocument.Statement, [{
        Effect: 'Allow',
        Action: 'sts:AssumeRole',
        Principal: { Service: 'lambda.amazonaws.com' },
      }]);
    }
  }
});

test('a function is its zip on provided.al2023, for the cell\'s processor', () => {
  const x86 = new Cell({ ...DEV, architecture: 'x86_64' });
  const policy = fs.readFileSync(path.join(import.meta.dirname, '../../docs/policy.md'), 'utf8');
  const lease = Number(policy.match(/`SPOT_RECOVERY_LEASE` \| (\d+)s \|/)![1]);
  for (const [cell, architecture] of [[dev, 'arm64'], [x86, 'x86_64']] as const) {
    const functions = cell.of('AWS::Lambda::Function');
    assert.deepEqual(functions.map(({ Properties }) => Properties.FunctionName).sort(), Object.keys(HANDLERS).sort());
    for (const { Properties } of functions) {
      assert.equal(Properties.Runtime, 'provided.al2023');
      assert.equal(Properties.Handler, 'bootstrap');
      assert.deepEqual(Properties.Architectures, [architecture]);
      assert(Properties.Timeout >= 30 && Properties.Timeout <= lease, 'docs/lambda.md, "Time"');
      assert.match(Properties.Code.S3Key, /\.zip$/);
    }
    assert.equal(new Set(functions.map(({ Properties }) => Properties.Code.S3Key)).size, 3);
  }
});

test('a function reads table, bus, queue, testers, external id and tunables from its environment, and no more', () => {
  const environment = (cell: Cell): object => {
    const [first, ...others] = cell.of('AWS::Lambda::Function').map(({ Properties }) => cell.text(Properties.Environment.Variables));
    for (const other of others) assert.deepEqual(other, first);
    return first;
  };
  const always = {
    SPOT_RECOVERY_TABLE: 'ecs_cp_restore_state',
    SPOT_RECOVERY_BUS: 'fargate-spot-bus',
    SPOT_RECOVERY_QUEUE: `\${${dev.logicalId(handOn(dev))}}`,
  };
  assert.deepEqual(environment(dev), { ...always, SPOT_RECOVERY_SYNTHETIC_FROM: '111111111111' });
  assert.deepEqual(environment(prod), { ...always, SPOT_RECOVERY_INTERRUPTION_POLICY: 'shortfall' });
  const more = new Cell({ ...PROD, externalId: 'a-secret', policy: { paused: true } });
  assert.deepEqual(environment(more), { ...always, SPOT_RECOVERY_EXTERNAL_ID: 'a-secret', SPOT_RECOVERY_PAUSED: 'true' });
});

test('messages come in batches of 10 with partial failures, to 100 instances at most', () => {
  const mappings = dev.of('AWS::Lambda::EventSourceMapping').map(({ Properties }) => dev.text(Properties));
  for (const [handler, queue] of Object.entries(HANDLERS)) {
    if (queue === undefined) continue;
    const fn = dev.logicalId(dev.named('AWS::Lambda::Function', 'FunctionName', handler));
    assert.deepEqual(mappings.find((mapping) => mapping.FunctionName === `\${${fn}}`), {
      FunctionName: `\${${fn}}`,
      EventSourceArn: dev.arn(dev.named('AWS::SQS::Queue', 'QueueName', queue)),
      BatchSize: 10,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 100 },
    });
  }
  assert.equal(mappings.length, 2);
});

test('a sweep that fails is not repeated: the next one does its work', () => {
  const [config, ...more] = dev.of('AWS::Lambda::EventInvokeConfig');
  assert.deepEqual(more, []);
  assert.equal(config!.Properties.MaximumRetryAttempts, 0);
});

test('logs are kept for a time, and in production outlive the stack', () => {
  for (const [cell, days, policy] of [[dev, 14, 'Delete'], [prod, 90, 'Retain']] as const) {
    for (const handler of Object.keys(HANDLERS)) {
      const log = cell.named('AWS::Logs::LogGroup', 'LogGroupName', `/aws/lambda/${handler}`);
      assert.equal(log.Properties.RetentionInDays, days);
      assert.equal(log.DeletionPolicy, policy);
    }
  }
});
