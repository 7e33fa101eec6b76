/** The state table: without it no strategy can be restored. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dev, prod, stackOf, DEV, PROD } from './fixture.ts';

const table = (cell: typeof dev) => cell.named('AWS::DynamoDB::Table', 'TableName', 'ecs_cp_restore_state');

test('it has the key and the sparse index that the handlers use', () => {
  const { Properties } = table(dev);
  assert.deepEqual(Properties.KeySchema, [{ AttributeName: 'id', KeyType: 'HASH' }]);
  assert.deepEqual(Properties.GlobalSecondaryIndexes, [{
    IndexName: 'due',
    KeySchema: [{ AttributeName: 'due_shard', KeyType: 'HASH' }, { AttributeName: 'next_check_at', KeyType: 'RANGE' }],
    Projection: { ProjectionType: 'ALL' },
  }]);
  const types = Object.fromEntries(Properties.AttributeDefinitions.map((it: any) => [it.AttributeName, it.AttributeType]));
  assert.deepEqual(types, { id: 'S', due_shard: 'N', next_check_at: 'N' });
});

test('it is billed by request and can be put back to any second', () => {
  for (const cell of [dev, prod]) {
    assert.equal(table(cell).Properties.BillingMode, 'PAY_PER_REQUEST');
    assert.deepEqual(table(cell).Properties.PointInTimeRecoverySpecification, { PointInTimeRecoveryEnabled: true });
  }
});

test('production keeps it whatever happens to the stack, and the stack too; dev can be thrown away', () => {
  assert.equal(table(prod).Properties.DeletionProtectionEnabled, true);
  assert.equal(table(prod).DeletionPolicy, 'Retain');
  assert.equal(stackOf(PROD).terminationProtection, true);
  assert.equal(table(dev).Properties.DeletionProtectionEnabled, false);
  assert.equal(table(dev).DeletionPolicy, 'Delete');
  assert.equal(stackOf(DEV).terminationProtection, false);
});
