/** The metrics that alarms and dashboard are made of. Those of the product are docs/lambda.md's, "Logs and metrics". */

import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as sqs from 'aws-cdk-lib/aws-sqs';

/** Namespace of the handlers' own metrics (handlers/src/metrics.rs). */
export const NAMESPACE = 'SpotRecovery';

/** How many services went through the transition of that name, over all accounts. */
export function transitions(metricName: string, period = Duration.minutes(5)): cloudwatch.Metric {
  return new cloudwatch.Metric({ namespace: NAMESPACE, metricName, statistic: 'Sum', period });
}

/** Failovers that were begun and did not come to stand: refused, rolled back, or still on their way after the period. */
export function failedFailovers(period = Duration.minutes(15)): cloudwatch.MathExpression {
  return new cloudwatch.MathExpression({
    label: 'failovers begun and not live',
    expression: 'FILL(begun, 0) + FILL(again, 0) - FILL(live, 0)',
    usingMetrics: {
      begun: transitions('FailoversBegun', period),
      again: transitions('RestoresFailed', period),
      live: transitions('FailedOver', period),
    },
    period,
  });
}

export const waiting = (queue: sqs.Queue): cloudwatch.Metric =>
  queue.metricApproximateNumberOfMessagesVisible({ period: Duration.minutes(1), statistic: 'Maximum' });

export const oldest = (queue: sqs.Queue): cloudwatch.Metric =>
  queue.metricApproximateAgeOfOldestMessage({ period: Duration.minutes(1), statistic: 'Maximum' });
