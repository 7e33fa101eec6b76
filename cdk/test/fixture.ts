/** What the tests share: cells, and their templates, synthesized from small zips in the place of built ones. */

import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { checkCell } from '../src/cell.ts';
import { CellStack } from '../src/cell-stack.ts';
import { HANDLERS } from '../src/names.ts';

export const DEV = {
  name: 'dev', region: 'ap-south-1', environment: 'dev', accounts: ['111111111111', '222222222222'], syntheticFrom: ['111111111111'],
};
export const PROD = {
  name: 'prod', region: 'eu-west-1', environment: 'prod', organizationId: 'o-exampleorg1', policy: { interruption_policy: 'shortfall' },
};

/** Where everything temporary is, until the tests end. */
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'spot-recovery-cdk-'));
process.on('exit', () => fs.rmSync(root, { recursive: true, force: true }));
export const temporary = (): string => fs.mkdtempSync(path.join(root, 'it-'));

/** A directory of zips as `cargo xtask package` leaves it; what is in a zip is of no matter to the template. */
function zipsOf(): string {
  const directory = temporary();
  for (const architecture of ['arm64', 'x86_64']) {
    fs.mkdirSync(path.join(directory, architecture));
    for (const name of HANDLERS) fs.writeFileSync(path.join(directory, architecture, `${name}.zip`), `${name} ${architecture}`);
  }
  return directory;
}

export const zips = zipsOf();

/** With the feature flags of the real app, which change what is synthesized. */
const { context } = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, '../cdk.json'), 'utf8'));
export const app = (): App => new App({ context, outdir: temporary() });

export function stackOf(cell: object): CellStack {
  return new CellStack(app(), { cell: checkCell(cell), zips });
}

/** The template's resources, by logical id. */
export type Resource = { Type: string; Properties: any; DeletionPolicy?: string; DependsOn?: string[] };

export class Cell {
  readonly template: Template;
  readonly resources: Record<string, Resource>;

  constructor(readonly config: object) {
    this.template = Template.fromStack(stackOf(config));
    this.resources = this.template.toJSON().Resources;
  }

  of(type: string): Resource[] {
    return Object.values(this.resources).filter((resource) => resource.Type === type);
  }

  /** The one resource of that type whose `property` is `name`. */
  named(type: string, property: string, name: string): Resource {
    const found = this.of(type).filter((resource) => resource.Properties[property] === name);
    if (found.length !== 1) throw new Error(`${found.length} resources ${type} with ${property} ${name}`);
    return found[0]!;
  }

  logicalId(resource: Resource): string {
    return Object.entries(this.resources).find(([, other]) => other === resource)![0];
  }

  /** Intrinsic functions as readable text: `${Bus.Arn}`. */
  text(value: any): any {
    if (Array.isArray(value)) return value.map((item) => this.text(item));
    if (typeof value !== 'object' || value === null) return value;
    if ('Ref' in value) return `\${${value.Ref}}`;
    if ('Fn::GetAtt' in value) return `\${${value['Fn::GetAtt'].join('.')}}`;
    if ('Fn::Join' in value) return value['Fn::Join'][1].map((part: any) => this.text(part)).join(value['Fn::Join'][0]);
    if ('Fn::Sub' in value) return value['Fn::Sub'];
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.text(item)]));
  }

  arn(resource: Resource): string {
    return `\${${this.logicalId(resource)}.Arn}`;
  }
}

export const dev = new Cell(DEV);
export const prod = new Cell(PROD);
