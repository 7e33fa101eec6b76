/** docs/cost.md is what the model says, and the model says what the cell and the policy say. `npm run accept` writes the tables. */

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { ASSUMPTIONS, costOf } from '../src/cost/model.ts';
import { assumptions, costs, prices } from '../src/cost/page.ts';
import { prod } from './fixture.ts';

const file = (name: string): string => fs.readFileSync(path.join(import.meta.dirname, '../..', name), 'utf8');
const read = (name: string): string => file(`docs/${name}`);

/** An alarm on one metric counts one, one on an expression each metric of it (CloudWatch pricing). */
const alarmMetrics = prod.of('AWS::CloudWatch::Alarm')
  .map(({ Properties }) => Properties.Metrics?.filter((metric: any) => metric.MetricStat).length ?? 1)
  .reduce((sum: number, count: number) => sum + count, 0);
const SMALL = { services: 100, accounts: 5, alarmMetrics };
const LARGE = { services: 10_000, accounts: 100, alarmMetrics };

test('docs/cost.md has the tables that the model makes', () => {
  const tables = { costs: costs([SMALL, LARGE]), prices: prices(), assumptions: assumptions() };
  let page = read('cost.md');
  for (const [name, table] of Object.entries(tables)) {
    const place = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(\n<!-- end -->)`);
    if (process.env.ACCEPT) page = page.replace(place, (_, before, after) => `${before}${table}${after}`);
    if (process.env.ACCEPT) fs.writeFileSync(path.join(import.meta.dirname, '../../docs/cost.md'), page);
    assert.equal(page.match(place)?.[0], `<!-- ${name} -->\n${table}\n<!-- end -->`);
  }
});

test('assumptions that are facts of the cell are those of the cell', () => {
  const [fn] = prod.of('AWS::Lambda::Function');
  assert.equal(ASSUMPTIONS.memoryGb.value, fn!.Properties.MemorySize / 1024);
  const schedule = prod.named('AWS::Events::Rule', 'Name', 'fargate-spot-restore-schedule').Properties.ScheduleExpression;
  assert.equal(schedule, `rate(${ASSUMPTIONS.sweepMinutes.value} minutes)`);
  assert(read('policy.md').includes(`| \`SPOT_RECOVERY_WATCH_INTERVAL\` | ${ASSUMPTIONS.watchMinutes.value}m |`));
  const sweep = file('handlers/src/reconcile/sweep.rs');
  assert(sweep.includes(`const ACCOUNTS_AT_ONCE: usize = ${ASSUMPTIONS.accountsAtOnce.value};`));
  assert(file('handlers/src/record.rs').includes(`const DUE_SHARDS: u32 = ${ASSUMPTIONS.shards.value};`));
});

test('what grows with the services grows with them, and what does not stays', () => {
  const [small, large] = [costOf(SMALL), costOf(LARGE)];
  assert.equal(large['EventBridge, workload accounts'], small['EventBridge, workload accounts']! * 100);
  assert.equal(large['CloudWatch alarms and dashboard'], small['CloudWatch alarms and dashboard']);
  assert(large.DynamoDB! > small.DynamoDB! * 90);
});
