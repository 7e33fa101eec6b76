/** Bus, rules, queues: who may send, what is queued where, and what becomes of what fails. */

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { Cell, DEV, PROD, dev, prod } from './fixture.ts';

const QUEUES = ['fargate-spot-placement-failure-queue', 'fargate-spot-interruption-queue'];
const queue = (cell: Cell, name: string) => cell.named('AWS::SQS::Queue', 'QueueName', name);
const rule = (cell: Cell, name: string) => cell.named('AWS::Events::Rule', 'Name', name);
const pattern = (name: string) =>
  JSON.parse(fs.readFileSync(path.join(import.meta.dirname, `../../handlers/event-patterns/${name}.json`), 'utf8'));
const admitted = (cell: Cell) => cell.of('AWS::Events::EventBusPolicy').map(({ Properties }) => cell.text(Properties.Statement));

test('the bus takes ECS events of the organization, of nobody else and nothing else', () => {
  assert.equal(prod.of('AWS::Events::EventBus')[0]!.Properties.Name, 'fargate-spot-bus');
  assert.deepEqual(admitted(prod), [{
    Effect: 'Allow',
    Action: 'events:PutEvents',
    Resource: prod.arn(prod.of('AWS::Events::EventBus')[0]!),
    Principal: '*',
    Condition: { StringEquals: { 'aws:PrincipalOrgID': 'o-exampleorg1', 'events:source': 'aws.ecs' } },
  }]);
});

test('or those of the listed accounts, and synthetic ones of those that may test', () => {
  const [ecs, synthetic, ...more] = admitted(dev);
  assert.deepEqual(ecs.Principal, { AWS: ['111111111111', '222222222222'] });
  assert.deepEqual(ecs.Condition, { StringEquals: { 'events:source': 'aws.ecs' } });
  assert.deepEqual(synthetic.Principal, { AWS: ['111111111111'] });
  assert.deepEqual(synthetic.Condition, { StringEquals: { 'events:source': 'test.aws.ecs' } });
  assert.deepEqual(more, []);
});

for (const [name, target] of [
  ['placement-failure', QUEUES[0]!],
  ['interruption', QUEUES[1]!],
  ['synthetic-placement-failure', QUEUES[0]!],
] as const) {
  test(`the rule ${name} has the shared pattern and feeds ${target}, which lets it`, () => {
    const { Properties } = rule(dev, `fargate-spot-${name}`);
    assert.deepEqual(Properties.EventPattern, pattern(name));
    assert.equal(Properties.EventBusName, 'fargate-spot-bus');
    const fed = queue(dev, target);
    assert.deepEqual(Properties.Targets.map((it: any) => dev.text(it)), [{
      Id: 'target',
      Arn: dev.arn(fed),
      DeadLetterConfig: { Arn: dev.arn(queue(dev, 'fargate-spot-rule-dlq')) },
    }]);
    for (const admits of [fed, queue(dev, 'fargate-spot-rule-dlq')]) {
      const sources = allowed(dev, admits).flatMap((statement) => statement.Condition.ArnEquals['aws:SourceArn']);
      const arn = 'arn:${AWS::Partition}:events:ap-south-1:${AWS::AccountId}:rule/fargate-spot-bus/';
      assert(sources.includes(`${arn}fargate-spot-${name}`), sources.join());
    }
  });
}

/** What a queue's policy allows. */
function allowed(cell: Cell, of: { Properties: any }): any[] {
  const id = cell.logicalId(of as any);
  const policies = cell.of('AWS::SQS::QueuePolicy').filter(({ Properties }) => Properties.Queues.some((it: any) => it.Ref === id));
  const statements = policies.flatMap(({ Properties }) => Properties.PolicyDocument.Statement).map((it: any) => cell.text(it));
  return statements.filter(({ Effect }) => Effect === 'Allow');
}

test('only EventBridge may send to a queue, only for the cell\'s own rules, and only over TLS', () => {
  for (const cell of [dev, prod]) {
    for (const it of cell.of('AWS::SQS::Queue')) {
      for (const statement of allowed(cell, it)) {
        assert.deepEqual(statement.Principal, { Service: 'events.amazonaws.com' });
        assert.equal(statement.Action, 'sqs:SendMessage');
        assert.equal(statement.Resource, cell.arn(it));
        assert.deepEqual(Object.keys(statement.Condition), ['ArnEquals']);
      }
    }
    const denied = cell.of('AWS::SQS::QueuePolicy').flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
      .filter(({ Effect }: any) => Effect === 'Deny');
    assert.equal(denied.length, cell.of('AWS::SQS::Queue').length);
    for (const { Condition } of denied) assert.deepEqual(Condition, { Bool: { 'aws:SecureTransport': 'false' } });
  }
});

