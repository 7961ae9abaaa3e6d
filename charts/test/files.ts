import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

const root = join(import.meta.dirname, '../..');

/** A file of the repository, by its path from the root. */
export const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The names of a folder's files. */
export const filesOf = (folder: string): string[] => readdirSync(join(root, folder)).sort();

/** As much of an object as tests look at. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly rules?: readonly { apiGroups: string[]; resources: string[]; verbs: string[] }[];
  readonly data?: Readonly<Record<string, string>>;
}

/** What one set of values makes, from charts/test/snapshots; `check-chart` holds that it is what Helm makes now. */
export function snapshot(name: string): Manifest[] {
  const documents = parseAllDocuments(read(`charts/test/snapshots/${name}.yaml`));
  return documents.map((document) => document.toJS() as Manifest);
}

export const snapshots = filesOf('charts/test/values').map((file) => file.replace('.yaml', ''));

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export function alerts(): Alert[] {
  const { groups } = parse(read('charts/replpool/rules/alerts.yaml')) as { groups: { rules: Alert[] }[] };
  return groups.flatMap(({ rules }) => rules);
}
