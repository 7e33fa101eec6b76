/** What wakes a person: each alarm says in its description what it means and where to look. */

import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import type { Cell } from './cell.ts';
import type { EventPath } from './event-path.ts';
import type { Functions } from './functions.ts';
import { failedFailovers, oldest, transitions, waiting } from './metrics.ts';

export interface AlarmsProps {
  readonly cell: Cell;
  readonly path: EventPath;
  readonly functions: Functions;
  readonly table: dynamodb.Table;
}

interface Condition {
  readonly name: string;
  readonly means: string;
  readonly metric: cloudwatch.IMetric;
  /** In alarm at this value and above, or with `below` under it. */
  readonly threshold: number;
  readonly below?: boolean;
  /** How many of how many periods; 1 of 1 unless given. */
  readonly periods?: readonly [number, number];
}

export class Alarms extends Construct {
  readonly all: cloudwatch.Alarm[] = [];

  constructor(scope: Construct, id: string, private readonly props: AlarmsProps) {
    super(scope, id);
    const { path, functions, table } = props;
    for (const queue of path.dlqs) {
      this.alarm({
        name: `${queue.node.id}NotEmpty`,
        means: 'something could not be worked on and waits to be looked at: docs/deploy.md, "A DLQ is not empty"',
        metric: waiting(queue),
        threshold: 1,
      });
    }
    for (const queue of [path.placementFailures, path.interruptions]) {
      this.alarm({
        name: `${queue.node.id}Old`,
        means: 'events wait for more than 5 minutes: the function is throttled, failing or too slow',
        metric: oldest(queue),
        threshold: 300,
        periods: [3, 3],
      });
    }
    for (const handler of functions.all) {
      this.alarm({
        name: `${handler.node.id}Errors`,
        means: 'invocations fail as a whole: see docs/lambda.md, "When it fails", and the log group',
        metric: handler.metricErrors({ period: Duration.minutes(5) }),
        threshold: 1,
        periods: [2, 3],
      });
      this.alarm({
        name: `${handler.node.id}Throttled`,
        means: 'the account has no Lambda concurrency left for this function: raise the quota',
        metric: handler.metricThrottles({ period: Duration.minutes(5) }),
        threshold: 1,
        periods: [2, 3],
      });
    }
    this.alarm({
      name: 'SweepMissing',
      means: 'no sweep for 15 minutes: nothing is restored, and losses without an event are not found; is the schedule enabled?',
      metric: functions.restore.metricInvocations({ period: Duration.minutes(15) }),
      threshold: 1,
      below: true,
    });
    this.alarm({
      name: 'ServicesHeld',
      means: 'a service needs a person; the transition in the audit log names it, the reason and the remedy',
      metric: transitions('Held'),
      threshold: 1,
    });
    this.alarm({
      name: 'FailoversFailed',
      means: 'failovers were begun that did not come to stand within 15 minutes: those services are short now',
      metric: failedFailovers(),
      threshold: 1,
    });
    // The two metrics of throttling that CloudWatch has by the table alone; the others are by operation too.
    for (const [name, metricName] of [['TableReadsThrottled', 'ReadThrottleEvents'], ['TableWritesThrottled', 'WriteThrottleEvents']] as const) {
      this.alarm({
        name,
        means: 'DynamoDB refuses calls for the state table: events come back and the sweep is late until it stops',
        metric: table.metric(metricName, { period: Duration.minutes(5), statistic: 'Sum' }),
        threshold: 1,
        periods: [2, 3],
      });
    }
  }

  private alarm(condition: Condition): void {
    const { cell } = this.props;
    const { LESS_THAN_THRESHOLD, GREATER_THAN_OR_EQUAL_TO_THRESHOLD } = cloudwatch.ComparisonOperator;
    const [datapointsToAlarm, evaluationPeriods] = condition.periods ?? [1, 1];
    const alarm = new cloudwatch.Alarm(this, condition.name, {
      alarmName: `SpotRecovery-${cell.name}-${condition.name}`,
      alarmDescription: `Spot Recovery, cell ${cell.name}: ${condition.means}`,
      metric: condition.metric,
      threshold: condition.threshold,
      comparisonOperator: condition.below ? LESS_THAN_THRESHOLD : GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      datapointsToAlarm,
      evaluationPeriods,
      // A count that nobody wrote is zero; of invocations that is the very alarm.
      treatMissingData: condition.below ? cloudwatch.TreatMissingData.BREACHING : cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    const topics = cell.alarmTopics.map((alarmActionArn) => ({ bind: () => ({ alarmActionArn }) }));
    alarm.addAlarmAction(...topics);
    alarm.addOkAction(...topics);
    this.all.push(alarm);
  }
}