test('without accounts that may test there is no rule for synthetic events', () => {
  assert.deepEqual(prod.of('AWS::Events::Rule').map(({ Properties }) => Properties.Name).sort(), [
    'fargate-spot-audit', 'fargate-spot-interruption', 'fargate-spot-placement-failure', 'fargate-spot-restore-schedule',
  ]);
});

for (const name of QUEUES) {
  test(`${name} is encrypted, outwaits its function six times, and gives up into a DLQ that keeps longer`, () => {
    for (const cell of [dev, prod]) {
      const { Properties } = queue(cell, name);
      const timeouts = cell.of('AWS::Lambda::Function').map((it) => it.Properties.Timeout);
      assert(Properties.VisibilityTimeout >= 6 * Math.max(...timeouts));
      assert(Properties.SqsManagedSseEnabled);
      const dlq = queue(cell, name.replace('-queue', '-dlq'));
      const { deadLetterTargetArn, maxReceiveCount } = Properties.RedrivePolicy;
      assert.equal(cell.text(deadLetterTargetArn), cell.arn(dlq));
      assert.equal(maxReceiveCount, 10);
      assert(dlq.Properties.MessageRetentionPeriod > Properties.MessageRetentionPeriod);
      assert(dlq.Properties.SqsManagedSseEnabled);
    }
  });
}

test('the audit log has what this account announced, and a year of it in production', () => {
  assert.deepEqual(dev.text(rule(dev, 'fargate-spot-audit').Properties.EventPattern), {
    source: ['spot-recovery'], account: ['${AWS::AccountId}'],
  });
  for (const [cell, days] of [[dev, 30], [prod, 365]] as const) {
    const log = cell.named('AWS::Logs::LogGroup', 'LogGroupName', '/aws/events/fargate-spot-audit');
    assert.equal(log.Properties.RetentionInDays, days);
    const region = (cell.config as { region: string }).region;
    const [target] = rule(cell, 'fargate-spot-audit').Properties.Targets;
    const arn = `arn:\${AWS::Partition}:logs:${region}:\${AWS::AccountId}:log-group:/aws/events/fargate-spot-audit`;
    assert.equal(cell.text(target.Arn), arn);
    const policy = JSON.parse(cell.text(cell.of('AWS::Logs::ResourcePolicy')[0]!.Properties.PolicyDocument));
    assert.deepEqual(policy.Statement.map(({ Action }: any) => Action), ['logs:CreateLogStream', 'logs:PutLogEvents']);
    const rules = `arn:\${AWS::Partition}:events:${region}:\${AWS::AccountId}:rule/fargate-spot-bus/`;
    assert.equal(policy.Statement[1].Condition.ArnEquals['aws:SourceArn'], `${rules}fargate-spot-audit`);
  }
});

test('the sweep comes every minute in dev, every 5 minutes in prod, by a rule on the default bus', () => {
  for (const [cell, expression] of [[dev, 'rate(1 minute)'], [prod, 'rate(5 minutes)']] as const) {
    const { Properties } = rule(cell, 'fargate-spot-restore-schedule');
    assert.equal(Properties.ScheduleExpression, expression);
    assert.equal(Properties.EventBusName, undefined);
    const restore = cell.named('AWS::Lambda::Function', 'FunctionName', 'fargate-spot-restore-handler');
    assert.equal(cell.text(Properties.Targets[0].Arn), cell.arn(restore));
    const [permission] = cell.of('AWS::Lambda::Permission');
    assert.equal(cell.text(permission!.Properties.SourceArn), cell.arn(rule(cell, 'fargate-spot-restore-schedule')));
  }
});

test('another receive count is the cell\'s', () => {
  const cell = new Cell({ ...DEV, maxReceiveCount: 9 });
  assert.equal(queue(cell, QUEUES[0]!).Properties.RedrivePolicy.maxReceiveCount, 9);
  assert.equal(new Cell(PROD).of('AWS::SQS::Queue').length, 5);
});
