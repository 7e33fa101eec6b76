/** The tables of docs/cost.md. */

import { ASSUMPTIONS, type Fleet, type Given, PRICES, costOf } from './model.ts';

const dollars = (value: number): string => (value < 0.005 ? '0.00' : value.toFixed(2));
const table = (head: string[], rows: string[][], right: number): string => {
  const rule = head.map((_, column) => (column >= right ? '---:' : '---'));
  return [head, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
};

/** What each fleet costs, by what is paid for. */
export function costs(fleets: Fleet[]): string {
  const columns = fleets.map(costOf);
  const total = columns.map((column) => Object.values(column).reduce((sum, value) => sum + value, 0));
  const rows = Object.keys(columns[0]!).map((what) => [what, ...columns.map((column) => dollars(column[what]!))]);
  const head = ['$ a month', ...fleets.map(({ services, accounts }) => `${services.toLocaleString('en')} services, ${accounts} accounts`)];
  const sums = ['**in all**', ...total.map((sum) => `**${dollars(sum)}**`)];
  const each = ['per service', ...total.map((sum, n) => (sum / fleets[n]!.services).toFixed(4))];
  return table(head, [...rows, sums, each], 1);
}

const number = (value: number): string => (value < 0.001 ? `${Number((value * 1e6).toPrecision(6))} / million` : String(Number(value.toPrecision(6))));
const rows = (all: Record<string, Given>): string[][] => Object.values(all).map(({ value, unit, why }) => [number(value), unit, why]);

export const prices = (): string => table(['price', 'unit', 'page'], rows(PRICES), 3);
export const assumptions = (): string => table(['value', 'of what', 'because'], rows(ASSUMPTIONS), 3);
