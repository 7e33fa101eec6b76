/** From the workload accounts to the handlers' queues: the central bus, whom it admits, its rules, and what they feed. */

import { Aws, Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Cell } from './cell.ts';
import { BUS, INTERRUPTION_QUEUE, PLACEMENT_FAILURE_QUEUE, dlqOf } from './names.ts';
import { type PatternName, eventPattern } from './patterns.ts';

/** Time a message stays invisible: six times what a function may take (Lambda guide, "Configuring an SQS queue"). */
const VISIBILITY_PER_TIMEOUT = 6;
const RETENTION = Duration.days(4);
/** Longer than the queues', because a message keeps its first send time when it moves to a DLQ (aws-facts.md §6). */
const DLQ_RETENTION = Duration.days(14);

export class EventPath extends Construct {
  readonly bus: events.CfnEventBus;
  readonly placementFailures: sqs.Queue;
  readonly interruptions: sqs.Queue;
  /** Where a message goes that no handler could work on, and an event that a rule could not deliver. */
  readonly dlqs: sqs.Queue[] = [];
  readonly auditLog: logs.LogGroup;
  private readonly ruleDlq: sqs.Queue;
  private readonly feeds = new Map<sqs.Queue, string[]>();

  constructor(scope: Construct, id: string, private readonly cell: Cell, functionTimeout: Duration) {
    super(scope, id);
    this.bus = new events.CfnEventBus(this, 'Bus', {
      name: BUS,
      description: 'ECS events of the workload accounts, and what Spot Recovery did about them',
    });
    this.admit();

    this.ruleDlq = this.deadLetters('RuleDlq', 'fargate-spot-rule-dlq');
    this.placementFailures = this.queue('PlacementFailure', PLACEMENT_FAILURE_QUEUE, functionTimeout);
    this.interruptions = this.queue('Interruption', INTERRUPTION_QUEUE, functionTimeout);
    this.rule('placement-failure', this.placementFailures);
    this.rule('interruption', this.interruptions);
    if (cell.syntheticFrom.length > 0) this.rule('synthetic-placement-failure', this.placementFailures);
    this.auditLog = this.audit();
    for (const [queue, rules] of this.feeds) this.allowRules(queue, rules);
  }

  /** The ARN of a rule on the central bus, written out: a reference would make queue policy and rule wait for each other. */
  private ruleArn(rule: string): string {
    return Stack.of(this).formatArn({ service: 'events', resource: 'rule', resourceName: `${BUS}/${rule}` });
  }

  /** Genuine ECS events from every account of the cell; events of our own source from those that may test. */
  private admit(): void {
    const { organizationId, accounts, syntheticFrom } = this.cell;
    const statement = (id: string, who: object, condition: object): void => {
      new events.CfnEventBusPolicy(this, id, {
        statementId: id,
        eventBusName: BUS,
        statement: {
          Effect: 'Allow',
          Action: 'events:PutEvents',
          Resource: this.bus.attrArn,
          ...who,
          Condition: condition,
        },
      });
    };
    const source = (name: string): object => ({ StringEquals: { 'events:source': name } });
    if (organizationId === undefined) {
      statement('EcsEventsOfAccounts', { Principal: { AWS: [...accounts] } }, source('aws.ecs'));
    } else {
      const inOrganization = { StringEquals: { 'aws:PrincipalOrgID': organizationId, 'events:source': 'aws.ecs' } };
      statement('EcsEventsOfOrganization', { Principal: '*' }, inOrganization);
    }
    if (syntheticFrom.length > 0) {
      statement('SyntheticEvents', { Principal: { AWS: [...syntheticFrom] } }, source('test.aws.ecs'));
    }
  }

