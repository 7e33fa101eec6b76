/** Bad input is refused with the cell, the value and the remedy, before anything is synthesized. */

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { ConfigError, KEYS, checkCell, readCells, select } from '../src/cell.ts';
import { DEV, PROD, stackOf, temporary } from './fixture.ts';

function refused(cell: object, ...says: string[]): void {
  assert.throws(() => checkCell(cell), (error) => {
    assert(error instanceof ConfigError);
    for (const text of says) assert(error.message.includes(text), `${error.message}\ndoes not say ${text}`);
    return true;
  });
}

function fileOf(text: string): string {
  const directory = temporary();
  fs.writeFileSync(path.join(directory, 'cells.json'), text);
  return path.join(directory, 'cells.json');
}

test('the committed cells are right', () => {
  assert.deepEqual(readCells(path.join(import.meta.dirname, '../cells.json')).map(({ name }) => name), ['dev', 'prod']);
});

test('docs/deploy.md has every key of a cell and no other', () => {
  const page = fs.readFileSync(path.join(import.meta.dirname, '../../docs/deploy.md'), 'utf8');
  const table = page.split('| key | default | meaning |')[1]!.split('\n\n')[0]!;
  assert.deepEqual([...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, key]) => key).sort(), [...KEYS].sort());
});

test('an unknown region is refused with the known ones', () => {
  refused({ ...DEV, region: 'eu-west-9' }, 'cell "dev"', '"eu-west-9"', 'eu-west-1');
  refused({ ...DEV, region: undefined }, 'cell "dev"', 'region undefined');
});

test('a cell that nobody could send events to is refused', () => {
  refused({ ...DEV, accounts: [] }, 'cell "dev"', 'no "organizationId" and no "accounts"');
  refused({ ...DEV, organizationId: 'o-exampleorg1' }, 'both set', 'keep one');
  refused({ ...DEV, accounts: ['12345678901'] }, '"12345678901"', '12 digits');
  refused({ ...PROD, organizationId: 'ou-1234' }, '"ou-1234"', 'describe-organization');
  const many = Array.from({ length: 201 }, (_, n) => String(100_000_000_000 + n));
  refused({ ...DEV, accounts: many, syntheticFrom: [] }, '201 accounts', 'organizationId');
});

test('synthetic events are off by default, and production never takes them from everybody', () => {
  assert.deepEqual(checkCell(PROD).syntheticFrom, []);
  for (const syntheticFrom of ['*', ['*'], ['111111111111', '*']]) {
    refused({ ...PROD, syntheticFrom }, 'cell "prod"', 'syntheticFrom "*"', 'list the accounts');
  }
  assert.deepEqual(checkCell({ ...PROD, syntheticFrom: ['111111111111'] }).syntheticFrom, ['111111111111']);
  assert.deepEqual(checkCell({ ...DEV, syntheticFrom: '*' }).syntheticFrom, DEV.accounts);
  refused({ ...DEV, accounts: undefined, organizationId: 'o-exampleorg1', syntheticFrom: '*' }, 'cannot be listed');
});

test('a tunable that does not exist or is out of its range is refused as docs/policy.md has it', () => {
  const policy = (policy: object): object => ({ ...PROD, policy });
  refused(policy({ pause: true }), 'cell "prod"', '"pause"', 'paused');
  refused(policy({ restore_after: '2days' }), 'restore_after "2days"', '1s to 1day');
  refused(policy({ restore_after: 900 }), 'restore_after 900', '1s to 1day');
  refused(policy({ restores_per_day: 0 }), 'restores_per_day 0', '1 to 100');
  refused(policy({ paused: 'yes' }), 'paused "yes"', 'true or false');
  refused(policy({ lease: '39s' }), 'lease "39s"', 'outlive', 'set 40s or more');
  assert.deepEqual(checkCell(policy({ lease: '40s' })).policy, { SPOT_RECOVERY_LEASE: '40s' });
  const variables = checkCell(policy({ paused: true, restore_after: '1h 30m', restores_per_day: 4 })).policy;
  assert.deepEqual(variables, {
    SPOT_RECOVERY_PAUSED: 'true', SPOT_RECOVERY_RESTORE_AFTER: '1h 30m', SPOT_RECOVERY_RESTORES_PER_DAY: '4',
  });
});

test('what nobody reads is refused, as is a value of the wrong kind', () => {
  refused({ ...DEV, acounts: [] }, '"acounts" means nothing', 'accounts');
  refused({ ...DEV, environment: 'staging' }, '"staging"', '"dev"', '"prod"');
  refused({ ...DEV, architecture: 'arm' }, '"arm"', 'arm64');
  refused({ ...DEV, maxReceiveCount: 3 }, 'maxReceiveCount 3', 'from 5');
  refused({ ...DEV, name: undefined }, 'cell 1', 'no "name"');
  refused({ ...DEV, alarmTopics: ['pager'] }, '"pager"', 'SNS');
  refused({ ...DEV, alarmTopics: ['arn:aws:sns:eu-west-1:999999999999:pager'] }, 'not in ap-south-1', 'its own region');
});

test('a file that is no list of cells is refused by its name', () => {
  assert.throws(() => readCells('/nowhere/cells.json'), /\/nowhere\/cells.json: ENOENT.*copy cdk\/cells.json/);
  assert.throws(() => readCells(fileOf('{')), /cells.json: .*JSON/);
  assert.throws(() => readCells(fileOf('{ "cells": [] }')), /"cells" must be a list of at least one/);
});

test('two cells cannot share a name, or a region of one account', () => {
  const cells = (...cells: object[]): string => fileOf(JSON.stringify({ cells }));
  assert.throws(() => readCells(cells(DEV, { ...PROD, name: 'dev' })), /cell "dev" is there twice/);
  assert.throws(() => readCells(cells(DEV, { ...PROD, region: DEV.region })), /both in ap-south-1.*"account"/);
  const apart = cells({ ...DEV, account: '333333333333' }, { ...PROD, region: DEV.region, account: '444444444444' });
  assert.equal(readCells(apart).length, 2);
});

test('a cell that is not there is refused with those that are', () => {
  assert.throws(() => select([checkCell(DEV), checkCell(PROD)], 'pro', 'cells.json'), /^ConfigError: cell "pro" is not in cells.json; known are dev, prod$/);
});

test('missing zips are refused with the command that makes them', async () => {
  const { App } = await import('aws-cdk-lib');
  const { CellStack } = await import('../src/cell-stack.ts');
  const cell = checkCell({ ...DEV, architecture: 'x86_64' });
  assert.throws(() => new CellStack(new App(), { cell, zips: '/nowhere' }), (error) => {
    assert(error instanceof ConfigError);
    assert.match(error.message, /cell "dev": \/nowhere\/x86_64\/.*\.zip is missing; build it: cargo xtask package --arch x86_64/);
    return true;
  });
  assert.equal(stackOf(DEV).stackName, 'SpotRecovery-dev');
});
