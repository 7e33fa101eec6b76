/** One page that says how the cell is: what it did to services, whether events flow, whether the functions run. */

import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { type AlarmsProps, Alarms } from './alarms.ts';
import { oldest, transitions, waiting } from './metrics.ts';

/** Columns of a dashboard. */
const WIDTH = 24;

export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, props: AlarmsProps & { readonly alarms: Alarms }) {
    super(scope, id);
    const { cell, path, functions, alarms } = props;
    const graph = (title: string, left: cloudwatch.IMetric[], right: cloudwatch.IMetric[] = []): cloudwatch.IWidget =>
      new cloudwatch.GraphWidget({ title, left, right, width: WIDTH / 3, leftYAxis: { min: 0 }, rightYAxis: { min: 0 } });
    const queues = [path.placementFailures, path.interruptions];
    const everyFive = { period: Duration.minutes(5) };
    new cloudwatch.Dashboard(this, 'Page', {
      dashboardName: `SpotRecovery-${cell.name}`,
      defaultInterval: Duration.hours(24),
      widgets: [
        [new cloudwatch.AlarmStatusWidget({ title: 'Alarms', alarms: alarms.all, width: WIDTH, height: 3 })],
        [
          graph('To On-Demand', ['FailoversBegun', 'FailedOver', 'Held'].map((name) => transitions(name))),
          graph('Back to Spot', ['RestoresBegun', 'Restored', 'RestoresFailed', 'RestoresRolledBack'].map((name) => transitions(name))),
          graph('Services watched', ['Discovered', 'Closed', 'Forgotten'].map((name) => transitions(name))),
        ],
        [
          graph('Events waiting, and age of the oldest in s (right)', queues.map(waiting), queues.map(oldest)),
          graph('In the DLQs', path.dlqs.map(waiting)),
          graph('Duration in ms, 99 of 100', functions.all.map((f) => f.metricDuration({ ...everyFive, statistic: 'p99' }))),
        ],
        [
          graph('Invocations', functions.all.map((f) => f.metricInvocations(everyFive))),
          graph('Errors and throttles (right)', functions.all.map((f) => f.metricErrors(everyFive)), functions.all.map((f) => f.metricThrottles(everyFive))),
          graph('Instances at work', functions.all.map((f) => f.metric('ConcurrentExecutions', { ...everyFive, statistic: 'Maximum' }))),
        ],
        [
          new cloudwatch.LogQueryWidget({
            title: 'Latest transitions',
            logGroupNames: [path.auditLog.logGroupName],
            queryLines: ['fields @timestamp, detail.id, detail.from, detail.to, detail.reason', 'sort @timestamp desc', 'limit 50'],
            width: WIDTH,
            height: 8,
          }),
        ],
      ],
    });
  }
}
