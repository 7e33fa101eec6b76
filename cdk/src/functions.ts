/** The three functions: what they run, what they may do, and what starts them. */

import * as fs from 'node:fs';
import * as path from 'node:path';
import { Aws, Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { type Cell, ConfigError, FUNCTION_TIMEOUT_SECONDS } from './cell.ts';
import type { EventPath } from './event-path.ts';
import {
  BUS, DUE_INDEX, INTERRUPTION_HANDLER, PLACEMENT_FAILURE_HANDLER, RESTORE_HANDLER, TABLE, WORKLOAD_ROLE, roleOf,
} from './names.ts';

export const TIMEOUT = Duration.seconds(FUNCTION_TIMEOUT_SECONDS);
const MEMORY_MIB = 256;
/** Most instances of a function that one queue keeps busy. */
const MAX_CONCURRENCY = 100;
const BATCH = 10;

export interface FunctionsProps {
  readonly cell: Cell;
  /** Where `cargo xtask package` put the zips: `DIRECTORY/ARCHITECTURE/FUNCTION.zip`. */
  readonly zips: string;
  readonly table: dynamodb.Table;
  readonly path: EventPath;
}

export class Functions extends Construct {
  readonly placementFailure: lambda.Function;
  readonly interruption: lambda.Function;
  readonly restore: lambda.Function;
  readonly all: lambda.Function[];

  constructor(scope: Construct, id: string, private readonly props: FunctionsProps) {
    super(scope, id);
    const { placementFailures, interruptions } = props.path;
    this.placementFailure = this.consumer('PlacementFailure', PLACEMENT_FAILURE_HANDLER, placementFailures);
    this.interruption = this.consumer('Interruption', INTERRUPTION_HANDLER, interruptions);
    this.restore = this.handler('Restore', RESTORE_HANDLER);
    this.schedule();
    this.all = [this.placementFailure, this.interruption, this.restore];
  }

  /** A handler that a queue feeds. */
  private consumer(id: string, name: string, queue: sqs.Queue): lambda.Function {
    const actions = ['ReceiveMessage', 'DeleteMessage', 'GetQueueAttributes', 'ChangeMessageVisibility'];
    const consumer = this.handler(id, name, [
      allow('ConsumeQueue', actions.map((action) => `sqs:${action}`), [queue.queueArn]),
    ]);
    const mapping = new lambda.CfnEventSourceMapping(this, `${id}Mapping`, {
      functionName: consumer.functionName,
      eventSourceArn: queue.queueArn,
      batchSize: BATCH,
      functionResponseTypes: ['ReportBatchItemFailures'],
      scalingConfig: { maximumConcurrency: MAX_CONCURRENCY },
    });
    // Lambda checks the permissions when the mapping is made.
    mapping.node.addDependency(consumer.role!);
    return consumer;
  }

  private handler(id: string, name: string, own: iam.PolicyStatement[] = []): lambda.Function {
    const { cell } = this.props;
    const prod = cell.environment === 'prod';
    const logGroup = new logs.LogGroup(this, `${id}Log`, {
      logGroupName: `/aws/lambda/${name}`,
      retention: prod ? logs.RetentionDays.THREE_MONTHS : logs.RetentionDays.TWO_WEEKS,
      removalPolicy: prod ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    const role = new iam.Role(this, `${id}Role`, {
      roleName: roleOf(name, cell.region),
      description: `${name} of the Spot Recovery cell ${cell.name}`,
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: { handler: new iam.PolicyDocument({ statements: [...this.common(logGroup), ...own] }) },
    });
    Validations.of(role).acknowledge({
      id: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:iam::*:role/${WORKLOAD_ROLE}]`,
      reason: 'The account is any of the cell: the condition limits it to the organization or to the listed accounts.',
    });
    return new lambda.Function(this, id, {
      functionName: name,
      description: `Spot Recovery, cell ${cell.name}`,
      runtime: lambda.Runtime.PROVIDED_AL2023,
      architecture: cell.architecture === 'arm64' ? lambda.Architecture.ARM_64 : lambda.Architecture.X86_64,
      handler: 'bootstrap',
      code: lambda.Code.fromAsset(zipOf(this.props.zips, cell, name)),
      role,
      logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      timeout: TIMEOUT,
      memorySize: MEMORY_MIB,
      environment: environmentOf(cell, this.props.path.placementFailures),
    });
  }

  /** What every handler does: work on services, remember it, find what is due, hand it on, announce it, log it. */
  private common(logGroup: logs.LogGroup): iam.PolicyStatement[] {
    const { cell, table, path } = this.props;
    const role = `arn:${Aws.PARTITION}:iam::*:role/${WORKLOAD_ROLE}`;
    const where =
      cell.organizationId === undefined
        ? { 'aws:ResourceAccount': [...cell.accounts] }
        : { 'aws:ResourceOrgID': cell.organizationId };
    return [
      allow('AssumeWorkloadRole', ['sts:AssumeRole'], [role], { StringEquals: where }),
      allow('KeepRecords', ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:DeleteItem'], [table.tableArn]),
      allow('QueryDue', ['dynamodb:Query'], [`${table.tableArn}/index/${DUE_INDEX}`]),
      allow('HandOn', ['sqs:SendMessage'], [path.placementFailures.queueArn]),
      allow('AnnounceTransitions', ['events:PutEvents'], [path.bus.attrArn]),
      allow('WriteLog', ['logs:CreateLogStream', 'logs:PutLogEvents'], [logGroup.logGroupArn]),
    ];
  }

  private schedule(): void {
    const minutes = this.props.cell.environment === 'prod' ? 5 : 1;
    const rule = new events.CfnRule(this, 'RestoreSchedule', {
      name: 'fargate-spot-restore-schedule',
      description: 'The sweep: restores, confirms, and finds what no event announced',
      scheduleExpression: minutes === 1 ? 'rate(1 minute)' : `rate(${minutes} minutes)`,
      targets: [{ id: 'target', arn: this.restore.functionArn }],
    });
    new lambda.CfnPermission(this, 'RestoreScheduleMayInvoke', {
      action: 'lambda:InvokeFunction',
      functionName: this.restore.functionName,
      principal: 'events.amazonaws.com',
      sourceArn: rule.attrArn,
    });
    // A sweep that failed is not repeated: the next one finds the same work, and more of it.
    this.restore.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.minutes(minutes) });
  }
}

function allow(sid: string, actions: string[], resources: string[], conditions?: object): iam.PolicyStatement {
  return new iam.PolicyStatement({ sid, actions, resources, ...(conditions ? { conditions } : {}) });
}

/** What docs/lambda.md and docs/policy.md say a function reads. */
export function environmentOf(cell: Cell, handOn: sqs.IQueue): Record<string, string> {
  return {
    SPOT_RECOVERY_TABLE: TABLE,
    SPOT_RECOVERY_BUS: BUS,
    SPOT_RECOVERY_QUEUE: handOn.queueUrl,
    ...(cell.syntheticFrom.length > 0 ? { SPOT_RECOVERY_SYNTHETIC_FROM: cell.syntheticFrom.join(',') } : {}),
    ...(cell.externalId === undefined ? {} : { SPOT_RECOVERY_EXTERNAL_ID: cell.externalId }),
    ...cell.policy,
  };
}

function zipOf(zips: string, cell: Cell, name: string): string {
  const zip = path.join(zips, cell.architecture, `${name}.zip`);
  if (fs.existsSync(zip)) return zip;
  throw new ConfigError(`cell "${cell.name}": ${zip} is missing; build it: cargo xtask package --arch ${cell.architecture}`);
}
