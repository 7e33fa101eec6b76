/** What wakes a person, and the page they look at then. */

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { Cell, PROD, prod } from './fixture.ts';

const alarms = Object.fromEntries(
  prod.of('AWS::CloudWatch::Alarm').map(({ Properties }) => [Properties.AlarmName.replace('SpotRecovery-prod-', ''), prod.text(Properties)]),
);

/** What the alarm looks at: its metric, its one dimension, its threshold. */
const watches = (name: string): unknown[] => {
  const { MetricName, Dimensions, Threshold } = alarms[name];
  return [MetricName, Dimensions?.[0]?.Value ?? '', Threshold];
};
const id = (type: string, property: string, name: string): string => `\${${prod.logicalId(prod.named(type, property, name))}}`;
const nameOf = (queue: string): string => `\${${prod.logicalId(prod.named('AWS::SQS::Queue', 'QueueName', queue))}.QueueName}`;

test('a message in any DLQ', () => {
  const dlqs = { RuleDlq: 'rule', PlacementFailureDlq: 'placement-failure', InterruptionDlq: 'interruption' };
  for (const [name, queue] of Object.entries(dlqs)) {
    const expected = ['ApproximateNumberOfMessagesVisible', nameOf(`fargate-spot-${queue}-dlq`), 1];
    assert.deepEqual(watches(`${name}NotEmpty`), expected);
  }
});

test('an event that waits for 5 minutes', () => {
  for (const [name, queue] of [['PlacementFailure', 'placement-failure'], ['Interruption', 'interruption']]) {
    assert.deepEqual(watches(`${name}QueueOld`), ['ApproximateAgeOfOldestMessage', nameOf(`fargate-spot-${queue}-queue`), 300]);
  }
});

test('a function that fails or is throttled, and a sweep that does not come', () => {
  const functions = {
    PlacementFailure: 'fargate-spot-task-placement-failure-handler',
    Interruption: 'fargate-spot-interruption-handler',
    Restore: 'fargate-spot-restore-handler',
  };
  for (const [name, handler] of Object.entries(functions)) {
    const fn = id('AWS::Lambda::Function', 'FunctionName', handler);
    assert.deepEqual(watches(`${name}Errors`), ['Errors', fn, 1]);
    assert.deepEqual(watches(`${name}Throttled`), ['Throttles', fn, 1]);
  }
  assert.deepEqual(watches('SweepMissing').slice(0, 1), ['Invocations']);
  assert.equal(alarms.SweepMissing.ComparisonOperator, 'LessThanThreshold');
  assert.equal(alarms.SweepMissing.TreatMissingData, 'breaching');
});

test('a table that throttles', () => {
  const table = id('AWS::DynamoDB::Table', 'TableName', 'ecs_cp_restore_state');
  assert.deepEqual(watches('TableReadsThrottled'), ['ReadThrottleEvents', table, 1]);
  assert.deepEqual(watches('TableWritesThrottled'), ['WriteThrottleEvents', table, 1]);
});

test('a service that is held, and failovers that did not come to stand', () => {
  assert.equal(alarms.ServicesHeld.Namespace, 'SpotRecovery');
  assert.deepEqual(watches('ServicesHeld'), ['Held', '', 1]);
  const { Metrics } = alarms.FailoversFailed;
  assert.equal(Metrics.find((it: any) => it.Expression).Expression, 'FILL(begun, 0) + FILL(again, 0) - FILL(live, 0)');
  const names = Metrics.filter((it: any) => it.MetricStat).map((it: any) => it.MetricStat.Metric.MetricName).sort();
  assert.deepEqual(names, ['FailedOver', 'FailoversBegun', 'RestoresFailed']);
});

test('every metric of ours that is looked at is one that docs/lambda.md says the handlers count', () => {
  const page = fs.readFileSync(path.join(import.meta.dirname, '../../docs/lambda.md'), 'utf8');
  const template = JSON.stringify(prod.template.toJSON());
  const stated = [...template.matchAll(/"MetricName":"(\w+)","Namespace":"SpotRecovery"/g)].map(([, name]) => name!);
  const named = [...template.matchAll(/\[\\"SpotRecovery\\",\\"(\w+)\\"/g)].map(([, name]) => name!);
  assert(named.length >= 10 && stated.length >= 4, `${named} ${stated}`);
  for (const name of [...named, ...stated]) assert(page.includes(`| \`${name}\` |`), name);
});

test('an alarm says which cell and what it means, and goes to the cell\'s topics', () => {
  const topic = 'arn:aws:sns:eu-west-1:999999999999:pager';
  const paged = new Cell({ ...PROD, alarmTopics: [topic] }).of('AWS::CloudWatch::Alarm');
  assert.equal(paged.length, Object.keys(alarms).length);
  for (const { Properties } of paged) {
    assert.match(Properties.AlarmDescription, /^Spot Recovery, cell prod: .{20}/);
    assert.deepEqual(Properties.AlarmActions, [topic]);
    assert.deepEqual(Properties.OKActions, [topic]);
  }
});

test('one dashboard', () => {
  assert.deepEqual(prod.of('AWS::CloudWatch::Dashboard').map(({ Properties }) => Properties.DashboardName), ['SpotRecovery-prod']);
});
