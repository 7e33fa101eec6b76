/** One cell: everything that Spot Recovery needs in one region of the central account. */

import { CfnOutput, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import { Alarms } from './alarms.ts';
import type { Cell } from './cell.ts';
import { Dashboard } from './dashboard.ts';
import { EventPath } from './event-path.ts';
import { Functions, TIMEOUT } from './functions.ts';
import { DUE_INDEX, TABLE } from './names.ts';

export interface CellStackProps extends StackProps {
  readonly cell: Cell;
  /** Where `cargo xtask package` put the zips. */
  readonly zips: string;
}

export const stackName = (cell: Cell): string => `SpotRecovery-${cell.name}`;

export class CellStack extends Stack {
  constructor(scope: Construct, props: CellStackProps) {
    const { cell, zips } = props;
    super(scope, stackName(cell), {
      ...props,
      env: { region: cell.region, ...(cell.account === undefined ? {} : { account: cell.account }) },
      description: `Spot Recovery cell ${cell.name} (${cell.environment})`,
      terminationProtection: cell.environment === 'prod',
    });
    const table = this.table(cell);
    const path = new EventPath(this, 'Events', cell, TIMEOUT);
    const functions = new Functions(this, 'Functions', { cell, zips, table, path });
    const alarms = new Alarms(this, 'Alarms', { cell, path, functions, table });
    new Dashboard(this, 'Dashboard', { cell, path, functions, table, alarms });
    new CfnOutput(this, 'BusArn', { value: path.bus.attrArn, description: 'CentralBusArn of onboarding.yaml' });
  }

  /** What is known of each service: without it no strategy can be restored, so production keeps it whatever happens to the stack. */
  private table(cell: Cell): dynamodb.Table {
    const prod = cell.environment === 'prod';
    const table = new dynamodb.Table(this, 'State', {
      tableName: TABLE,
      partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING },
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: prod,
      removalPolicy: prod ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    // Only records that wait for a look have both attributes: the sweep costs what is due, not what is known.
    table.addGlobalSecondaryIndex({
      indexName: DUE_INDEX,
      partitionKey: { name: 'due_shard', type: dynamodb.AttributeType.NUMBER },
      sortKey: { name: 'next_check_at', type: dynamodb.AttributeType.NUMBER },
      projectionType: dynamodb.ProjectionType.ALL,
    });
    return table;
  }
}
