export interface Value {
  readonly key: string;
  readonly value: unknown;
  readonly comment: string;
}

export function valuesOf(text: string): Value[];
export function readmeWithTable(readme: string, values: readonly Value[]): string;
