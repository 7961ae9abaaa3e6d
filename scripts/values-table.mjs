// `node scripts/values-table.mjs` writes the table of values into charts/replpool/README.md, from the comments of values.yaml.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMap, isScalar, parseDocument } from 'yaml';

const chart = new URL('../charts/replpool/', import.meta.url);
const BEGIN = '<!-- values: made by scripts/values-table.mjs -->';
const END = '<!-- end of values -->';

/** Every value as `{key, value, comment}`: a map counts as one where it is empty or written in one line. */
export function valuesOf(text) {
  return rowsOf(parseDocument(text).contents, '');
}

function rowsOf(map, prefix) {
  return map.items.flatMap(({ key, value }) => {
    const path = `${prefix}${key.value}`;
    if (isMap(value) && !value.flow) return rowsOf(value, `${path}.`);
    const comment = key.commentBefore ?? (key === map.items[0].key ? map.commentBefore : undefined) ?? '';
    return [{ key: path, value: isScalar(value) ? value.value : value.toJSON(), comment: sentence(comment) }];
  });
}

/** The paragraph directly above a value, as one line. */
function sentence(comment) {
  const paragraph = comment.split(/\n\s*\n/).at(-1) ?? '';
  const lines = paragraph.split('\n').map((line) => line.replace(/^ /, ''));
  return lines
    .map((line) => (/^ {2}/.test(line) ? `\`${line.trim()}\`` : line))
    .join(' ')
    .trim();
}

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function tableOf(values) {
  const rows = values.map(
    ({ key, value, comment }) => `| \`${key}\` | \`${JSON.stringify(value)}\` | ${cell(comment)} |`,
  );
  return ['| value | default | |', '|---|---|---|', ...rows].join('\n');
}

/** The README with its table brought up to date. */
export function readmeWithTable(readme, values) {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`README.md has no ${BEGIN} … ${END}`);
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${tableOf(values)}\n\n${readme.slice(end)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const readme = new URL('README.md', chart);
  const values = valuesOf(readFileSync(new URL('values.yaml', chart), 'utf8'));
  writeFileSync(readme, readmeWithTable(readFileSync(readme, 'utf8'), values));
}