  private deadLetters(id: string, name: string): sqs.Queue {
    const dlq = new sqs.Queue(this, id, {
      queueName: name,
      retentionPeriod: DLQ_RETENTION,
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
    });
    this.dlqs.push(dlq);
    // The rules' is a DLQ, but of no queue, which is all that is looked for.
    Validations.of(dlq).acknowledge({ id: 'AwsSolutions-SQS3', reason: 'This queue is a dead-letter queue.' });
    return dlq;
  }

  private queue(id: string, name: string, functionTimeout: Duration): sqs.Queue {
    return new sqs.Queue(this, `${id}Queue`, {
      queueName: name,
      visibilityTimeout: Duration.seconds(functionTimeout.toSeconds() * VISIBILITY_PER_TIMEOUT),
      retentionPeriod: RETENTION,
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      deadLetterQueue: { queue: this.deadLetters(`${id}Dlq`, dlqOf(name)), maxReceiveCount: this.cell.maxReceiveCount },
    });
  }

  private rule(pattern: PatternName, queue: sqs.Queue): void {
    const name = `fargate-spot-${pattern}`;
    this.put(name, `${pattern}.json of handlers/event-patterns`, eventPattern(pattern), queue.queueArn);
    this.feeds.set(queue, [...(this.feeds.get(queue) ?? []), name]);
  }

  /** A rule on the central bus; what it cannot deliver waits in the rules' DLQ. */
  private put(name: string, description: string, pattern: object, target: string): void {
    const rule = new events.CfnRule(this, name, {
      name,
      description,
      eventBusName: BUS,
      eventPattern: pattern,
      targets: [{ id: 'target', arn: target, deadLetterConfig: { arn: this.ruleDlq.queueArn } }],
    });
    rule.addResourceDependency(this.bus);
    this.feeds.set(this.ruleDlq, [...(this.feeds.get(this.ruleDlq) ?? []), name]);
  }

  private allowRules(queue: sqs.Queue, rules: string[]): void {
    queue.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'FromRules',
        principals: [new iam.ServicePrincipal('events.amazonaws.com')],
        actions: ['sqs:SendMessage'],
        resources: [queue.queueArn],
        conditions: { ArnEquals: { 'aws:SourceArn': rules.map((rule) => this.ruleArn(rule)) } },
      }),
    );
  }

  /** Every transition, kept. Only what this account announced: the source's name alone proves nothing. */
  private audit(): logs.LogGroup {
    const prod = this.cell.environment === 'prod';
    const name = '/aws/events/fargate-spot-audit';
    const rule = 'fargate-spot-audit';
    const group = new logs.LogGroup(this, 'AuditLog', {
      logGroupName: name,
      retention: prod ? logs.RetentionDays.ONE_YEAR : logs.RetentionDays.ONE_MONTH,
      removalPolicy: prod ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    // Both services, and the rule for the second action only: so the EventBridge guide has it ("CloudWatch Logs permissions").
    const deliver = (action: string, resource: string, conditions = {}): iam.PolicyStatement =>
      new iam.PolicyStatement({
        principals: ['events.amazonaws.com', 'delivery.logs.amazonaws.com'].map((name) => new iam.ServicePrincipal(name)),
        actions: [action],
        resources: [resource],
        conditions,
      });
    const onlyTheRule = { ArnEquals: { 'aws:SourceArn': this.ruleArn(rule) } };
    const policy = new iam.PolicyDocument({
      statements: [
        deliver('logs:CreateLogStream', group.logGroupArn),
        deliver('logs:PutLogEvents', `${group.logGroupArn}:*`, onlyTheRule),
      ],
    });
    new logs.CfnResourcePolicy(this, 'AuditLogPolicy', {
      policyName: rule,
      policyDocument: Stack.of(this).toJsonString(policy),
    });
    const pattern = { source: ['spot-recovery'], account: [Aws.ACCOUNT_ID] };
    const { partition, region, account } = Stack.of(this);
    const target = `arn:${partition}:logs:${region}:${account}:log-group:${name}`;
    this.put(rule, 'what Spot Recovery did, from this account only', pattern, target);
    return group;
  }
}
