import type { Typed } from './keyboard.ts';
import { isCtrl } from './keyboard.ts';

/** What a hidden line holds after a key. Readline never sees it, so no history and no undo keeps it. */
export function hiddenText(text: string, typed: Extract<Typed, { kind: 'key' }>): string {
  const { key } = typed;
  if (key.name === 'backspace') return [...text].slice(0, -1).join('');
  if (isCtrl(key, 'u')) return '';
  const isText = typed.text !== undefined && key.ctrl !== true && key.meta !== true && !typed.text.startsWith('\x1b');
  return isText ? text + typed.text : text;
}
